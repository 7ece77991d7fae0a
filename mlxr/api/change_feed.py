"""Rows that change, for whoever follows them: nobody misses the latest state of one, however late they ask."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, NamedTuple, TypeVar

import anyio

from mlxr.api.whole_numbers import whole_number

R = TypeVar("R")

MOST_GONE = 1024
"""Rows that went and are remembered, so that who was away hears of it. Who was away for longer is told all anew."""


class Changes(NamedTuple, Generic[R]):
    """``reset``: forget what was known, ``rows`` are all. ``version``: what to ask from the next time."""

    version: str
    reset: bool
    rows: dict[str, R]
    gone: list[str]


class ChangeFeed(Generic[R]):
    """Keeps rows by their keys, each with the version at which it changed last."""

    def __init__(self) -> None:
        self._feed = secrets.token_hex(4)
        self._version = 0
        self._rows: dict[str, tuple[int, R]] = {}
        self._gone: dict[str, int] = {}
        self._forgotten = 0
        self._changed = anyio.Event()

    @property
    def version(self) -> str:
        return f"{self._feed}.{self._version}"

    def rows(self) -> list[R]:
        return [row for _, row in self._rows.values()]

    def put(self, rows: Mapping[str, R], gone: Iterable[str] = ()) -> None:
        """Takes in rows as they are now, and keys that stand for nothing any more."""
        fresh = {key: row for key, row in rows.items() if key not in self._rows or self._rows[key][1] != row}
        left = [key for key in gone if key in self._rows]
        if not (fresh or left):
            return
        self._version += 1
        for key, row in fresh.items():
            self._rows[key] = (self._version, row)
            self._gone.pop(key, None)
        for key in left:
            del self._rows[key]
            self._gone[key] = self._version
        while len(self._gone) > MOST_GONE:
            self._forgotten = self._gone.pop(next(iter(self._gone)))
        self._changed.set()
        self._changed = anyio.Event()

    def replace(self, rows: Mapping[str, R], among: Callable[[str], bool] = lambda key: True) -> None:
        """The rows whose keys are ``among`` those meant are these, and no others."""
        self.put(rows, [key for key in self._rows if among(key) and key not in rows])

    def since(self, version: str) -> Changes[R]:
        """Returns what has changed since ``version``; all there is where that is not known any more."""
        feed, _, number = version.partition(".")
        seen = whole_number(number) if feed == self._feed else None
        if seen is None or not self._forgotten <= seen <= self._version:
            return Changes(self.version, True, {key: row for key, (_, row) in self._rows.items()}, [])
        rows = {key: row for key, (changed, row) in self._rows.items() if changed > seen}
        return Changes(self.version, False, rows, [key for key, left in self._gone.items() if left > seen])

    async def changed(self, version: str) -> None:
        """Returns once there is something since ``version``."""
        while self.version == version:
            await self._changed.wait()
