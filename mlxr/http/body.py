"""Request bodies on their way in. Work on a large one is done aside, so that nobody's stream waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from aiohttp import web
from anyio import CapacityLimiter, to_thread

from mlxr.http.decode import body_decoder, untyped
from mlxr.http.fields import Fields
from mlxr.http.pieces import decode_pieces
from mlxr.http.unknown import finder

R = TypeVar("R")

LARGE = 32 << 10
"""Bytes of a body from which on it is worth a worker thread: half a millisecond of decoding."""


class Aside:
    """A worker thread for large requests, one at a time: the loop waits for the interpreter behind one thread only."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(1)

    async def run(self, size: int, function: Callable[..., R], *arguments: Any) -> R:
        """``function(*arguments)`` for a request of ``size`` bytes."""
        if size <= LARGE:
            return function(*arguments)
        return await to_thread.run_sync(partial(function, *arguments), limiter=self._limiter)


async def received(request: web.Request, limit: int) -> list[bytes]:
    """A request's body as it came, which whoever works on it aside puts together: aiohttp's ``read`` copies it twice
    on the loop. Raises aiohttp's 413 for more than ``limit`` bytes."""
    parts: list[bytes] = []
    size = 0
    async for part in request.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > limit:
            raise web.HTTPRequestEntityTooLarge(limit, size)
    return parts


def body_reader(type: type[Fields], aside: Aside) -> Callable[[list[bytes]], Awaitable[tuple[Any, list[str]]]]:
    """A function from a body's parts to ``type`` and the places in it of what ``type`` does not know; it raises
    ``HttpError`` 400 for what is none."""
    decode, find = body_decoder(type), finder(type)

    def read(parts: list[bytes]) -> tuple[Any, list[str]]:
        raw = b"".join(parts)
        if len(raw) > LARGE:
            return decode_pieces(type, raw)
        unknown: list[str] = []
        made = decode(raw)
        if find is not None:
            find(untyped(raw, ""), "", unknown)
        return made, unknown

    async def read_aside(parts: list[bytes]) -> tuple[Any, list[str]]:
        return await aside.run(sum(map(len, parts)), read, parts)

    return read_aside
