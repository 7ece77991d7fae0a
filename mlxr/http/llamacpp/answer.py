"""llama.cpp's answers to ``/completion`` and ``/infill``: one object, or events, the last of which has statistics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mlxr.api import sse
from mlxr.api.aggregate import Choice
from mlxr.api.gateway import Stream
from mlxr.http.errors import Problem
from mlxr.http.llamacpp.errors import llamacpp_error
from mlxr.http.llamacpp.schema import CompletionRequest, SamplerFields
from mlxr.http.llamacpp.token_probs import token_probs
from mlxr.http.stream import SSE
from mlxr.runtime.messages.common import FinishReason, TextLogprob, Usage
from mlxr.runtime.messages.frontend import Delta, Started
from mlxr.runtime.messages.tokenizer import Generate


class CompletionEvents:
    """Encodes one request's stream; ``whole`` makes the object of one that doesn't stream."""

    content_type = SSE

    def __init__(self, body: SamplerFields, command: Generate) -> None:
        self._body = body
        self._command = command
        self._choice = Choice()
        self._made = 0
        self._read = 0
        self._ids: list[int] = []

    def start(self, started: Started) -> bytes:
        self._read = started.prompt_tokens
        return b""

    def deltas(self, batch: Iterable[Delta]) -> bytes:
        return b"".join([self._event(delta) for delta in batch])

    def end(self, stream: Stream) -> bytes:
        return sse.data(self._last("", stream.usage))

    def failed(self, problem: Problem) -> bytes:
        return sse.data(llamacpp_error(problem))

    def whole(self, deltas: Iterable[Delta], usage: Usage) -> dict[str, Any]:
        for delta in deltas:
            self._choice.add(delta)
            self._ids += delta.ids
        return self._last(self._choice.text, usage)

    def _event(self, delta: Delta) -> bytes:
        self._choice.add(delta)
        self._made += delta.tokens
        if not (delta.text or delta.logprobs or (delta.ids and delta.finish is None)):
            return b""
        piece = {
            "index": 0,
            "content": delta.text,
            "tokens": delta.ids,
            "stop": False,
            "id_slot": -1,
            "tokens_predicted": self._made,
            "tokens_evaluated": self._read,
        }
        return sse.data({**piece, **_probabilities(delta.logprobs)})

    def _last(self, content: str, usage: Usage) -> dict[str, Any]:
        prompt = self._body.prompt if isinstance(self._body, CompletionRequest) else ""
        made = {
            "index": 0,
            "content": content,
            "tokens": [] if self._body.stream else self._ids,
            "id_slot": -1,
            "stop": True,
            "model": self._body.model,
            "tokens_predicted": usage.completion_tokens,
            "tokens_evaluated": usage.prompt_tokens,
            "generation_settings": settings_object(self._command),
            "prompt": prompt if isinstance(prompt, str) else "",
            "has_new_line": "\n" in self._choice.text,
            "truncated": False,
            "stop_type": _stop_type(self._choice),
            "stopping_word": self._choice.stop or "",
            "tokens_cached": usage.prompt_tokens + usage.completion_tokens,
            "timings": timings_object(usage),
        }
        if not self._body.stream:
            made |= _probabilities(self._choice.logprobs)
        wanted = self._body.response_fields
        return selected(made, wanted) if wanted else made


def settings_object(command: Generate) -> dict[str, Any]:
    """Returns what an answer was made with."""
    sampling = command.sampling
    return {
        "n_predict": -1 if command.max_tokens is None else command.max_tokens,
        "seed": sampling.seed,
        "temperature": sampling.temperature,
        "top_k": sampling.top_k or 0,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "typical_p": sampling.typical_p,
        "repeat_last_n": sampling.penalty_window or 0,
        "repeat_penalty": sampling.repetition_penalty,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": command.stop_strings,
        "ignore_eos": command.ignore_eos,
    }


def timings_object(usage: Usage) -> dict[str, Any]:
    """Returns how long the prompt and the output took, in milliseconds and tokens a second."""
    read = usage.prompt_tokens - usage.cached_tokens
    return {
        "cache_n": usage.cached_tokens,
        **_timing("prompt", read, usage.prefill_seconds),
        **_timing("predicted", usage.completion_tokens, usage.decode_seconds),
    }


def _timing(name: str, tokens: int, seconds: float) -> dict[str, float]:
    return {
        f"{name}_n": tokens,
        f"{name}_ms": seconds * 1e3,
        f"{name}_per_token_ms": seconds * 1e3 / max(1, tokens),
        f"{name}_per_second": tokens / seconds if seconds > 0 else 0.0,
    }


def _probabilities(tokens: list[TextLogprob]) -> dict[str, Any]:
    return {"completion_probabilities": token_probs(tokens)} if tokens else {}


def _stop_type(choice: Choice) -> str:
    if choice.finish is FinishReason.LENGTH:
        return "limit"
    return "eos" if choice.stop is None else "word"


def selected(made: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Returns what ``made`` has at ``paths``, each under the whole of its path; those that are not there are left
    out."""
    found: dict[str, Any] = {}
    for path in paths:
        value: Any = made
        for name in path.split("/"):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            found[path] = value
    return found
