"""``POST /completion`` and ``POST /infill``."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from msgspec.structs import replace

from mlxr.api.capabilities import require_capability
from mlxr.api.constraints import grammar, json_schema
from mlxr.api.errors import invalid
from mlxr.api.llama_sampling import llama_sampling
from mlxr.api.model_defaults import with_option_defaults
from mlxr.api.parameters import stop_strings, unlimited
from mlxr.http.adapters import adapters_of
from mlxr.http.json_response import json_response
from mlxr.http.llamacpp.adapters import numbered
from mlxr.http.llamacpp.answer import CompletionEvents
from mlxr.http.llamacpp.schema import CompletionRequest, Extra, InfillRequest, SamplerFields
from mlxr.http.model_request import with_model
from mlxr.http.services import Services, note_unheld
from mlxr.http.settings import ServerSettings
from mlxr.http.stream import respond
from mlxr.runtime.messages.common import Constraint, Sampling
from mlxr.runtime.messages.tokenizer import FillPrompt, Generate, Prompt, TextPrompt, TokenPrompt

NEVER = -10_000.0
"""Is added to the logit of a token that must not come."""

SNIPPET = "\n\n--- snippet ---\n\n"
"""What stands before the text of another file."""


async def completion(services: Services, body: CompletionRequest, request: web.Request) -> web.StreamResponse:
    prompt = TextPrompt(body.prompt) if isinstance(body.prompt, str) else TokenPrompt(body.prompt)
    return await _answer(services, with_model(body, services.gateway), prompt, request)


async def infill(services: Services, body: InfillRequest, request: web.Request) -> web.StreamResponse:
    body = with_model(body, services.gateway)
    require_capability("insert", services.gateway.find(body.model), "input_suffix")
    before = f"{_extras(body.input_extra or [])}{body.input_prefix}{body.prompt or ''}"
    return await _answer(services, body, FillPrompt(before, body.input_suffix), request)


def _extras(extras: Sequence[Extra]) -> str:
    return "".join(f"{SNIPPET}{extra.filename}\n{extra.text}" for extra in extras) + (SNIPPET if extras else "")


async def _answer(services: Services, body: SamplerFields, prompt: Prompt, request: web.Request) -> web.StreamResponse:
    entry = services.gateway.find(body.model)
    command = with_option_defaults(to_generate(body, prompt, services.settings), body, entry)
    named = adapters_of(body.adapters)
    command = replace(command, adapters=[*named, *numbered(services.gateway, body.model, body.lora or [])])
    events = CompletionEvents(body, command)
    async with services.gateway.generate(body.model, command, surface="llamacpp") as stream:
        await note_unheld(request, stream)
        if body.stream:
            return await respond(request, stream, events, interval=body.sse_ping_interval)
        return json_response(events.whole(await stream.rest(), stream.usage))


def to_generate(body: SamplerFields, prompt: Prompt, settings: ServerSettings) -> Generate:
    """Raises ``RequestError`` naming the field that can't be had."""
    return Generate(
        request=0,
        prompt=prompt,
        sampling=_sampling(body),
        max_tokens=body.n_predict if body.n_predict is not None and body.n_predict >= 0 else None,
        unlimited=unlimited(body.n_predict),
        stop_strings=stop_strings(body.stop, settings.max_stop),
        ignore_eos=bool(body.ignore_eos),
        constraint=_constraint(body),
        split_reasoning=False,
        # The pieces of a stream have their tokens' ids, whether asked for or not.
        tracked=bool(body.return_tokens or body.stream),
    )


def _sampling(body: SamplerFields) -> Sampling:
    """llama.cpp's defaults where nothing is given."""
    made = llama_sampling(body, repeat_penalty=body.repetition_penalty, top_p=0.95, min_p=0.05)
    bias = {token: NEVER if bias is False else float(bias) for token, bias in body.logit_bias or []}
    return replace(made, logit_bias=bias, logprobs=body.n_probs or None)


def _constraint(body: SamplerFields) -> Constraint | None:
    if body.json_schema is None:
        made = grammar(body.grammar)
        return made and replace(made, field="grammar")
    if body.grammar:
        raise invalid("`json_schema` and `grammar` exclude each other: the output can have one format", "grammar")
    # What can't be held to of it is left out, and named by the response.
    return replace(json_schema(body.json_schema, "json_schema"), strict=False)
