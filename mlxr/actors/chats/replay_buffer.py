"""What followers of an answer were told of it, for those who come back."""

from __future__ import annotations

from mlxr.api.chats.events import AnswerDelta

MOST_DELTAS = 16_384
"""Pieces that are kept; who missed more gets the message as a whole."""


class ReplayBuffer:
    """Owns the latest pieces of one answer."""

    def __init__(self, message: str) -> None:
        self._message = message
        self._deltas: list[AnswerDelta] = []

    def add(self, delta: AnswerDelta) -> None:
        self._deltas.append(delta)
        if len(self._deltas) > MOST_DELTAS:
            del self._deltas[: MOST_DELTAS // 2]

    def clear(self) -> None:
        self._deltas.clear()

    def since(self, tokens: int, end: int) -> AnswerDelta | None:
        """Returns all that came behind the first ``tokens`` of ``end`` as one piece; None where it can't be cut
        there."""
        missed = [delta for delta in self._deltas if delta.start >= tokens and delta.tokens > tokens]
        begin = missed[0].start if missed else end
        if begin != tokens:
            return None
        return AnswerDelta(
            message=self._message,
            start=tokens,
            tokens=end,
            text="".join(delta.text for delta in missed),
            reasoning="".join(delta.reasoning for delta in missed),
            tool_calls=[call for delta in missed for call in delta.tool_calls],
            logprobs=[logprob for delta in missed for logprob in delta.logprobs],
        )
