"""Signs of life on a stream that has nothing to say for a while, as with a long prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Protocol

from msgspec import Meta

QUIET_SECONDS = 10.0
"""How long a stream may be silent where its request does not say."""

COMMENT = b": ping\n\n"
"""What says nothing in a stream of server-sent events. Some clients break on it, so that it is for those who ask."""

PingInterval = Annotated[float, Meta(ge=-1, le=2**31 - 1)]
"""Seconds of silence after which a request wants to be sent ``COMMENT``, as llama.cpp's; none for -1 and 0."""


class Writable(Protocol):
    """A stream, and when (the loop's time) something was last written to it."""

    written: float

    def put(self, data: bytes) -> bool: ...


@contextmanager
def comments(stream: Writable, interval: float | None) -> Iterator[None]:
    """Writes ``COMMENT`` whenever ``stream`` has been silent for ``interval`` seconds, a ``PingInterval``."""
    with keepalive(stream, COMMENT if interval and interval > 0 else b"", interval):
        yield


@contextmanager
def keepalive(stream: Writable, ping: bytes, seconds: float | None = None) -> Iterator[None]:
    """Writes ``ping`` whenever ``stream`` has been silent for ``seconds``, ``QUIET_SECONDS`` for None; an empty one
    never."""
    loop = asyncio.get_running_loop()
    quiet = QUIET_SECONDS if seconds is None else seconds
    timer: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal timer
        if loop.time() >= stream.written + quiet:
            stream.put(ping)
        timer = loop.call_at(stream.written + quiet, look)

    if ping:
        look()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
