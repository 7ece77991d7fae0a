"""Long prompts put together again from the parts they came in, as far as they can be used.

Putting a text of megabytes together holds the interpreter for milliseconds, wherever it is done: what is too long is
refused before, and what is to be truncated is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from msgspec.structs import replace

from mlxr.actors.tokenizer.truncation import WHOLE, TextEnds
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.tokenizer import (
    Asked,
    ChatMessage,
    ChatPrompt,
    FillPrompt,
    PairPrompt,
    Prompt,
    PromptPart,
    TextPrompt,
    TokenPrompt,
)

COUNTED_ROLES = frozenset({"user", "tool"})
"""Roles whose words every template passes on, so that they count."""

LOST = ErrorInfo(
    ErrorCode.ENGINE_FAILED,
    "the tokenizer was restarted while the prompt came in; send the request again",
    retry_after=1,
)


def least_characters(command: Asked, parts: Sequence[PromptPart]) -> int:
    """Returns how many characters the prompt's text has at least. Of a conversation only what users and tools said
    counts: of the rest a template may leave something out, and a request's own template of everything."""
    prompts = [*(part.prompt for part in parts), command.prompt]
    own = isinstance(command.prompt, ChatPrompt) and command.prompt.template is not None
    return 0 if own else sum(map(_characters, prompts))


def _characters(prompt: Prompt) -> int:
    match prompt:
        case TextPrompt():
            return len(prompt.text)
        case PairPrompt():
            return len(prompt.query) + len(prompt.document)
        case ChatPrompt():
            return sum(len(message.content) for message in prompt.messages if message.role in COUNTED_ROLES)
        case _:
            return 0


def assembled_prompt(command: Asked, parts: Sequence[PromptPart], ends: TextEnds = WHOLE) -> Prompt:
    """Returns the prompt of ``command``, before which ``parts`` came, with no more of any text than ``ends``. Raises
    ``RequestError`` if those are not all parts."""
    rest = command.prompt
    if len(parts) != command.parts:
        raise RequestError(LOST)
    if not parts:
        return rest
    match rest:
        case TextPrompt():
            texts = [part.prompt.text for part in parts if isinstance(part.prompt, TextPrompt)]
            return replace(rest, text=ends.cut([*texts, rest.text]))
        case TokenPrompt():
            ids = [part.prompt.tokens for part in parts if isinstance(part.prompt, TokenPrompt)]
            return TokenPrompt([*chain(*ids, rest.tokens)])
        case FillPrompt():
            gaps = [part.prompt for part in parts if isinstance(part.prompt, FillPrompt)] + [rest]
            return FillPrompt("".join(gap.prefix for gap in gaps), "".join(gap.suffix for gap in gaps))
        case PairPrompt():
            pairs = [part.prompt for part in parts if isinstance(part.prompt, PairPrompt)] + [rest]
            documents = ends.cut([pair.document for pair in pairs])
            return PairPrompt("".join(pair.query for pair in pairs), documents)
        case ChatPrompt():
            return replace(rest, messages=[joined_message(pieces, ends) for pieces in _by_message(parts, rest)])


def _by_message(parts: Sequence[PromptPart], rest: ChatPrompt) -> list[list[ChatMessage]]:
    """Returns the pieces of each message."""
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


def joined_message(pieces: list[ChatMessage], ends: TextEnds) -> ChatMessage:
    """Returns the message that came in ``pieces``, with no more of its texts than ``ends``."""
    content, reasoning = [piece.content for piece in pieces], [piece.reasoning for piece in pieces]
    return replace(pieces[0], content=ends.cut(content), reasoning=ends.cut(reasoning))
