"""What pages of engines that run may take: given back where the system or another engine lacks memory, and had again
later."""

from __future__ import annotations

import math
from collections.abc import Collection

from mlxr.actors.registry.lifecycle.actions import Limit
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.actors.registry.lifecycle.room import order_of_giving

RAISE_SECONDS = 30.0
"""How long after engines were told what pages may take they may be told to take more."""

RELIEF_SECONDS = 3.0
"""How long what was given back has to show in what the system has left."""


class PageLimits:
    """Owns the time when an engine was last told. ``engines`` are those that run."""

    def __init__(self) -> None:
        self._told = -math.inf

    def limit(self, engine: Engine, nbytes: int, now: float, give_back: int = 0) -> Limit:
        engine.asked, engine.pending, self._told = nbytes, True, now
        return Limit(engine.name, nbytes, give_back)

    def relieve(self, engines: Collection[Engine], now: float, lacking: int) -> list[Limit]:
        """Has engines give back pages in use, since the system lacks so many bytes."""
        if now < self._told + RELIEF_SECONDS:
            return []
        givers = [engine for engine in order_of_giving(engines) if not engine.pending]
        return [self.limit(giver, giver.pages, now, give_back=lacking) for giver in givers[:1]]

    def raise_all(self, engines: Collection[Engine], now: float, left: list[int]) -> list[Limit]:
        """Lets engines have pages again that they gave back, where there is room for twice as much. ``left``: bytes
        that nobody has, by each of the limits there are."""
        if now < self._told + RAISE_SECONDS:
            return []
        raised: list[Limit] = []
        for engine in sorted((e for e in engines if e.lacks and not e.pending), key=lambda e: -e.used):
            more = min([engine.lacks, *(room // 2 for room in left)])
            if more > 0:
                left = [room - more for room in left]
                raised.append(self.limit(engine, engine.pages + more, now))
        return raised
