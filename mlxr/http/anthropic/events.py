"""Anthropic's answers: a message with content blocks, whole or as events
(https://docs.anthropic.com/en/api/messages-streaming)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from mlxr.api import sse
from mlxr.api.content_blocks import BlockDelta, BlockKind, ContentBlock, ContentBlocks
from mlxr.api.gateway import Stream
from mlxr.api.reasoning_round_trip import encrypted_content
from mlxr.api.tools import arguments_object
from mlxr.http.anthropic.errors import anthropic_error
from mlxr.http.anthropic.schema import MessagesRequest
from mlxr.http.errors import Problem
from mlxr.http.ids import new_id
from mlxr.http.stream import SSE
from mlxr.runtime.messages.common import FinishReason, Usage
from mlxr.runtime.messages.frontend import Delta, Started

UNDIAGNOSED: Final = {"cache_miss_reason": {"type": "unavailable"}}
"""What is told of a prompt that was compared with that of an earlier answer."""

PING: Final = sse.event("ping", {"type": "ping"})


class MessageEvents:
    """Encodes one request's stream; ``whole`` makes the message of one that doesn't stream.

    Where thinking is to be omitted its blocks are without their text, which is then in the signature. A request that
    asked for its context to be edited is told of it.
    """

    content_type = SSE

    def __init__(self, body: MessagesRequest) -> None:
        self._model = body.model
        self._max_tokens = body.max_tokens
        self._show_thinking = body.thinking is None or body.thinking.display != "omitted"
        edits = body.context_management is not None
        self._edits: dict[str, Any] = {"context_management": {"applied_edits": []}} if edits else {}
        compared = body.diagnostics is not None and body.diagnostics.previous_message_id
        self._diagnostics: dict[str, Any] = {"diagnostics": UNDIAGNOSED} if compared else {}
        self._id = new_id("msg_")
        self._content = ContentBlocks()
        self._finish: FinishReason | None = None
        self._stop: str | None = None

    def start(self, started: Started) -> bytes:
        usage = usage_object(Usage(prompt_tokens=started.prompt_tokens))
        message = {**self._message([], usage), "stop_reason": None, "stop_sequence": None}
        return _event("message_start", message=message) + PING

    def deltas(self, batch: Iterable[Delta]) -> bytes:
        return b"".join([self._piece(piece) for delta in batch for piece in self._feed(delta)])

    def end(self, stream: Stream) -> bytes:
        stop = {"stop_reason": self._stop_reason(stream.usage), "stop_sequence": self._stop}
        return (
            self._close(len(self._content.blocks))
            + _event("message_delta", delta=stop, usage=usage_object(stream.usage), **self._edits)
            + _event("message_stop")
        )

    def failed(self, problem: Problem) -> bytes:
        return sse.event("error", anthropic_error(problem))

    def whole(self, deltas: Iterable[Delta], usage: Usage) -> dict[str, Any]:
        for delta in deltas:
            self._feed(delta)
        content = [self._whole_block(block) for block in self._content.blocks]
        message = self._message(content, usage_object(usage))
        return {**message, **self._edits, "stop_reason": self._stop_reason(usage), "stop_sequence": self._stop}

    def _feed(self, delta: Delta) -> list[BlockDelta]:
        self._finish = delta.finish or self._finish
        self._stop = delta.stop_string or self._stop
        return self._content.feed(delta)

    def _piece(self, piece: BlockDelta) -> bytes:
        before = b""
        if piece.begins:
            block = _block(ContentBlock(piece.kind, "", piece.id, piece.name))
            before = self._close(piece.block) + _event("content_block_start", index=piece.block, content_block=block)
        if not piece.text or (piece.kind is BlockKind.REASONING and not self._show_thinking):
            return before
        return before + _event("content_block_delta", index=piece.block, delta=_delta(piece))

    def _close(self, block: int) -> bytes:
        """Ends the block before ``block``, if there is one."""
        if not block:
            return b""
        ended = self._content.blocks[block - 1]
        signature = b""
        if ended.kind is BlockKind.REASONING:
            delta = {"type": "signature_delta", "signature": self._signature(ended)}
            signature = _event("content_block_delta", index=block - 1, delta=delta)
        return signature + _event("content_block_stop", index=block - 1)

    def _whole_block(self, block: ContentBlock) -> dict[str, Any]:
        made = _block(block)
        if block.kind is BlockKind.REASONING:
            made["thinking"] = block.text if self._show_thinking else ""
            made["signature"] = self._signature(block)
        return made

    def _signature(self, block: ContentBlock) -> str:
        return encrypted_content("" if self._show_thinking else block.text)

    def _stop_reason(self, usage: Usage) -> str:
        if self._finish is FinishReason.LENGTH:
            # What ends an answer before its own limit is the model's.
            return "max_tokens" if usage.completion_tokens >= self._max_tokens else "model_context_window_exceeded"
        if self._finish is FinishReason.TOOL_CALLS:
            return "tool_use"
        return "end_turn" if self._stop is None else "stop_sequence"

    def _message(self, content: list[dict[str, Any]], usage: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": content,
            "usage": usage,
            **self._diagnostics,
        }


def usage_object(usage: Usage) -> dict[str, Any]:
    """Tokens from the cache are counted apart from the rest of the input."""
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def _event(name: str, **fields: Any) -> bytes:
    return sse.event(name, {"type": name, **fields})


def _block(block: ContentBlock) -> dict[str, Any]:
    if block.kind is BlockKind.REASONING:
        return {"type": "thinking", "thinking": block.text, "signature": ""}
    if block.kind is BlockKind.TEXT:
        return {"type": "text", "text": block.text}
    return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments_object(block.text)}


def _delta(piece: BlockDelta) -> dict[str, Any]:
    if piece.kind is BlockKind.REASONING:
        return {"type": "thinking_delta", "thinking": piece.text}
    if piece.kind is BlockKind.TEXT:
        return {"type": "text_delta", "text": piece.text}
    return {"type": "input_json_delta", "partial_json": piece.text}
