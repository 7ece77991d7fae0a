"""What handlers are given, and how a route is described: one table per surface, read by the application and by the
OpenAPI document."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from mlxr.api.caller import CALLER
from mlxr.api.gateway import Blobs, Gateway, Stream
from mlxr.api.metrics import Metrics
from mlxr.api.recent_items import RecentItems
from mlxr.http.request_body.unknown_fields import dotted, header_value
from mlxr.http.request_body.workers import BodyWorkers
from mlxr.http.settings import ServerSettings

_log = logging.getLogger("mlxr.http")

R = TypeVar("R")

SIZE = web.RequestKey("size", int)
"""Bytes of a request's body."""

IGNORED = web.RequestKey("ignored", list[str])
"""The fields of a request that its answer takes no account of, and names."""


def note_ignored(request: web.Request, places: list[str]) -> None:
    """Has the response name ``places`` among what it takes no account of."""
    noted = request.get(IGNORED, [])
    if new := [place for place in places if place not in noted]:
        request[IGNORED] = [*noted, *new]


async def note_unheld(request: web.Request, stream: Stream) -> None:
    """Has the response name the schema keywords that the answer is not held to, each by the field that has the schema
    and a pointer into that. Waits until they are known, as ``Stream.started`` does."""
    unheld = (await stream.started()).unheld
    if not unheld:
        return
    fields = [place.partition("#") for place in unheld]
    places = [f"{dotted(field)}#{pointer}" for field, _, pointer in fields]
    _log.warning("%s: answers can't be held to %.200r", CALLER.get().route, header_value(places))
    note_ignored(request, places)


class Services(Struct, frozen=True):
    gateway: Gateway
    settings: ServerSettings
    metrics: Metrics
    blobs: Blobs
    workers: BodyWorkers
    recent: RecentItems

    async def prepare(self, request: web.Request, make: Callable[..., R], *arguments: Any) -> R:
        """Returns ``make(*arguments)``, which turns a request's body into what the actors are asked, from a worker if
        the body is large."""
        return await self.workers.run(request.get(SIZE, 0), CALLER.get().name, make, *arguments)


Handler = Callable[[Services, Any, web.Request], Awaitable[web.StreamResponse]]


class Route(Struct, frozen=True):
    """One path and method, and what answers it.

    method: of HTTP.
    path: as aiohttp's router takes it.
    handle: called with the services, the body and the request.
    summary: for the OpenAPI document.
    takes: the ``Fields`` that the body is decoded as; None for a route without one.
    gives: the struct of a 200's JSON.
    streams: the content type of the streaming form, empty where there is none.
    tag: the surface, for the document and the shape of errors there.
    public: it needs no key.
    query: what may stand behind the path's question mark, with the JSON schema of each.
    """

    method: str
    path: str
    handle: Handler
    summary: str
    takes: Any = None
    gives: Any = None
    streams: str = ""
    tag: str = "system"
    public: bool = False
    query: dict[str, dict[str, Any]] = {}

    def without_version(self) -> Route:
        """Returns this route where clients look for it whose base URL lacks the ``/v1``, as other local servers let
        them."""
        return replace(self, path=self.path.removeprefix("/v1"), summary="The same")


def with_heads(routes: Iterable[Route]) -> tuple[Route, ...]:
    """Returns ``routes``, with one for HEAD behind each GET that is answered at once (RFC 9110, 9.1): monitors and
    proxies ask so."""
    made: list[Route] = []
    for route in routes:
        made.append(route)
        if route.method == "GET" and not route.streams:
            made.append(replace(route, method="HEAD", summary="The same, without its body", gives=None))
    return tuple(made)
