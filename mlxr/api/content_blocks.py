"""A choice's output as a sequence of blocks (reasoning, text, tool calls), as Anthropic and Responses stream it."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import Struct

from mlxr.runtime.messages.frontend import Delta


class Kind(StrEnum):
    REASONING = "reasoning"
    TEXT = "text"
    TOOL = "tool"


class Piece(Struct, frozen=True):
    """A piece of block ``block`` (0-based). ``begins``: the block's first; ``id`` and ``name`` are a tool call's."""

    kind: Kind
    block: int
    text: str
    begins: bool = False
    id: str = ""
    name: str = ""


class Block(Struct):
    """A block put together."""

    kind: Kind
    text: str = ""
    id: str = ""
    name: str = ""


class Segmenter:
    """Takes the deltas of one choice in, and keeps the blocks so far in ``blocks``."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._call = -1

    def feed(self, delta: Delta) -> list[Piece]:
        """The pieces of one delta: its reasoning, then its text, then its tool calls."""
        pieces: list[Piece] = []
        if delta.reasoning:
            pieces.append(self._add(Kind.REASONING, delta.reasoning))
        if delta.text:
            pieces.append(self._add(Kind.TEXT, delta.text))
        for call in delta.tool_calls:
            new = call.index != self._call
            self._call = call.index
            pieces.append(self._add(Kind.TOOL, call.arguments, new, call.id, call.name))
        return pieces

    def _add(self, kind: Kind, text: str, new_call: bool = False, id: str = "", name: str = "") -> Piece:
        begins = new_call or not self.blocks or self.blocks[-1].kind is not kind
        if begins:
            self.blocks.append(Block(kind, "", id, name))
        self.blocks[-1].text += text
        return Piece(kind, len(self.blocks) - 1, text, begins, id, name)


def arguments_text(given: object) -> str:
    """The arguments of a past call, whatever a client has made of them, as JSON text or the text that they are."""
    if isinstance(given, str):
        return given or "{}"
    return "{}" if given is None else msgspec.json.encode(given).decode()


def arguments_object(text: str) -> dict[str, object]:
    """A tool call's arguments as an object; what a model wrote instead of one stands under ``raw``."""
    try:
        return msgspec.json.decode(text or "{}", type=dict[str, object])
    except msgspec.MsgspecError:
        return {"raw": text}
