"""Request bodies as they come: what is too large, too slow, or too much beside what others send."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from aiohttp import web

from mlxr.http.errors import HttpError, Problem
from mlxr.http.settings import ServerSettings

AT_ONCE = 8
"""Bodies of the largest size that may be on their way in together."""

LEAST_RATE = 1 << 10
"""Bytes a second: what a body must come with on the whole, after the time it has to begin."""


class PendingBytes:
    """Counts the bytes of bodies that have come and are not decoded yet. Clients share ``most`` of them; one alone may
    have half of it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: Counter[str | None] = Counter()

    def take(self, client: str | None, size: int) -> None:
        """Counts ``size`` more bytes from ``client``; raises ``HttpError`` 503 where they are too many."""
        if self._held.total() + size > self._most or self._held[client] + size > self._most // 2:
            message = "too many large requests are on their way in; send this one again"
            raise HttpError(Problem(503, message, "overloaded", retry_after=1.0))
        self._held[client] += size

    def give_back(self, client: str | None, size: int) -> None:
        self._held[client] -= size
        if not self._held[client]:
            del self._held[client]


async def body_parts(request: web.Request, seconds: float) -> AsyncIterator[bytes]:
    """Yields a request's body as it comes. Raises ``HttpError`` 408 for one that comes too slowly: it has ``seconds``,
    and more with each byte. aiohttp's ``read`` would copy it twice, on the loop."""
    late = HttpError(Problem(408, f"the request body came too slowly (server.body_seconds is {seconds:g})", "timeout"))
    content = request.content
    deadline = anyio.current_time() + seconds
    while not content.at_eof() or content.exception() is not None:
        part = content.read_nowait()
        if not part:
            with anyio.move_on_at(deadline) as scope:
                part = await content.readany()
            if scope.cancelled_caught:
                raise late
        if not part:
            return
        yield part
        # Whoever takes the part may take its time; that is not the client's.
        deadline = max(deadline, anyio.current_time()) + len(part) / LEAST_RATE
        deadline = min(deadline, anyio.current_time() + 2 * seconds)


@asynccontextmanager
async def received(
    request: web.Request, settings: ServerSettings, pending: PendingBytes, client: str | None
) -> AsyncIterator[list[bytes]]:
    """Yields the pieces of a request's body as they came; its bytes count as pending until the context ends.

    Raises aiohttp's 413 for more than ``max_body_bytes``, and ``HttpError`` for what comes too slowly (408) or is too
    much beside what others have sent (503).
    """
    parts: list[bytes] = []
    size = 0
    try:
        async for part in body_parts(request, settings.body_seconds):
            if size + len(part) > settings.max_body_bytes:
                raise web.HTTPRequestEntityTooLarge(settings.max_body_bytes, size + len(part))
            pending.take(client, len(part))
            size += len(part)
            parts.append(part)
        yield parts
    finally:
        pending.give_back(client, size)
