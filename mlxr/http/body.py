"""Request bodies on their way in. Work on a large one is done aside, so that nobody's stream waits for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import msgspec
from anyio import CapacityLimiter, to_thread

from mlxr.http.decode import body_decoder
from mlxr.http.fields import Fields, unknown_fields
from mlxr.http.pieces import decode_pieces, names_in_pieces

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


def body_reader(type: type[Fields], aside: Aside) -> Callable[[bytes], Awaitable[tuple[Any, list[str]]]]:
    """A function from a body to ``type`` and the names in it that ``type`` does not know; it raises ``HttpError`` 400
    for what is none."""
    decode, unknown = body_decoder(type), unknown_fields(type)
    names = msgspec.json.Decoder(dict[str, msgspec.Raw])

    def read(raw: bytes) -> tuple[Any, list[str]]:
        if len(raw) <= LARGE:
            return decode(raw), unknown(names.decode(raw))
        return decode_pieces(type, raw), unknown(names_in_pieces(raw))

    async def read_aside(raw: bytes) -> tuple[Any, list[str]]:
        return await aside.run(len(raw), read, raw)

    return read_aside
