"""Deltas put together again, for responses that aren't streamed."""

from __future__ import annotations

from collections.abc import Iterable

from mlxr.runtime.messages.common import FinishReason, TextLogprob, Usage
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.tokenizer import ToolCall


class Choice:
    """Puts one choice of an answer together from its deltas.

    logprobs: of its tokens, where they were asked for.
    finish: why it ended.
    stop: the stop string that it met, if it met one.
    """

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self.logprobs: list[TextLogprob] = []
        self.finish = FinishReason.LENGTH
        self.stop: str | None = None
        self._calls: dict[int, list[str]] = {}

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        return "".join(self._reasoning)

    @property
    def tool_calls(self) -> list[ToolCall]:
        return [ToolCall(id, name, arguments) for _, (id, name, arguments) in sorted(self._calls.items())]

    def add(self, delta: Delta) -> None:
        self._text.append(delta.text)
        self._reasoning.append(delta.reasoning)
        self.logprobs += delta.logprobs
        self.finish = delta.finish or self.finish
        self.stop = delta.stop_string or self.stop
        for piece in delta.tool_calls:
            call = self._calls.setdefault(piece.index, ["", "", ""])
            call[0] = call[0] or piece.id or ""
            call[1] = call[1] or piece.name or ""
            call[2] += piece.arguments

    def mean_logprob(self) -> float:
        """Returns what ``best_of`` ranks choices by."""
        return sum(token.logprob for token in self.logprobs) / max(1, len(self.logprobs))


def aggregate(deltas: Iterable[Delta], n: int) -> list[Choice]:
    """Returns the ``n`` choices that ``deltas`` add up to, in order of index."""
    choices = [Choice() for _ in range(n)]
    for delta in deltas:
        choices[delta.index].add(delta)
    return choices


def add_usage(usages: Iterable[Usage]) -> Usage:
    """Returns the token counts of several prompts together; times are each prompt's own and stay out."""
    total = Usage()
    for usage in usages:
        total = Usage(
            total.prompt_tokens + usage.prompt_tokens,
            total.completion_tokens + usage.completion_tokens,
            total.cached_tokens + usage.cached_tokens,
            total.reasoning_tokens + usage.reasoning_tokens,
            drafted_tokens=total.drafted_tokens + usage.drafted_tokens,
            accepted_tokens=total.accepted_tokens + usage.accepted_tokens,
        )
    return total
