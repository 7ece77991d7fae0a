"""Ollama's answers to ``/api/generate`` and ``/api/chat``: newline-delimited JSON, or one object."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from mlxr.api.aggregate import Choice
from mlxr.api.durations import nanoseconds, rfc3339
from mlxr.api.gateway import Stream
from mlxr.api.one_line_json import one_line_json
from mlxr.api.tools import arguments_object
from mlxr.http.errors import Problem
from mlxr.http.logprobs import chat_logprobs
from mlxr.http.ollama.errors import ollama_error
from mlxr.http.stream import NDJSON
from mlxr.runtime.messages.common import FinishReason, TextLogprob
from mlxr.runtime.messages.frontend import Delta, Started
from mlxr.runtime.messages.tokenizer import ToolCall

MakeFields = Callable[[str, str, list[dict[str, Any]]], dict[str, Any]]
"""Text, thinking and tool calls as the fields of one route's lines."""


def generate_fields(text: str, thinking: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    fields: dict[str, Any] = {"response": text}
    if thinking:
        fields["thinking"] = thinking
    if calls:
        fields["tool_calls"] = calls
    return fields


def chat_fields(text: str, thinking: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


class AnswerLines:
    """Encodes one request's stream. A tool call goes out once it is complete, as Ollama's clients expect."""

    content_type = NDJSON

    def __init__(self, model: str, make_fields: MakeFields, began: float, with_context: bool) -> None:
        self._model = model
        self._fields = make_fields
        self._began = began
        self._with_context = with_context
        self._whole = Choice()
        self._calls_sent = 0

    def start(self, started: Started) -> bytes:
        return b""

    def deltas(self, batch: Iterable[Delta]) -> bytes:
        return b"".join([self._line(delta) for delta in batch])

    def end(self, stream: Stream) -> bytes:
        calls = self._complete_calls(None)
        before = self._encode({**self._fields("", "", calls), "done": False}) if calls else b""
        return before + self._encode({**self._fields("", "", []), **self.last(stream)})

    def failed(self, problem: Problem) -> bytes:
        return one_line_json(ollama_error(problem)) + b"\n"

    def whole(self, deltas: Iterable[Delta], stream: Stream) -> dict[str, Any]:
        """Returns the single object of a request that does not stream."""
        for delta in deltas:
            self._whole.add(delta)
        fields = self._fields(self._whole.text, self._whole.reasoning, self._complete_calls(None))
        return {**self._head(), **fields, **_logprobs(self._whole.logprobs), **self.last(stream)}

    def last(self, stream: Stream) -> dict[str, Any]:
        """Returns what the closing object carries; durations in nanoseconds, at least 1."""
        usage = stream.usage
        fields: dict[str, Any] = {
            "done": True,
            "done_reason": "length" if self._whole.finish is FinishReason.LENGTH else "stop",
            "total_duration": nanoseconds(time.monotonic() - self._began),
            "load_duration": nanoseconds(stream.load_seconds),
            "prompt_eval_count": usage.prompt_tokens,
            # Ours: of those, what was found computed already.
            "prompt_cached_count": usage.cached_tokens,
            "prompt_eval_duration": nanoseconds(usage.prefill_seconds),
            "eval_count": usage.completion_tokens,
            "eval_duration": nanoseconds(usage.decode_seconds),
        }
        if usage.drafted_tokens:
            # Ours: of drafts, what was verified, and what of that was right.
            fields |= {"draft_count": usage.drafted_tokens, "draft_accepted_count": usage.accepted_tokens}
        if self._with_context:
            fields["context"] = stream.tokens
        return fields

    def _line(self, delta: Delta) -> bytes:
        self._whole.add(delta)
        # All calls but the newest are complete.
        calls = self._complete_calls(-1) if delta.tool_calls else []
        if not (delta.text or delta.reasoning or calls or delta.logprobs):
            return b""
        fields = self._fields(delta.text, delta.reasoning, calls)
        return self._encode({**fields, **_logprobs(delta.logprobs), "done": False})

    def _complete_calls(self, end: int | None) -> list[dict[str, Any]]:
        """Returns the calls before ``end`` that were not returned yet, each with its number in the whole answer."""
        first = self._calls_sent
        calls = self._whole.tool_calls[first:end]
        self._calls_sent += len(calls)
        return [_call(index, call) for index, call in enumerate(calls, first)]

    def _encode(self, fields: dict[str, Any]) -> bytes:
        return one_line_json({**self._head(), **fields}) + b"\n"

    def _head(self) -> dict[str, Any]:
        return {"model": self._model, "created_at": rfc3339(time.time())}


def load_answer(model: str, make_fields: MakeFields, reason: str) -> dict[str, Any]:
    """Returns the answer to an empty prompt, which loads or unloads the model."""
    return {
        "model": model,
        "created_at": rfc3339(time.time()),
        **make_fields("", "", []),
        "done": True,
        "done_reason": reason,
    }


def _call(index: int, call: ToolCall) -> dict[str, Any]:
    """Arguments are an object here, where OpenAI has a string. The number stands in the function, as Ollama has it, and
    beside it, where LiteLLM looks for it."""
    arguments = arguments_object(call.arguments)
    return {"id": call.id, "index": index, "function": {"index": index, "name": call.name, "arguments": arguments}}


def _logprobs(tokens: list[TextLogprob]) -> dict[str, Any]:
    return {"logprobs": chat_logprobs(tokens)["content"]} if tokens else {}
