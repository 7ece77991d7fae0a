"""What of an answer on its way is still to be written."""

from __future__ import annotations

from typing import NamedTuple

from mlxr.api.chats.views import ChatLogprob


class Mark(NamedTuple):
    """How much an answer had when it was written: its tokens, and how much of what was pending."""

    of: PendingWrites
    tokens: int
    texts: int
    reasonings: int
    logprobs: int


class PendingWrites:
    """Owns what came since the last time that an answer was written, but for the ids of its tokens.

    Attributes:
        start: how many tokens are written.
        logprobs: of the tokens behind those.
    """

    def __init__(self, start: int) -> None:
        self.start = start
        self._texts: list[str] = []
        self._reasonings: list[str] = []
        self.logprobs: list[ChatLogprob] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasonings)

    def add(self, text: str, reasoning: str, logprobs: list[ChatLogprob]) -> None:
        self._texts.append(text)
        self._reasonings.append(reasoning)
        self.logprobs += logprobs

    def mark(self, tokens: int) -> Mark:
        """``tokens``: all of the answer's."""
        return Mark(self, tokens, len(self._texts), len(self._reasonings), len(self.logprobs))

    def written(self, mark: Mark) -> None:
        """What there was at ``mark`` is written."""
        if mark.tokens == self.start:
            return
        self.start = mark.tokens
        del self._texts[: mark.texts], self._reasonings[: mark.reasonings], self.logprobs[: mark.logprobs]
