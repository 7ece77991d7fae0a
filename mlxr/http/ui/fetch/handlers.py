"""``POST /api/ui/fetch``: one GET, within bounds.

What goes wrong with a page is the outcome of a tool's call, which the model is told: a 200 with ``error``.
"""

from __future__ import annotations

import codecs
from typing import Annotated
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from mlxr.http.fields import Fields
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.http.ui.outbound import failure, outbound
from mlxr.runtime.messages.profile import Profile, ReadProfile

MOST_BYTES = 2 << 20
READ_SECONDS, TOTAL_SECONDS = 10.0, 30.0
MOST_REDIRECTS = 5

_TEXTS = ("json", "xml", "javascript", "ecmascript", "yaml", "toml", "x-sh", "sql", "x-ndjson", "x-www-form-urlencoded")
"""What the type of a text ends in that is not ``text/...``."""


class FetchRequest(Fields, frozen=True, kw_only=True):
    """``url``: of a page, http or https."""

    url: Annotated[str, Meta(min_length=1, max_length=8192)]


class FetchedPage(Struct, frozen=True, kw_only=True):
    """What came of a page.

    url: where it was in the end.
    status: of HTTP; 0 where nothing came.
    type: of the text, such as text/html.
    text: as it was sent; the application takes the words out of HTML.
    truncated: it is longer than that.
    error: why there is no text, for the model and the person; empty where there is.
    """

    url: str
    status: int = 0
    type: str = ""
    text: str = ""
    truncated: bool = False
    error: str = ""


async def fetch(services: Services, body: FetchRequest, request: web.Request) -> web.Response:
    profile = msgspec.json.decode(await services.gateway.profile(ReadProfile()), type=Profile)
    return json_response(await fetched(body.url, private=profile.private_fetch))


async def fetched(url: str, *, private: bool) -> FetchedPage:
    """Returns what is at ``url``. ``private``: also at addresses that the public Internet does not reach."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError
        if parts.username is not None or parts.password is not None:
            return FetchedPage(url=url, error="the address holds a password, which is sent to nobody")
    except ValueError:
        return FetchedPage(url=url, error=f"{url[:200]} is no address of a page; it begins with https:// or http://")
    try:
        async with (
            outbound(private=private, read_seconds=READ_SECONDS, total_seconds=TOTAL_SECONDS) as session,
            session.get(url, headers=_ACCEPT, max_redirects=MOST_REDIRECTS) as response,
        ):
            return await _page(response)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return FetchedPage(url=url, error=failure(parts.hostname, error))


_ACCEPT = {"Accept": "text/html, text/plain;q=0.9, application/json;q=0.9, */*;q=0.1"}


async def _page(response: aiohttp.ClientResponse) -> FetchedPage:
    kind = response.content_type
    page = FetchedPage(url=str(response.url), status=response.status, type=kind)
    if not (kind.startswith("text/") or kind.endswith(_TEXTS)):
        return msgspec.structs.replace(page, error=f"it is {kind}, which is no text")
    data = bytearray()
    async for piece in response.content.iter_any():
        data += piece
        if len(data) > MOST_BYTES:
            break
    text = _decoded(bytes(data[:MOST_BYTES]), response.charset)
    error = "" if response.ok else f"{response.url.host} answers {response.status} {response.reason}"
    return msgspec.structs.replace(page, text=text, truncated=len(data) > MOST_BYTES, error=error)


def _decoded(data: bytes, charset: str | None) -> str:
    """Returns ``data`` as text: by its byte order mark, as the header says, else as UTF-8."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        charset = "utf-16"
    try:
        codec = codecs.lookup(charset or "utf-8-sig")
    except LookupError:
        codec = codecs.lookup("utf-8-sig")
    if not codec._is_text_encoding:
        codec = codecs.lookup("utf-8-sig")
    return data.decode(codec.name, "replace")
