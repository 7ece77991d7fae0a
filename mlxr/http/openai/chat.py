"""``POST /v1/chat/completions``."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web
from msgspec.structs import replace

from mlxr.api.aggregate import Choice, aggregate
from mlxr.api.capabilities import require_reasoning
from mlxr.api.durations import keep_alive_seconds
from mlxr.api.errors import invalid
from mlxr.api.model_defaults import with_model_defaults, with_option_defaults
from mlxr.api.parameters import choice_count, stop_strings, token_limit, unlimited
from mlxr.http.adapters import adapters_of
from mlxr.http.ids import new_id
from mlxr.http.json_response import json_response
from mlxr.http.logprobs import chat_logprobs
from mlxr.http.model_request import with_model
from mlxr.http.openai.chat_stream import ChatChunks
from mlxr.http.openai.conversation import chat_prompt
from mlxr.http.openai.parameters import (
    MAX_STOP,
    check_stream_options,
    constraint,
    fingerprint,
    sampling,
    usages,
    with_one_penalty,
)
from mlxr.http.openai.schema import ChatRequest
from mlxr.http.openai.usage import usage_object
from mlxr.http.services import Services, note_unheld
from mlxr.http.settings import ServerSettings
from mlxr.http.stream import respond
from mlxr.runtime.messages.common import FinishReason, Usage
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate, ToolCall

MOST_PREDICTED = 65_536
"""Characters of a prediction that are looked at."""


async def chat_completions(services: Services, body: ChatRequest, request: web.Request) -> web.StreamResponse:
    body = with_one_penalty(with_model(body, services.gateway))
    command = await services.prepare(request, to_generate, body, services.settings)
    assert isinstance(command.prompt, ChatPrompt)
    entry = services.gateway.find(body.model)
    field = "reasoning_effort" if body.reasoning is None else "reasoning"
    require_reasoning(command.prompt.reasoning_effort, entry, field)
    command = replace(command, prompt=with_model_defaults(command.prompt, entry))
    command = with_option_defaults(command, body, entry)
    keep_alive = keep_alive_seconds(body.keep_alive)
    head = {
        "id": new_id("chatcmpl-"),
        "object": "chat.completion.chunk" if body.stream else "chat.completion",
        "created": int(time.time()),
        "model": body.model,
    }
    async with services.gateway.generate(body.model, command, surface="openai", keep_alive=keep_alive) as stream:
        await note_unheld(request, stream)
        head["system_fingerprint"] = fingerprint(services.gateway, body.model)
        if body.stream:
            chunks = ChatChunks(head, *usages(body.stream_options))
            return await respond(request, stream, chunks, interval=body.sse_ping_interval)
        made = aggregate(await stream.rest(), command.n)
        return json_response(completion(head, made, stream.usage, bool(body.logprobs)))


def to_generate(body: ChatRequest, settings: ServerSettings) -> Generate:
    """Raises ``RequestError`` naming the field that can't be had."""
    if body.top_logprobs is not None and not body.logprobs:
        raise invalid("`top_logprobs` needs `logprobs`: true", "top_logprobs")
    check_stream_options(body)
    limit, field = _limit(body)
    return Generate(
        request=0,
        prompt=chat_prompt(body, settings.max_messages),
        sampling=sampling(body, (body.top_logprobs or 0) if body.logprobs else None),
        n=choice_count(body.n, settings.max_choices),
        max_tokens=token_limit(limit, field),
        unlimited=unlimited(limit),
        stop_strings=stop_strings(body.stop, MAX_STOP),
        stop_tokens=body.stop_token_ids or [],
        ignore_eos=bool(body.ignore_eos),
        constraint=constraint(body),
        priority=body.priority or 0,
        adapters=adapters_of(body.adapters),
        most_drafted=body.most_drafted,
        draft_model=body.draft_model,
        prediction=body.prediction.whole[:MOST_PREDICTED] if body.prediction is not None else "",
    )


def _limit(body: ChatRequest) -> tuple[int | None, str]:
    """Returns the limit on tokens that counts, and what the field is called that it is from."""
    if body.max_completion_tokens is not None:
        return body.max_completion_tokens, "max_completion_tokens"
    return body.max_tokens, "max_tokens"


def completion(head: dict[str, Any], made: list[Choice], usage: Usage, logprobs: bool) -> dict[str, Any]:
    return {
        **head,
        "choices": [
            {
                "index": index,
                "message": _message(choice),
                "logprobs": chat_logprobs(choice.logprobs) if logprobs else None,
                "finish_reason": finish_reason(choice.finish),
            }
            for index, choice in enumerate(made)
        ],
        "usage": usage_object(usage),
    }


def finish_reason(finish: FinishReason) -> str:
    return "stop" if finish is FinishReason.CANCELLED else finish.value


def _message(choice: Choice) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": choice.text, "refusal": None}
    if choice.reasoning:
        message["reasoning"] = message["reasoning_content"] = choice.reasoning
    if choice.tool_calls:
        message["content"] = choice.text or None
        message["tool_calls"] = [_call(call) for call in choice.tool_calls]
    return message


def _call(call: ToolCall) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
