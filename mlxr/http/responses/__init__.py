"""``POST /v1/responses``, and how many tokens such a request has."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec.structs import replace

from mlxr.api import server_tools
from mlxr.api.caller import CALLER
from mlxr.http.json_response import json_response
from mlxr.http.model_request import with_model
from mlxr.http.responses.conversation import model_prompt, searches, to_generate, unseen
from mlxr.http.responses.events import ResponseEvents
from mlxr.http.responses.functions import left_out_tools
from mlxr.http.responses.items import Items, ResponseObject
from mlxr.http.responses.references import ClientItems, with_items
from mlxr.http.responses.schema import InputFields, InputTokens, InputTokensRequest, ResponsesRequest
from mlxr.http.services import Route, Services, note_ignored, note_unheld
from mlxr.http.stream import SSE, respond
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.tokenizer import Tokenize


async def responses(services: Services, body: ResponsesRequest, request: web.Request) -> web.StreamResponse:
    items = ClientItems(services.recent, CALLER.get().name)
    body = with_items(with_model(body, services.gateway), items)
    command = await services.prepare(request, to_generate, body, services.gateway, services.settings)
    note_ignored(request, _left_out(body))
    keep = items.keep if body.store is not False else _keep_nothing
    events = ResponseEvents(ResponseObject(body, command), Items(body), keep)
    try:
        async with services.gateway.generate(body.model, command, surface="openai") as stream:
            await note_unheld(request, stream)
            if body.stream:
                return await respond(request, stream, events)
            return json_response(events.whole(await stream.rest(), stream.usage))
    except RequestError as error:
        # What is a conversation everywhere else is the input here.
        if error.info.param != "messages":
            raise
        raise RequestError(replace(error.info, param="input")) from error


async def input_tokens(services: Services, body: InputTokensRequest, request: web.Request) -> web.Response:
    items = ClientItems(services.recent, CALLER.get().name)
    body = with_items(with_model(body, services.gateway), items)
    prompt = await services.prepare(request, model_prompt, body, services.gateway, services.settings)
    note_ignored(request, _left_out(body))
    made = await services.gateway.tokenize(body.model, Tokenize(0, prompt), surface="openai")
    return json_response(InputTokens(input_tokens=made.count))


def _keep_nothing(output: list[dict[str, Any]]) -> None:
    """Is called in the place of ``ClientItems.keep``."""


def _left_out(body: InputFields) -> list[str]:
    """Returns the places of what is taken no account of, though it is known here."""
    tools = server_tools.field_names(left_out_tools(body.tools or []))
    return [*tools, *(f"input.{at}" for at in searches(body)), *unseen(body)]


_ROUTES = (
    Route(
        "POST", "/v1/responses", responses, "Answer a conversation", takes=ResponsesRequest, streams=SSE, tag="openai"
    ),
    Route(
        "POST",
        "/v1/responses/input_tokens",
        input_tokens,
        "How many tokens a conversation has",
        takes=InputTokensRequest,
        gives=InputTokens,
        tag="openai",
    ),
)

ROUTES = (*_ROUTES, *(route.without_version() for route in _ROUTES))
