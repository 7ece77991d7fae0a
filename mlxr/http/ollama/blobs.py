"""``HEAD`` and ``POST /api/blobs/:digest``: files for ``create``, streamed to where the registry keeps them."""

from __future__ import annotations

from aiohttp import web

from mlxr.http.errors import HttpError, Problem
from mlxr.http.services import Services

PIECE = 1 << 20
"""Bytes handed on at a time."""


async def has_blob(services: Services, body: None, request: web.Request) -> web.Response:
    known = await services.blobs.has(request.match_info["digest"])
    return web.Response(status=200 if known else 404)


async def put_blob(services: Services, body: None, request: web.Request) -> web.Response:
    digest = request.match_info["digest"]
    if await services.blobs.has(digest):
        return web.Response()
    # The body is read as it comes: the limit on requests' size is not for these.
    length = request.content_length or 0
    if length < 0:
        raise HttpError(Problem(400, "Content-Length is negative"))
    await services.blobs.save(digest, length, request.content.iter_chunked(PIECE))
    return web.Response(status=201)
