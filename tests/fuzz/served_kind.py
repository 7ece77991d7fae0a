"""A kind whose inputs are sent to a server."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from tests.fuzz.kind import Kind
from tests.fuzz.served import NoAnswerError, Served

LATE = 0.25
"""Seconds that the other client may wait for the beginning of a stream, or for its next piece."""
REPEATS = 3
"""How often what made it wait longer is sent again: it was the input if it does so each time, else the machine."""


class ServedKind(Kind):
    """``gap``: the longest pause of the other client's stream, in seconds."""

    SMALL_STACK = False
    SERVED = True

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._served: Served | None = None
        self._before = b""

    @abstractmethod
    def send(self, served: Served, data: bytes) -> None:
        """Send ``data``; raises ``NoAnswerError`` for an answer that none may get."""

    def read(self, data: bytes) -> None:
        served = self._served = self._served or Served(self.folder)
        self._send(served, data)
        gaps = [served.new_gap()]
        while gaps[-1] > LATE and len(gaps) <= REPEATS:
            # The one before may be what shows only now.
            for each in filter(None, (self._before, data)):
                self._send(served, each)
            gaps.append(served.new_gap())
        if gaps[-1] > LATE:
            raise NoAnswerError(f"the other client waited {1000 * min(gaps):.0f} ms, {len(gaps)} times of {len(gaps)}")
        self._before = data

    def _send(self, served: Served, data: bytes) -> None:
        self.send(served, data)
        served.check(len(data))

    @property
    def gap(self) -> float:  # type: ignore[override]
        return self._served.gap if self._served else 0.0

    def close(self) -> None:
        if self._served is not None:
            self._served.close()
