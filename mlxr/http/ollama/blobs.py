"""``HEAD`` and ``POST /api/blobs/:digest``: files for ``create``, streamed to where the registry keeps them."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from mlxr.http.errors import HttpError, Problem
from mlxr.http.request_body.content_encoding import encoding_of, unsupported
from mlxr.http.request_body.receive import body_parts
from mlxr.http.services import Services

PIECE = 1 << 20
"""Bytes handed on at a time, or a little more."""


async def has_blob(services: Services, body: None, request: web.Request) -> web.Response:
    known = await services.blobs.has(request.match_info["digest"])
    return web.Response(status=200 if known else 404)


async def put_blob(services: Services, body: None, request: web.Request) -> web.Response:
    digest = request.match_info["digest"]
    header = request.headers.get("Content-Encoding", "")
    if encoding_of(header):
        raise unsupported(header, "a file is uploaded as it is, since its digest is that of its bytes")
    if await services.blobs.has(digest):
        return web.Response()
    # The body is read as it comes: the limit on requests' size is not for these.
    length = request.content_length
    if length is not None and length < 0:
        raise HttpError(Problem(400, "Content-Length is negative"))
    await services.blobs.save(digest, length, _gathered(body_parts(request, services.settings.body_seconds)))
    return web.Response(status=201)


async def _gathered(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """``parts`` put together to pieces that are worth a thread's while."""
    waiting: list[bytes] = []
    size = 0
    async for part in parts:
        waiting.append(part)
        size += len(part)
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
