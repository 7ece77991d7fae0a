"""``POST /v1/responses``."""

from __future__ import annotations

from aiohttp import web
from msgspec.structs import replace

from mlxr.api import server_tools
from mlxr.http.json_response import json_response
from mlxr.http.model_request import with_model
from mlxr.http.responses.conversation import searches, to_generate
from mlxr.http.responses.events import ResponseEvents
from mlxr.http.responses.functions import left_out_tools
from mlxr.http.responses.items import Items, ResponseObject
from mlxr.http.responses.schema import ResponsesRequest
from mlxr.http.services import Route, Services, note_ignored, note_unheld
from mlxr.http.stream import SSE, respond
from mlxr.runtime.errors import RequestError


async def responses(services: Services, body: ResponsesRequest, request: web.Request) -> web.StreamResponse:
    body = with_model(body, services.gateway)
    command = await services.prepare(request, to_generate, body, services.gateway, services.settings)
    note_ignored(
        request,
        [*server_tools.field_names(left_out_tools(body.tools or [])), *(f"input.{at}" for at in searches(body))],
    )
    events = ResponseEvents(ResponseObject(body, command), Items(body))
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


_ROUTE = Route(
    "POST", "/v1/responses", responses, "Answer a conversation", takes=ResponsesRequest, streams=SSE, tag="openai"
)

ROUTES = (_ROUTE, _ROUTE.without_version())
