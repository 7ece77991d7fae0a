"""Long prompts in parts: a message is encoded and decoded on the event loop, so none may be of any size."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

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

PART_CHARACTERS = 64 << 10
"""Characters that one message has of a prompt: some tenths of a millisecond to encode and decode."""

TOKEN_COST, MESSAGE_COST = 8, 128
"""What a token id and a turn of a conversation cost, in characters."""

Piece = tuple[Prompt, bool]
"""A piece of a prompt, and whether its last message goes on in the next."""


def in_parts(command: Asked, part: int = PART_CHARACTERS) -> Iterator[PromptPart | Asked]:
    """Yields the parts of a long prompt, then ``command`` with the rest of it; a short one is yielded as it is. Each is
    made when it is asked for."""
    count, pieces = 0, _pieces(command.prompt, part)
    piece, unfinished = next(pieces)
    for following in pieces:
        yield PromptPart(command.request, piece, unfinished)
        count += 1
        piece, unfinished = following
    yield replace(command, prompt=piece, parts=count) if count else command


def _pieces(prompt: Prompt, part: int) -> Iterator[Piece]:
    match prompt:
        case TextPrompt():
            for start in _starts(len(prompt.text), part):
                yield replace(prompt, text=prompt.text[start : start + part]), False
        case TokenPrompt():
            ids = max(1, part // TOKEN_COST)
            for start in _starts(len(prompt.tokens), ids):
                yield TokenPrompt(prompt.tokens[start : start + ids]), False
        case FillPrompt():
            for start in _starts(max(len(prompt.prefix), len(prompt.suffix)), part):
                yield FillPrompt(prompt.prefix[start : start + part], prompt.suffix[start : start + part]), False
        case PairPrompt():
            for start in _starts(max(len(prompt.query), len(prompt.document)), part):
                yield PairPrompt(prompt.query[start : start + part], prompt.document[start : start + part]), False
        case ChatPrompt():
            yield from _turns(prompt, part)


def _turns(prompt: ChatPrompt, part: int) -> Iterator[Piece]:
    """Yields a conversation's messages, as many together as fit a part; the last piece has all that is not messages."""
    batch: list[ChatMessage] = []
    size = 0
    for message in prompt.messages:
        longest = max(len(message.content), len(message.reasoning))
        for start in _starts(longest, part):
            if size > part:
                yield ChatPrompt(batch), start > 0
                batch, size = [], 0
            piece = _stretch(message, start, part) if longest > part else message
            batch.append(piece)
            size += MESSAGE_COST + len(piece.content) + len(piece.reasoning)
    yield replace(prompt, messages=batch), False


def _stretch(message: ChatMessage, start: int, length: int) -> ChatMessage:
    """Returns a part of what ``message`` says; the first has its tool calls and its names too."""
    content, reasoning = message.content[start : start + length], message.reasoning[start : start + length]
    if start:
        return ChatMessage(message.role, content, reasoning)
    return replace(message, content=content, reasoning=reasoning)


def _starts(length: int, step: int) -> range:
    """Returns where stretches of ``step`` begin; there is at least one."""
    return range(0, max(1, length), step)
