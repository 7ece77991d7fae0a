"""The handlers: each asks the monitor, and passes on what it says."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aiohttp import web

from mlxr.api import sse
from mlxr.api.errors import invalid
from mlxr.api.monitor import CancelledRequest
from mlxr.api.one_line_json import one_line
from mlxr.api.whole_numbers import whole_number
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.http.stream import relay
from mlxr.http.ui.telemetry.queries import last_event_id, logs_query, metrics_query, requests_query
from mlxr.runtime.messages.frontend import MonitorEvent
from mlxr.runtime.messages.monitor import ActorsQuery, MonitorQuery

PING = b": ping\n\n"
BEGIN = b"retry: 1000\n\n"


async def metrics(services: Services, body: None, request: web.Request) -> web.Response:
    return await _read(services, metrics_query(request))


async def metrics_events(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    return await _follow(services, request, metrics_query(request))


async def requests(services: Services, body: None, request: web.Request) -> web.Response:
    return await _read(services, requests_query(request))


async def requests_events(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    return await _follow(services, request, requests_query(request))


async def cancel_request(services: Services, body: None, request: web.Request) -> web.Response:
    if (id := whole_number(request.match_info["id"])) is None:
        raise invalid("the id of a request is a number, as /api/ui/requests tells it", "id")
    services.gateway.cancel(id)
    return json_response(CancelledRequest(id))


async def logs(services: Services, body: None, request: web.Request) -> web.Response:
    return await _read(services, logs_query(request))


async def logs_events(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    return await _follow(services, request, logs_query(request))


async def actors(services: Services, body: None, request: web.Request) -> web.Response:
    return await _read(services, ActorsQuery())


async def kill_executor(services: Services, body: None, request: web.Request) -> web.Response:
    answer = await services.gateway.monitor.kill_executor(request.query.get("engine", "")[:200])
    return web.Response(body=answer, content_type="application/json")


async def _read(services: Services, query: MonitorQuery) -> web.Response:
    return web.Response(body=await services.gateway.monitor.read(query), content_type="application/json")


async def _follow(services: Services, request: web.Request, query: MonitorQuery) -> web.StreamResponse:
    """Streams events until the client or the server ends; who comes again says what it has read."""
    return await relay(request, _events(services, query, last_event_id(request)), PING)


async def _events(services: Services, query: MonitorQuery, after: int | None) -> AsyncGenerator[bytes]:
    yield BEGIN
    async with aclosing(services.gateway.monitor.follow(query, after)) as batches:
        async for events in batches:
            yield b"".join(map(_written, events))


def _written(event: MonitorEvent) -> bytes:
    return sse.written(event.name, one_line(event.body), str(event.id))
