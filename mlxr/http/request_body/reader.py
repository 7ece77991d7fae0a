"""Request bodies on their way in. Work on a large one is done aside, so that nobody's stream waits for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple, TypeVar

import anyio
from aiohttp import web
from anyio import to_thread

from mlxr.http.errors import HttpError, Problem
from mlxr.http.fields import Fields
from mlxr.http.request_body.chunked_json import count_values, decode_pieces
from mlxr.http.request_body.content_encoding import encoding_of, unpacked
from mlxr.http.request_body.decode import body_decoder, untyped
from mlxr.http.request_body.fair_queue import Turns
from mlxr.http.request_body.unknown_fields import finder
from mlxr.http.settings import ServerSettings

R = TypeVar("R")

LARGE = 32 << 10
"""Bytes of a body from which on it is worth a worker thread: half a millisecond of decoding."""

HUGE = 1 << 20
"""Bytes from which on a body takes so long that others should not wait behind it."""

SHRUNK = 32
"""How much smaller compression makes a body, where its size is not known yet."""

AT_ONCE = 8
"""Bodies of the largest size that may be on their way in together."""

LEAST_RATE = 1 << 10
"""Bytes a second: what a body must come with on the whole, after the time it has to begin."""


class Aside:
    """Two worker threads, one for large requests and one for huge ones. Each does one at a time, clients by turns: the
    loop waits for the interpreter behind one or two threads only, and nobody waits for all that another one sent."""

    def __init__(self) -> None:
        self._large, self._huge = Turns(), Turns()

    async def run(self, size: int, client: str | None, function: Callable[..., R], *arguments: Any) -> R:
        """``function(*arguments)`` for a request of ``size`` bytes, which ``client`` sent."""
        if size <= LARGE:
            return function(*arguments)
        async with (self._large if size <= HUGE else self._huge).turn(client):
            return await to_thread.run_sync(partial(function, *arguments))


class Pending:
    """Counts the bytes of bodies that have come and are not decoded yet. Clients share ``most`` of them; one alone may
    have half of it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str | None] = Counter()

    def take(self, client: str | None, size: int) -> None:
        """Count ``size`` more bytes from ``client``; raises ``HttpError`` 503 where they are too many."""
        if self._held.total() + size > self._most or self._held[client] + size > self._most // 2:
            message = "too many large requests are on their way in; send this one again"
            raise HttpError(Problem(503, message, "overloaded", retry_after=1.0))
        self._held[client] += size

    def give_back(self, client: str | None, size: int) -> None:
        self._held[client] -= size
        if not self._held[client]:
            del self._held[client]


class Decoded(NamedTuple):
    """A body, the places in it of what its type does not know, and its size in bytes when unpacked."""

    body: Any
    ignored: list[str]
    size: int


async def arriving(request: web.Request, seconds: float) -> AsyncIterator[bytes]:
    """A request's body as it comes. Raises ``HttpError`` 408 for one that comes too slowly: it has ``seconds``, and
    more with each byte. aiohttp's ``read`` would copy it twice, on the loop."""
    late = HttpError(Problem(408, f"the request body came too slowly (server.body_seconds is {seconds:g})", "timeout"))
    parts = request.content.iter_any()
    deadline = anyio.current_time() + seconds
    while True:
        with anyio.move_on_at(deadline) as scope:
            try:
                part = await anext(parts)
            except StopAsyncIteration:
                return
        if scope.cancelled_caught:
            raise late
        yield part
        # Whoever takes the part may take its time; that is not the client's.
        deadline = max(deadline, anyio.current_time()) + len(part) / LEAST_RATE
        deadline = min(deadline, anyio.current_time() + 2 * seconds)


@asynccontextmanager
async def received(
    request: web.Request, settings: ServerSettings, pending: Pending, client: str | None
) -> AsyncIterator[list[bytes]]:
    """A request's body as it came, which whoever works on it aside puts together, for as long as the context lasts.
    Raises aiohttp's 413 for more than ``max_body_bytes``, and ``HttpError`` for what comes too slowly (408) or is too
    much beside what others have sent (503)."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in arriving(request, settings.body_seconds):
            if size + len(part) > settings.max_body_bytes:
                raise web.HTTPRequestEntityTooLarge(settings.max_body_bytes, size + len(part))
            pending.take(client, len(part))
            size += len(part)
            parts.append(part)
        yield parts
    finally:
        pending.give_back(client, size)


def body_reader(
    type: type[Fields], aside: Aside, settings: ServerSettings
) -> Callable[[list[bytes], str, str | None], Awaitable[Decoded]]:
    """A function from a body's parts, their Content-Encoding and the client to the body as ``type``; it raises
    ``HttpError`` 400 for what is none."""
    decode, find = body_decoder(type), finder(type)

    def read(parts: list[bytes], encoding: str) -> Decoded:
        if encoding:
            parts = unpacked(parts, encoding, settings.max_body_bytes)
        raw = b"".join(parts)
        if len(raw) > LARGE:
            _check_values(raw, settings.max_body_values)
            return Decoded(*decode_pieces(type, raw), len(raw))
        unknown: list[str] = []
        made = decode(raw)
        if find is not None:
            find(untyped(raw, ""), "", unknown)
        return Decoded(made, unknown, len(raw))

    async def read_aside(parts: list[bytes], header: str, client: str | None) -> Decoded:
        encoding = encoding_of(header)
        size = sum(map(len, parts)) * (SHRUNK if encoding else 1)
        return await aside.run(size, client, read, parts, encoding)

    return read_aside


def _check_values(raw: bytes, most: int) -> None:
    """Refuse many tiny values, which take a hundred times as much memory as they have bytes."""
    if len(raw) > 2 * most and count_values(raw) > most:
        message = f"the request body has over {most} values (server.max_body_values)"
        raise HttpError(Problem(413, message, "request_too_large"))
