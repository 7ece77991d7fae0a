"""``POST /v1/messages`` and ``POST /v1/messages/count_tokens``."""

from __future__ import annotations

from aiohttp import web
from msgspec.structs import replace

from mlxr.api import server_tools
from mlxr.api.capabilities import require_reasoning
from mlxr.api.gateway import Gateway
from mlxr.api.model_defaults import with_model_defaults, with_option_defaults
from mlxr.api.parameters import seed, stop_strings
from mlxr.http.adapters import adapters_of
from mlxr.http.anthropic.conversation import chat_prompt, constraint, left_out_blocks, left_out_tools
from mlxr.http.anthropic.events import PING, MessageEvents
from mlxr.http.anthropic.schema import Conversation, Count, CountRequest, MessagesRequest
from mlxr.http.json_response import json_response
from mlxr.http.services import Services, note_ignored, note_unheld
from mlxr.http.settings import ServerSettings
from mlxr.http.stream import respond
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.tokenizer import ChatPrompt, Generate, Tokenize


async def messages(services: Services, body: MessagesRequest, request: web.Request) -> web.StreamResponse:
    command = await services.prepare(request, to_generate, body, services.gateway, services.settings)
    note_ignored(request, left_out(body, services.gateway))
    events = MessageEvents(body)
    async with services.gateway.generate(body.model, command, surface="anthropic") as stream:
        await note_unheld(request, stream)
        if body.stream:
            return await respond(request, stream, events, ping=PING)
        return json_response(events.whole(await stream.rest(), stream.usage))


async def count_tokens(services: Services, body: CountRequest, request: web.Request) -> web.Response:
    prompt = await services.prepare(request, model_prompt, body, services.gateway, services.settings)
    note_ignored(request, left_out(body, services.gateway))
    made = await services.gateway.tokenize(body.model, Tokenize(0, prompt), surface="anthropic")
    return json_response(Count(input_tokens=made.count))


def model_prompt(body: Conversation, gateway: Gateway, settings: ServerSettings) -> ChatPrompt:
    entry = gateway.find(body.model)
    prompt = chat_prompt(body, settings)
    if idle_effort(body, entry):
        prompt = replace(prompt, reasoning_effort=None)
    require_reasoning(prompt.reasoning_effort, entry, "thinking" if body.thinking else "output_config.effort")
    return with_model_defaults(prompt, entry)


def idle_effort(body: Conversation, entry: ModelEntry | None) -> bool:
    """Whether an effort has nothing to act on: whether to think is left to a model that can't. Agents send theirs to
    any model."""
    thinks = entry is None or "thinking" in entry.info.capabilities
    left = body.thinking is None or body.thinking.type in ("adaptive", "between_tools")
    return not thinks and left and body.output_config is not None and body.output_config.effort is not None


def left_out(body: Conversation, gateway: Gateway) -> list[str]:
    """Returns the places of what the answer takes no account of, though it is known here."""
    effort = ["output_config.effort"] if idle_effort(body, gateway.find(body.model)) else []
    return [*effort, *server_tools.field_names(left_out_tools(body)), *left_out_blocks(body)]


def to_generate(body: MessagesRequest, gateway: Gateway, settings: ServerSettings) -> Generate:
    """Raises ``RequestError`` naming the field that can't be had."""
    configured = body.output_config.format if body.output_config else None
    made = constraint(body.output_format or configured)
    field = "output_format" if body.output_format else "output_config.format"
    command = Generate(
        request=0,
        prompt=model_prompt(body, gateway, settings),
        sampling=Sampling(
            temperature=1.0 if body.temperature is None else body.temperature,
            top_k=body.top_k or None,
            top_p=1.0 if body.top_p is None else body.top_p,
            seed=seed(None),
        ),
        max_tokens=body.max_tokens,
        stop_strings=stop_strings(body.stop_sequences, settings.max_stop),
        constraint=made and replace(made, field=field),
        adapters=adapters_of(body.adapters),
        most_drafted=body.most_drafted,
        draft_model=body.draft_model,
    )
    return with_option_defaults(command, body, gateway.find(body.model))
