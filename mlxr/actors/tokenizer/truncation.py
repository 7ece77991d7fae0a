"""How a prompt that is longer than the context is cut, and what is said where it may not be."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

COUNTED = 1 << 20
"""Tokens of a prompt that does not fit that are counted, for its client to know how much to leave out."""


@dataclass(frozen=True, slots=True)
class TextEnds:
    """So many characters at the beginning and at the end of a text, which is all that matters of it."""

    head: int
    tail: int

    def cut(self, pieces: Sequence[str]) -> str:
        """Returns the text of ``pieces``: its first ``head`` characters and its last ``tail``, where it has more."""
        if sum(map(len, pieces)) <= self.head + self.tail:
            return "".join(pieces)
        tail = "".join(reversed(_first(self.tail, reversed(pieces))))
        return "".join(_first(self.head, pieces))[: self.head] + tail[len(tail) - self.tail :]


WHOLE = TextEnds(sys.maxsize, 0)


def _first(characters: int, pieces: Iterable[str]) -> list[str]:
    """Returns as many of ``pieces`` as have so many characters together."""
    found: list[str] = []
    for piece in pieces:
        if characters <= 0:
            break
        found.append(piece)
        characters -= len(piece)
    return found


@dataclass(frozen=True, slots=True)
class TruncationPolicy:
    """How a prompt is made to fit a context.

    Attributes:
        context: tokens that there is room for.
        keep: how many of its first tokens remain of a longer prompt, beside its latest; None makes that an error.
        from_start: the end is what is left out.
        field: what an error names.
    """

    context: int
    keep: int | None
    from_start: bool = False
    field: str = "messages"


def too_long(tokens: int, context: int, field: str, *, at_least: bool = False) -> ErrorInfo:
    count = f"at least {tokens}" if at_least else str(tokens)
    # Clients that have only the text to go by look for these words: agents shorten a conversation by themselves then.
    limit = f"this model's maximum context length is {context} tokens"
    if field == "input":
        message = f"the input length exceeds the context length: {count} tokens, and {limit}; shorten the input"
    else:
        length = f"the prompt is too long: {count} tokens > {context}"
        message = f"{length}; it exceeds the context length: {limit}, one of them for the answer; shorten the prompt"
    return ErrorInfo(ErrorCode.CONTEXT_LENGTH, message, field)


def empty(field: str) -> ErrorInfo:
    return ErrorInfo(ErrorCode.INVALID, "the prompt is empty: it has no tokens", field)


def truncated_prompt(tokens: list[int], context: int, keep: int | None, field: str = "messages") -> list[int]:
    """Returns ``tokens`` if they leave room for an answer in ``context``; else the first ``keep`` and the latest of
    them.

    Raises ``RequestError`` naming both lengths when ``keep`` is None or ``context`` has room for an answer alone, and
    when there is nothing to run; ``field`` is what it names.
    """
    if not tokens:
        raise RequestError(empty(field))
    if len(tokens) < context:
        return tokens
    if keep is None or context < 2:
        raise RequestError(too_long(len(tokens), context, field))
    # Half the room goes to the latest tokens, as Ollama's runner does it, so that the answer has the other half.
    keep = min(keep, context // 2)
    latest = max(1, (context - keep) // 2)
    keep = min(keep, context - latest - 1)
    return tokens[:keep] + tokens[-latest:]


def truncated_input(tokens: list[int], context: int, control: Collection[int], *, truncate: bool) -> list[int]:
    """Returns ``tokens`` of a text to embed, which needs no room for an answer. ``truncate`` leaves out its end, but
    not the ``control`` token behind it (BERT's ``[SEP]``).

    Raises ``RequestError`` naming both lengths for a text that is too long, or empty, and for a ``context`` with room
    for control tokens only.
    """
    if not tokens:
        raise RequestError(empty("input"))
    if len(tokens) <= context:
        return tokens
    if not truncate:
        raise RequestError(too_long(len(tokens), context, "input"))
    closing = tokens[-1:] if tokens[-1] in control else []
    kept = tokens[: context - len(closing)] + closing
    if all(token in control for token in kept):
        raise RequestError(too_long(len(tokens), context, "input"))
    return kept


def useful_tokens(policy: TruncationPolicy | None) -> int:
    """Tokens of a text's beginning beyond which no more are of use."""
    if policy is None:
        return sys.maxsize
    if policy.keep is None:
        return max(policy.context, COUNTED)
    return policy.context if policy.from_start else sys.maxsize


def check_useful(tokens: Sequence[int], policy: TruncationPolicy | None) -> None:
    """Raises ``RequestError`` for ``tokens`` that are too many, and perhaps not all."""
    if policy is not None and policy.keep is None and len(tokens) > useful_tokens(policy):
        raise RequestError(too_long(len(tokens), policy.context, policy.field, at_least=True))
