"""``POST /v1/completions``: each prompt of a request is a ``Generate`` of its own; choices count on over prompts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Any

from aiohttp import web

from mlxr.api import sse
from mlxr.api.aggregate import Choice, add_usage, aggregate
from mlxr.api.durations import keep_alive_seconds
from mlxr.api.errors import invalid, unsupported
from mlxr.api.gateway import Stream
from mlxr.api.model_defaults import with_option_defaults
from mlxr.api.parallel import MAX_CONCURRENT, map_concurrently
from mlxr.api.parameters import choice_count, stop_strings, unlimited
from mlxr.http.adapters import adapters_of
from mlxr.http.errors import problem_of
from mlxr.http.ids import new_id
from mlxr.http.json_response import json_response
from mlxr.http.keepalive import comments
from mlxr.http.model_request import with_model
from mlxr.http.openai.completions_stream import CompletionChunks, Echo, echo_of
from mlxr.http.openai.errors import openai_error
from mlxr.http.openai.parameters import (
    MAX_STOP,
    check_stream_options,
    constraint,
    fingerprint,
    sampling,
    usages,
    with_one_penalty,
)
from mlxr.http.openai.prompts import check_lengths, context_of, prompts_of
from mlxr.http.openai.schema import CompletionRequest
from mlxr.http.openai.usage import usage_object
from mlxr.http.services import Services, note_unheld
from mlxr.http.settings import ServerSettings
from mlxr.http.stream import SSE, open_response, pump
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import FinishReason, Usage
from mlxr.runtime.messages.tokenizer import FillPrompt, Generate, TextPrompt, TokenPrompt

DEFAULT_MAX_TOKENS = 16
"""OpenAI's own default for this route."""


async def completions(services: Services, body: CompletionRequest, request: web.Request) -> web.StreamResponse:
    body = with_one_penalty(with_model(body, services.gateway))
    entry = services.gateway.find(body.model)
    asked = await services.prepare(request, to_generates, body, services.settings, context_of(entry))
    commands = [with_option_defaults(command, body, entry) for command in asked]
    head = {
        "id": new_id("cmpl-"),
        "object": "text_completion",
        "created": int(time.time()),
        "model": body.model,
        "system_fingerprint": fingerprint(services.gateway, body.model),
    }
    if body.stream:
        return await _streamed(services, body, commands, head, request)

    async def one(command: Generate) -> tuple[list[dict[str, Any]], Usage]:
        return await _complete(services, body, command, request)

    answers = await map_concurrently(one, commands)
    made = [{**choice, "index": index} for index, choice in enumerate(c for found, _ in answers for c in found)]
    usage = usage_object(add_usage(usage for _, usage in answers))
    return json_response({**head, "choices": made, "usage": usage})


def to_generates(body: CompletionRequest, settings: ServerSettings, context: int | None = None) -> list[Generate]:
    """One command a prompt; raises ``RequestError`` naming the field that can't be had. ``context``: tokens that the
    model takes, None if that is not known."""
    check_stream_options(body)
    n = choice_count(body.n, settings.max_choices)
    best_of = choice_count(body.best_of or n, settings.max_choices, "best_of")
    if best_of < n:
        raise invalid(f"`best_of` ({best_of}) must not be below `n` ({n})", "best_of")
    if best_of > n and body.stream:
        raise invalid("`best_of` above `n` can't be streamed", "best_of")
    prompts = _prompts(body)
    check_lengths(prompts, context, "prompt")
    if len(prompts) > settings.max_prompts:
        raise invalid(f"`prompt` has {len(prompts)} prompts; at most {settings.max_prompts} are taken", "prompt")
    if len(prompts) * best_of > (most := max(settings.max_prompts, settings.max_choices)):
        message = (
            f"`prompt` has {len(prompts)} prompts of {best_of} choices each; at most {most} choices are made at once"
        )
        raise invalid(message, "best_of" if best_of > n else "n")
    ranked = best_of > n
    settings_of_all = sampling(body, body.logprobs or 0 if ranked else body.logprobs)
    return [
        Generate(
            request=0,
            prompt=prompt,
            sampling=settings_of_all,
            n=best_of,
            max_tokens=_max_tokens(body),
            unlimited=unlimited(body.max_tokens),
            stop_strings=stop_strings(body.stop, MAX_STOP),
            stop_tokens=body.stop_token_ids or [],
            ignore_eos=bool(body.ignore_eos),
            constraint=constraint(body),
            echo=bool(body.echo),
            prompt_logprobs=body.logprobs if body.echo else None,
            split_reasoning=False,
            priority=body.priority or 0,
            adapters=adapters_of(body.adapters),
            most_drafted=body.most_drafted,
            draft_model=body.draft_model,
        )
        for prompt in prompts
    ]


def _max_tokens(body: CompletionRequest) -> int | None:
    """Returns how many tokens there may be, None for any number; 0 scores a prompt."""
    if body.max_tokens is None:
        return DEFAULT_MAX_TOKENS
    return body.max_tokens if body.max_tokens >= 0 else None


def _prompts(body: CompletionRequest) -> Sequence[TextPrompt | TokenPrompt | FillPrompt]:
    if not body.suffix:
        return prompts_of(body.prompt, "prompt", body.add_special_tokens is not False)
    if body.echo:
        raise unsupported("echo", "it can't go with `suffix`")
    prompts = prompts_of(body.prompt, "prompt")
    texts = [prompt.text for prompt in prompts if isinstance(prompt, TextPrompt)]
    if len(texts) != len(prompts):
        raise invalid("`suffix` needs prompts of text", "prompt")
    return [FillPrompt(text, body.suffix) for text in texts]


async def _complete(
    services: Services, body: CompletionRequest, command: Generate, request: web.Request
) -> tuple[list[dict[str, Any]], Usage]:
    """The finished choices of one prompt, without their index."""
    keep_alive = keep_alive_seconds(body.keep_alive)
    async with services.gateway.generate(body.model, command, surface="openai", keep_alive=keep_alive) as stream:
        await note_unheld(request, stream)
        made = aggregate(await stream.rest(), command.n)
        n = body.n or 1
        if command.n > n:
            made = sorted(made, key=Choice.mean_logprob, reverse=True)[:n]
        echo = echo_of(await stream.started(), stream.prompt_logprobs()) if body.echo else None
        return [_choice(choice, echo, body.logprobs is not None) for choice in made], stream.usage


def _choice(choice: Choice, echo: Echo | None, logprobs: bool) -> dict[str, Any]:
    echo = echo or Echo("", [], [])
    finish = FinishReason.STOP if choice.finish is FinishReason.CANCELLED else choice.finish
    return {
        "text": echo.text + choice.text,
        "logprobs": echo.logprobs(choice.logprobs) if logprobs else None,
        "finish_reason": finish.value,
    }


async def _streamed(
    services: Services, body: CompletionRequest, commands: list[Generate], head: dict[str, Any], request: web.Request
) -> web.StreamResponse:
    """Answers all prompts on one response, chunks mixed as they come. The first ``MAX_CONCURRENT`` are in the queue, or
    refused with a status of their own, before it begins; the others follow as those end."""
    include_usage, running = usages(body.stream_options)
    keep_alive = keep_alive_seconds(body.keep_alive)

    def opened(command: Generate) -> AbstractAsyncContextManager[Stream]:
        return services.gateway.generate(body.model, command, surface="openai", keep_alive=keep_alive)

    async with AsyncExitStack() as stack:
        first = [await stack.enter_async_context(opened(command)) for command in commands[:MAX_CONCURRENT]]
        for stream in first:
            await note_unheld(request, stream)
        response = await open_response(request, SSE)

        async def one(numbered: tuple[int, Generate]) -> Usage | None:
            index, command = numbered
            try:
                async with nullcontext(first[index]) if index < len(first) else opened(command) as stream:
                    wanted = bool(body.echo), body.logprobs is not None, include_usage, running
                    encoder = CompletionChunks(head, index * (body.n or 1), stream, *wanted)
                    return stream.usage if await pump(stream, encoder, response) else None
            except RequestError as error:
                # No longer taken in; the status is out already.
                await response.write(sse.data(openai_error(problem_of(error.info))))
                return None

        with comments(response, body.sse_ping_interval):
            found = await map_concurrently(one, list(enumerate(commands)))
        made = [usage for usage in found if usage is not None]
        if len(made) == len(commands):
            if include_usage:
                usage = usage_object(add_usage(made))
                await response.write(sse.data({**head, "choices": [], "usage": usage}))
            await response.write(sse.DONE)
        await response.write_eof()
        return response
