"""Chat completions as server-sent events. What is the same in every chunk of a request is encoded once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlxr.api import sse
from mlxr.api.gateway import Stream
from mlxr.api.one_line_json import one_line_json
from mlxr.http.errors import Problem
from mlxr.http.logprobs import chat_logprobs
from mlxr.http.openai.errors import openai_error
from mlxr.http.openai.usage import RunningUsage, usage_object
from mlxr.http.stream import SSE
from mlxr.runtime.messages.common import FinishReason
from mlxr.runtime.messages.frontend import Delta, Started, ToolCallDelta

_ROLE = b',"delta":{"role":"assistant","content":""}'
_TEXT = b',"delta":{"content":'
_CONTINUES = b',"logprobs":null,"finish_reason":null}'


class ChatChunks:
    """Encodes one request's stream. The role's chunk goes out in one piece with the first token's, because load
    generators take the first chunk for the first token. ``running_usage``: every chunk says how many tokens there are
    so far."""

    content_type = SSE

    def __init__(self, head: dict[str, Any], include_usage: bool, running_usage: bool = False) -> None:
        self._head = head
        self._include_usage = include_usage
        self._running = RunningUsage() if running_usage else None
        self._open = b"data: " + one_line_json(head)[:-1] + b',"choices":[{"index":'
        self._close = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._text_close = b"}" + _CONTINUES + self._close
        self._begun: set[int] = set()

    def start(self, started: Started) -> bytes:
        if self._running is not None:
            self._close = self._running.start(started)
        return b""

    def deltas(self, batch: Iterable[Delta]) -> bytes:
        return b"".join([self._delta(delta) for delta in batch])

    def end(self, stream: Stream) -> bytes:
        if not self._include_usage:
            return sse.DONE
        return sse.data({**self._head, "choices": [], "usage": usage_object(stream.usage)}) + sse.DONE

    def failed(self, problem: Problem) -> bytes:
        return sse.data(openai_error(problem))

    def _delta(self, delta: Delta) -> bytes:
        index = b"%d" % delta.index
        before = self._close
        if self._running is not None:
            self._close = self._running.close(delta)
            self._text_close = b"}" + _CONTINUES + self._close
        if (
            delta.text
            and delta.index in self._begun
            and delta.finish is None
            and not (delta.reasoning or delta.tool_calls or delta.logprobs)
        ):
            return self._open + index + _TEXT + one_line_json(delta.text) + self._text_close
        return b"".join(self._pieces(delta, index, before))

    def _pieces(self, delta: Delta, index: bytes, before: bytes) -> Iterable[bytes]:
        """``before``: the end of chunks before this delta, whose tokens the role's chunk does not count."""
        if delta.index not in self._begun:
            self._begun.add(delta.index)
            yield self._open + index + _ROLE + _CONTINUES + before
        logprobs = chat_logprobs(delta.logprobs) if delta.logprobs else None
        for fields in _fields(delta, bool(logprobs)):
            yield self._chunk(index, fields, logprobs, None)
            logprobs = None
        if delta.finish is not None:
            yield self._chunk(index, {}, None, delta.finish)

    def _chunk(self, index: bytes, fields: Any, logprobs: Any, finish: FinishReason | None) -> bytes:
        reason = "stop" if finish is FinishReason.CANCELLED else finish
        rest = one_line_json({"delta": fields, "logprobs": logprobs, "finish_reason": reason})
        return self._open + index + b"," + rest[1:] + self._close


def _fields(delta: Delta, even_if_empty: bool) -> list[dict[str, Any]]:
    """The ``delta`` objects that one ``Delta`` makes: reasoning, text, tool calls, in this order."""
    found: list[dict[str, Any]] = []
    if delta.reasoning:
        found.append({"reasoning": delta.reasoning, "reasoning_content": delta.reasoning})
    if delta.text:
        found.append({"content": delta.text})
    if delta.tool_calls:
        found.append({"tool_calls": [_call(piece) for piece in delta.tool_calls]})
    if not found and even_if_empty:
        found.append({"content": ""})
    return found


def _call(piece: ToolCallDelta) -> dict[str, Any]:
    """The first piece of a call carries its id and name."""
    if not piece.name:
        return {"index": piece.index, "function": {"arguments": piece.arguments}}
    function = {"name": piece.name, "arguments": piece.arguments}
    return {"index": piece.index, "id": piece.id, "type": "function", "function": function}
