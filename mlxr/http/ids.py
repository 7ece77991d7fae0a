"""Ids of answers, and the name of a request in the headers that clients take it from: OpenAI's and Anthropic's show it
with each error."""

from __future__ import annotations

from uuid import uuid4

from aiohttp import web

from mlxr.http.sdk import asked_by_anthropic
from mlxr.runtime.logs import REQUEST_ID

HEADER = "X-Request-Id"
ANTHROPIC_HEADER = "request-id"
LONGEST = 128


def new_id(prefix: str) -> str:
    """Returns a new id of an answer or a part of it."""
    return prefix + uuid4().hex


def request_name(request: web.BaseRequest) -> str:
    """Returns the name that the client gave the request, else a new one."""
    given = request.headers.get(HEADER, "")
    usable = 0 < len(given) <= LONGEST and given.isascii() and given.isprintable()
    return given if usable else f"req_{uuid4().hex}"


def name_request(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Puts the request's name, which lines of the log have too, into the response's headers."""
    name = REQUEST_ID.get() or request_name(request)
    response.headers[HEADER] = name
    if asked_by_anthropic(request):
        response.headers[ANTHROPIC_HEADER] = name
