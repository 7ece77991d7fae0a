"""How long an answer takes: to its first token, at reasoning, in all."""

from __future__ import annotations

import time

from mlxr.actors.chats.run import Piece
from mlxr.api.chats.views import ChatTurn, ChatUsage

MEASURABLE = 0.002
"""The shortest time over which a rate is told, in seconds: what is forced may come in two pieces within one turn."""


class AnswerTimes:
    """Owns the times of one answer, which may be one of several requests for its message.

    Attributes:
        ttft: seconds to its first token; None before.
        load: seconds that its model took to load.
        reasoning: seconds of reasoning; None where there was none.
    """

    def __init__(self, turn: ChatTurn) -> None:
        usage = turn.usage or ChatUsage()
        self.ttft, self.load = usage.ttft, usage.load
        self.reasoning = turn.reasoning_seconds
        self._since = time.monotonic()
        self._first: float | None = None
        self._last = 0.0
        self._reasoning_since: float | None = None

    def restore(self, piece: Piece) -> None:
        """Takes what was written with a piece."""
        self.ttft, self.load, self.reasoning = piece.ttft, piece.load, piece.reasoning_seconds

    def loaded(self, seconds: float) -> None:
        if self.load is None:
            self.load = round(seconds, 6)

    def begin_again(self) -> None:
        """Another request goes on from what there is."""
        self._first = None

    def take(self, *, reasoning: bool) -> None:
        """A piece came. ``reasoning``: some of it is."""
        now = self._last = time.monotonic()
        if self._first is None:
            self._first = now
            if self.ttft is None:
                self.ttft = round(now - self._since, 6)
        if reasoning:
            if self._reasoning_since is None:
                self._reasoning_since = now - (self.reasoning or 0.0)
            self.reasoning = round(now - self._reasoning_since, 3)

    def rate(self, tokens: int) -> float | None:
        """Returns tokens a second, of ``tokens`` that came after the last request's first piece; None where they came
        in one burst, which tells nothing of how fast they were made."""
        streamed = self._last - self._first if self._first is not None else 0.0
        return round(tokens / streamed, 3) if tokens > 0 and streamed >= MEASURABLE else None

    @property
    def total(self) -> float:
        return time.monotonic() - self._since
