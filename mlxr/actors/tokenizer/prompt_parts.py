"""Long prompts put together again from the parts they came in, as far as they can be used.

Putting a text of megabytes together holds the interpreter for milliseconds, wherever it is done: what is too long is
refused before, and what is to be truncated is left out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from msgspec.structs import replace

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import (
    Asked,
    ChatMessage,
    ChatPrompt,
    FillPrompt,
    Prompt,
    PromptPart,
    TextPrompt,
    TokenPrompt,
)

HEARD = frozenset({"user", "tool"})
"""Roles whose words every template passes on."""

LOST = ErrorInfo(
    ErrorCode.ENGINE_FAILED,
    "the tokenizer was restarted while the prompt came in; send the request again",
    retry_after=1,
)


@dataclass(frozen=True, slots=True)
class Ends:
    """What matters of a text: so many characters at its beginning and at its end."""

    head: int
    tail: int

    def of(self, pieces: Sequence[str]) -> str:
        """The text of ``pieces``, without its middle if it has one that does not matter."""
        if sum(map(len, pieces)) <= self.head + self.tail:
            return "".join(pieces)
        tail = "".join(reversed(_first(self.tail, reversed(pieces))))
        return "".join(_first(self.head, pieces))[: self.head] + tail[len(tail) - self.tail :]


ALL = Ends(sys.maxsize, 0)


def _first(characters: int, pieces: Iterable[str]) -> list[str]:
    """As many of ``pieces`` as have so many characters together."""
    found: list[str] = []
    for piece in pieces:
        if characters <= 0:
            break
        found.append(piece)
        characters -= len(piece)
    return found


def length(command: Asked, parts: Sequence[PromptPart]) -> int:
    """Characters that the prompt's text has at least. Of a conversation only what users and tools said counts: of the
    rest a template may leave something out, and a request's own template of everything."""
    prompts = [*(part.prompt for part in parts), command.prompt]
    own = isinstance(command.prompt, ChatPrompt) and command.prompt.template is not None
    return 0 if own else sum(map(_length, prompts))


def _length(prompt: Prompt) -> int:
    match prompt:
        case TextPrompt():
            return len(prompt.text)
        case ChatPrompt():
            return sum(len(message.content) for message in prompt.messages if message.role in HEARD)
        case _:
            return 0


def whole(command: Asked, parts: Sequence[PromptPart], ends: Ends = ALL) -> Prompt:
    """The prompt of ``command``, before which ``parts`` came, with no more of any text than ``ends``. Raises
    ``RequestError`` if those are not all parts."""
    rest = command.prompt
    if len(parts) != command.parts:
        raise RequestError(LOST)
    if not parts:
        return rest
    match rest:
        case TextPrompt():
            texts = [part.prompt.text for part in parts if isinstance(part.prompt, TextPrompt)]
            return replace(rest, text=ends.of([*texts, rest.text]))
        case TokenPrompt():
            ids = [part.prompt.tokens for part in parts if isinstance(part.prompt, TokenPrompt)]
            return TokenPrompt([*chain(*ids, rest.tokens)])
        case FillPrompt():
            gaps = [part.prompt for part in parts if isinstance(part.prompt, FillPrompt)] + [rest]
            return FillPrompt("".join(gap.prefix for gap in gaps), "".join(gap.suffix for gap in gaps))
        case ChatPrompt():
            return replace(rest, messages=[joined(pieces, ends) for pieces in _by_message(parts, rest)])


def _by_message(parts: Sequence[PromptPart], rest: ChatPrompt) -> list[list[ChatMessage]]:
    """The pieces of each message."""
    found: list[list[ChatMessage]] = []
    unfinished = False
    for prompt, goes_on in [*((part.prompt, part.unfinished) for part in parts), (rest, False)]:
        messages = prompt.messages if isinstance(prompt, ChatPrompt) else []
        if unfinished:
            found[-1] += messages[:1]
            messages = messages[1:]
        found += [[message] for message in messages]
        unfinished = goes_on
    return found


def joined(pieces: list[ChatMessage], ends: Ends) -> ChatMessage:
    """The message that came in ``pieces``, with no more of its texts than ``ends``."""
    content, reasoning = [piece.content for piece in pieces], [piece.reasoning for piece in pieces]
    return replace(pieces[0], content=ends.of(content), reasoning=ends.of(reasoning))
