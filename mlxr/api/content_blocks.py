"""A choice's output as a sequence of blocks (reasoning, text, tool calls), as Anthropic and Responses stream it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from mlxr.runtime.messages.frontend import Delta


class BlockKind(StrEnum):
    REASONING = "reasoning"
    TEXT = "text"
    TOOL = "tool"


class BlockDelta(Struct, frozen=True):
    """A piece of a content block.

    kind: of the block.
    block: its number, from 0.
    text: what the piece adds.
    begins: it is the block's first piece.
    id: a tool call's, with its first piece.
    name: likewise.
    """

    kind: BlockKind
    block: int
    text: str
    begins: bool = False
    id: str = ""
    name: str = ""


class ContentBlock(Struct):
    """A content block as far as it has come: ``id`` and ``name`` are a tool call's."""

    kind: BlockKind
    text: str = ""
    id: str = ""
    name: str = ""


class ContentBlocks:
    """Takes the deltas of one choice in, and keeps the blocks so far in ``blocks``."""

    def __init__(self) -> None:
        self.blocks: list[ContentBlock] = []
        self._call: int | None = None

    def feed(self, delta: Delta) -> list[BlockDelta]:
        """Returns the pieces of one delta: its reasoning, then its text, then its tool calls."""
        pieces: list[BlockDelta] = []
        if delta.reasoning:
            pieces.append(self._add(BlockKind.REASONING, delta.reasoning))
        if delta.text:
            pieces.append(self._add(BlockKind.TEXT, delta.text))
        for call in delta.tool_calls:
            new = call.index != self._call
            self._call = call.index
            pieces.append(self._add(BlockKind.TOOL, call.arguments, new, call.id or "", call.name or ""))
        return pieces

    def _add(self, kind: BlockKind, text: str, new_call: bool = False, id: str = "", name: str = "") -> BlockDelta:
        begins = new_call or not self.blocks or self.blocks[-1].kind is not kind
        if begins:
            self.blocks.append(ContentBlock(kind, "", id, name))
        self.blocks[-1].text += text
        return BlockDelta(kind, len(self.blocks) - 1, text, begins, id, name)
