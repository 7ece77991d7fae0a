"""Paths with a slash too many, as bases that end with one make them: they lead to the path that is meant."""

from __future__ import annotations

import re

from aiohttp import web

_SLASHES = re.compile(r"/{2,}")


async def redirect(request: web.Request) -> web.Response | None:
    """Returns the answer to a request that no route is for, None where none is for it without its superfluous slashes
    either. The method and the body go along (RFC 9110, 15.4.9)."""
    given = request.rel_url
    meant = _SLASHES.sub("/", given.raw_path).rstrip("/") or "/"
    if meant == given.raw_path:
        return None
    url = given.with_path(meant, encoded=True, keep_query=True)
    if (await request.app.router.resolve(request.clone(rel_url=url))).http_exception is not None:
        return None
    return web.Response(status=308, headers={"Location": str(url)})
