"""Answers with files of the bundle, under a policy that lets a page load and run nothing that is not in it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from html import escape
from pathlib import PurePosixPath
from types import MappingProxyType

from aiohttp import web
from anyio import to_thread

from mlxr.http import page_headers
from mlxr.http.errors import HttpError, Problem
from mlxr.http.services import Services
from mlxr.http.ui.bundle.files import BUILT, HOW_TO_BUILD, PAGE, Bundle, File

SERVICE_WORKER = "sw.js"
"""May answer for every page, those at / too."""

_FOREVER = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"


def built() -> Bundle:
    """Returns the bundle, read when it is first asked for and whenever it was built anew."""
    page = BUILT / PAGE
    return _read(page.stat().st_mtime_ns if page.is_file() else 0)


@lru_cache(maxsize=1)
def _read(built_at: int) -> Bundle:
    return Bundle(BUILT)


async def page(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    """Returns the application's one page, which reads the address itself; where it is not built, one that says so."""
    bundle = await to_thread.run_sync(built)
    if (file := bundle.get(PAGE)) is not None:
        return await _answer(file, request)
    # Plain: with no file to load a style from, none may be given.
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        '<meta name="color-scheme" content="light dark"><title>mlxr</title><main><h1>mlxr is running</h1>'
        f"<p>Here, {escape(HOW_TO_BUILD)}.</p>"
        '<p><a href="/docs">The API</a> is described here.</p></main></html>'
    )
    return web.Response(text=text, content_type="text/html", headers={**page_headers.PAGE, "Cache-Control": "no-store"})


async def file_or_page(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    """Returns a file, or for a path that names none the page. Raises ``HttpError``: a file is asked for that is not
    there, as by a page of an older version."""
    bundle = await to_thread.run_sync(built)
    name = request.match_info["path"]
    if name != PAGE and (file := bundle.get(name)) is not None:
        return await _answer(file, request, {"Service-Worker-Allowed": "/"} if name == SERVICE_WORKER else {})
    if PurePosixPath(name).suffix and name != PAGE:
        raise HttpError(Problem(404, f"the web application has no file {name[:200]!r}; reload the page", "not_found"))
    return await page(services, body, request)


async def _answer(
    file: File, request: web.Request, more: Mapping[str, str] = MappingProxyType({})
) -> web.StreamResponse:
    coding, path = file.form(request.headers.get("Accept-Encoding", ""))
    headers = {
        **page_headers.PAGE,
        **more,
        "Cache-Control": _FOREVER if file.immutable else _ASK_FIRST,
        "ETag": file.etag,
        "Vary": "Accept, Accept-Encoding",
    }
    if file.etag in (tag.strip().removeprefix("W/") for tag in request.headers.get("If-None-Match", "").split(",")):
        return web.Response(status=304, headers=headers)
    if coding:
        headers["Content-Encoding"] = coding
    response = web.Response(body=await to_thread.run_sync(path.read_bytes), headers=headers)
    response.content_type = file.type
    if file.type.startswith(("text/", "application/manifest")):
        response.charset = "utf-8"
    return response
