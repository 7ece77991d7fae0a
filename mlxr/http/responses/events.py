"""A response as server-sent events, numbered, in the order that OpenAI's clients check. What ends the stream is Open
Responses' own (https://www.openresponses.org/specification): other clients stop before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from mlxr.api import sse
from mlxr.api.content_blocks import BlockDelta, BlockKind, ContentBlock, ContentBlocks
from mlxr.api.gateway import Stream
from mlxr.http.errors import Problem
from mlxr.http.logprobs import chat_logprobs
from mlxr.http.responses.items import Items, ResponseObject, final_status, item_id
from mlxr.http.responses.text_tokens import split_by_text
from mlxr.http.stream import SSE
from mlxr.runtime.messages.common import FinishReason, TextLogprob, Usage
from mlxr.runtime.messages.frontend import Delta, Started

Keep = Callable[[list[dict[str, Any]]], None]


class ResponseEvents:
    """Encodes one request's stream; ``whole`` makes the response of one that doesn't stream.

    keep: is called with the items of an answer that has ended.
    """

    content_type = SSE

    def __init__(self, response: ResponseObject, items: Items, keep: Keep) -> None:
        self._response = response
        self._items = items
        self._keep = keep
        self._content = ContentBlocks()
        self._ids: list[str] = []
        self._logprobs: dict[int, list[TextLogprob]] = {}
        self._held: list[TextLogprob] = []
        self._finish: FinishReason | None = None
        self._number = 0

    def start(self, started: Started) -> bytes:
        response = self._response.at("in_progress", [])
        created = self._event("response.created", response=response)
        return created + self._event("response.in_progress", response=response)

    def deltas(self, batch: Iterable[Delta]) -> bytes:
        return b"".join([self._delta(delta) for delta in batch])

    def end(self, stream: Stream) -> bytes:
        status = final_status(self._finish)
        closed = self._close(len(self._content.blocks), status)
        output = self._output(status)
        self._keep(output)
        response = self._response.at(status, output, stream.usage)
        return closed + self._event(f"response.{status}", response=response) + sse.DONE

    def failed(self, problem: Problem) -> bytes:
        error = {"code": problem.code or "server_error", "message": problem.message}
        response = self._response.at("failed", self._output("incomplete"), None, error)
        return self._event("response.failed", response=response) + sse.DONE

    def whole(self, deltas: Iterable[Delta], usage: Usage) -> dict[str, Any]:
        for delta in deltas:
            self._take(delta)
        status = final_status(self._finish)
        output = self._output(status)
        self._keep(output)
        return self._response.at(status, output, usage)

    def _take(self, delta: Delta) -> tuple[list[BlockDelta], list[TextLogprob]]:
        """Returns a delta's pieces, and the tokens of its text: those that came without a piece yet are among them, and
        none of marks, reasoning or calls."""
        self._finish = delta.finish or self._finish
        pieces = self._content.feed(delta)
        self._ids += [item_id(piece.kind) for piece in pieces if piece.begins]
        self._held += delta.logprobs
        if not pieces:
            return [], []
        tokens, self._held = self._held, []
        text = next((piece for piece in pieces if piece.kind is BlockKind.TEXT), None)
        if text is None:
            return pieces, []
        calls = bool(delta.tool_calls)
        own, behind = split_by_text(tokens, text.text, begins=text.begins, calls=calls)
        self._held = [] if calls else behind
        self._logprobs.setdefault(text.block, []).extend(own)
        return pieces, own

    def _delta(self, delta: Delta) -> bytes:
        pieces, tokens = self._take(delta)
        logprobs = chat_logprobs(tokens)["content"]
        return b"".join([self._piece(piece, logprobs) for piece in pieces])

    def _piece(self, piece: BlockDelta, logprobs: list[dict[str, Any]]) -> bytes:
        before = self._open(piece) if piece.begins else b""
        if not piece.text:
            return before
        place = self._place(piece.block)
        if piece.kind is BlockKind.TOOL:
            return before + self._event("response.function_call_arguments.delta", **place, delta=piece.text)
        _, name, index = self._items.names(piece.kind)
        more = {"logprobs": logprobs} if piece.kind is BlockKind.TEXT else {}
        return before + self._event(f"response.{name}.delta", **place, **{index: 0}, delta=piece.text, **more)

    def _open(self, piece: BlockDelta) -> bytes:
        """Ends the block before, announces the new one and, where it has any, its only part."""
        place, empty = self._place(piece.block), ContentBlock(piece.kind, "", piece.id, piece.name)
        added = self._items.item(empty, place["item_id"], "in_progress", [])
        data = self._close(piece.block, "completed")
        data += self._event("response.output_item.added", output_index=piece.block, item=added)
        if piece.kind is not BlockKind.TOOL:
            name, _, index = self._items.names(piece.kind)
            part = self._items.part(empty, [])
            data += self._event(f"response.{name}.added", **place, **{index: 0}, part=part)
        return data

    def _close(self, count: int, status: str) -> bytes:
        """Ends the last of the first ``count`` blocks, if there are any."""
        if not count:
            return b""
        block, place = self._content.blocks[count - 1], self._place(count - 1)
        if block.kind is BlockKind.TOOL:
            call = {"name": self._items.called(block)["name"], "arguments": block.text}
            data = self._event("response.function_call_arguments.done", **place, **call)
        else:
            outer, inner, index = self._items.names(block.kind)
            made = self._items.part(block, self._logprobs.get(count - 1, []))
            done = {name: made[name] for name in ("text", "logprobs") if name in made}
            data = self._event(f"response.{inner}.done", **place, **{index: 0}, **done)
            data += self._event(f"response.{outer}.done", **place, **{index: 0}, part=made)
        whole = self._item(count - 1, status)
        return data + self._event("response.output_item.done", output_index=count - 1, item=whole)

    def _output(self, status: str) -> list[dict[str, Any]]:
        """All items; the last has the response's own status."""
        last = len(self._content.blocks) - 1
        return [self._item(index, status if index == last else "completed") for index in range(last + 1)]

    def _item(self, index: int, status: str) -> dict[str, Any]:
        return self._items.item(self._content.blocks[index], self._ids[index], status, self._logprobs.get(index, []))

    def _place(self, block: int) -> dict[str, Any]:
        return {"item_id": self._ids[block], "output_index": block}

    def _event(self, name: str, /, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return sse.event(name, {"type": name, "sequence_number": number, **fields})
