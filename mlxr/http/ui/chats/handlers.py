"""What is asked about chats goes to their actor as it is, and what it says comes back as it is."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from aiohttp import web

from mlxr.api.chats.link import Follower
from mlxr.http.request_body.content_encoding import encoding_of, unsupported
from mlxr.http.request_body.receive import body_parts
from mlxr.http.services import Handler, Services
from mlxr.http.stream import relay

PING = b": \n\n"
FILE = "application/octet-stream"
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"})
"""What a browser shows and can't be made to run; SVG can."""


def asks(operation: str) -> Handler:
    """Returns a handler that has the actor do ``operation``."""

    async def handle(services: Services, body: Any, request: web.Request) -> web.StreamResponse:
        path = {**request.query, **request.match_info}
        raw = b"{}" if body is None else msgspec.json.encode(body)
        made = await services.gateway.chats.ask(operation, path, raw)
        return web.Response(body=made, content_type="application/json")

    return handle


def take_file(operation: str) -> Handler:
    """Returns a handler that hands the body on as it is."""

    async def handle(services: Services, body: None, request: web.Request) -> web.StreamResponse:
        parts: list[bytes] = []
        size, limit = 0, services.settings.max_body_bytes
        header = request.headers.get("Content-Encoding", "")
        if encoding_of(header):
            raise unsupported(header, "a file is sent as it is")
        async for part in body_parts(request, services.settings.body_seconds):
            size += len(part)
            if size > limit:
                raise web.HTTPRequestEntityTooLarge(limit, size)
            parts.append(part)
        path = {**request.query, "media_type": request.headers.get("Content-Type", "")}
        made = await services.gateway.chats.ask(operation, path, b"".join(parts))
        return web.Response(body=made, content_type="application/json")

    return handle


async def export(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    """Hands chats out as a file to keep."""
    path = {**request.query, **request.match_info}
    made = await services.gateway.chats.ask("export", path)
    kind, suffix = ("text/markdown", "md") if path.get("format") == "markdown" else ("application/json", "json")
    name = f"mlxr-chat{'' if 'chat' in path else 's'}-{time.strftime('%Y-%m-%d')}.{suffix}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return web.Response(body=made, content_type=kind, charset="utf-8", headers=headers)


async def attachment(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    """Shows an image; hands anything else out as a file, so that no browser runs what is in it."""
    made = await services.gateway.chats.ask("attachment", dict(request.match_info))
    media_type, _, data = made.partition(b"\n")
    shown = media_type.decode() in IMAGES
    headers = {
        "Content-Disposition": "inline" if shown else "attachment",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    kind = media_type.decode() if shown else FILE
    return web.Response(body=data, content_type=kind, headers=headers)


async def follow(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    """Stream what happens in a chat, or in the list where the path names none."""
    chat, after = request.match_info.get("chat", ""), request.headers.get("Last-Event-ID", "")
    # What is no text is no id of ours, and is known as little as any other.
    after = after if after.isascii() else ""
    async with services.gateway.chats.follow(chat, after) as follower:
        # What is refused is so before anything is sent.
        first = await follower.next()
        return await relay(request, _from(first, follower), PING)


async def _from(data: bytes | None, follower: Follower) -> AsyncGenerator[bytes]:
    """Yields ``data`` and all that follows."""
    while data is not None:
        yield data
        data = await follower.next()
