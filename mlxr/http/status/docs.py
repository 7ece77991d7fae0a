"""``/openapi.json``, and ``/docs``, a page to browse it with that needs nothing from elsewhere."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import msgspec
from aiohttp import web
from anyio import to_thread

from mlxr.http import page_headers
from mlxr.http.openapi import document
from mlxr.http.services import Handler, Route, Services, with_heads


def doc_routes(routes: tuple[Route, ...], errors: dict[str, dict[str, Any]]) -> tuple[Route, ...]:
    """Returns the routes that describe ``routes``, whose errors have the schemas ``errors`` by tag, and themselves. The
    document is made when it is first asked for."""

    @cache
    def encoded() -> bytes:
        return msgspec.json.encode(document(with_heads((*routes, *described)), errors))

    async def openapi(services: Services, body: None, request: web.Request) -> web.Response:
        # Some tens of milliseconds the first time: too long for the loop.
        return web.Response(body=await to_thread.run_sync(encoded), content_type="application/json")

    described = (
        Route("GET", "/openapi.json", openapi, "This document", public=True),
        Route("GET", "/docs", _file("docs.html", "text/html"), "A page to browse it with", public=True),
        Route("GET", "/docs/docs.css", _file("docs.css", "text/css"), "Its style", public=True),
        Route("GET", "/docs/docs.js", _file("docs.js", "text/javascript"), "Its script", public=True),
    )
    return described


def _file(name: str, content_type: str) -> Handler:
    async def answer(services: Services, body: None, request: web.Request) -> web.Response:
        text = resources.files("mlxr.http").joinpath("static", name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=content_type, headers=page_headers.PAGE)

    return answer
