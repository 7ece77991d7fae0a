"""Which of several connections is too slow to be worth keeping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Connection:
    """What one connection brought: ``came`` bytes since ``began``."""

    began: float
    came: int = 0


class Speeds:
    """Compares connections to one file.

    now: seconds of a clock that goes on.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._open: list[Connection] = []
        self._bytes = 0
        self._seconds = 0.0

    def begin(self) -> Connection:
        connection = Connection(self._now())
        self._open.append(connection)
        return connection

    def end(self, connection: Connection) -> None:
        self._open.remove(connection)
        self._bytes += connection.came
        self._seconds += self._now() - connection.began

    def lags(self, connection: Connection, seconds: float, share: float) -> bool:
        """Whether a connection brought less than ``share`` of what all others did for their time, for ``seconds``."""
        now = self._now()
        own = now - connection.began
        if own < seconds:
            return False
        others = [other for other in self._open if other is not connection]
        came = self._bytes + sum(other.came for other in others)
        spent = self._seconds + sum(now - other.began for other in others)
        return spent > 0 and connection.came / own < share * came / spent
