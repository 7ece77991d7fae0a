"""What is asked about chats goes to their actor as it is, and what it says comes back as it is."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from mlxr.http.keepalive import keepalive
from mlxr.http.services import Handler, Services
from mlxr.http.stream import SSE, open_response

PING = b": \n\n"


def asks(operation: str) -> Handler:
    """Returns a handler that has the actor do ``operation``."""

    async def handle(services: Services, body: Any, request: web.Request) -> web.StreamResponse:
        path = {**request.query, **request.match_info}
        raw = b"{}" if body is None else msgspec.json.encode(body)
        made = await services.gateway.chats.ask(operation, path, raw)
        return web.Response(body=made, content_type="application/json")

    return handle


async def follow(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    """Stream what happens in a chat, or in the list where the path names none."""
    chat, after = request.match_info.get("chat", ""), request.headers.get("Last-Event-ID", "")
    async with services.gateway.chats.follow(chat, after) as follower:
        data = await follower.next()
        response = await open_response(request, SSE)
        with keepalive(response, PING):
            while data is not None:
                if not response.put(data):
                    await response.drained()
                data = await follower.next()
        await response.write_eof()
    return response
