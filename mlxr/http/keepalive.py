"""Signs of life on a stream that has nothing to say for a while, as with a long prompt."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

QUIET_SECONDS = 10.0
"""How long a stream may be silent."""


class Writable(Protocol):
    """A stream, and when (the loop's time) something was last written to it."""

    written: float

    def put(self, data: bytes) -> bool: ...


@contextmanager
def keepalive(stream: Writable, ping: bytes) -> Iterator[None]:
    """Writes ``ping`` whenever ``stream`` has been silent for ``QUIET_SECONDS``; an empty one never."""
    loop = asyncio.get_running_loop()
    timer: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal timer
        if loop.time() >= stream.written + QUIET_SECONDS:
            stream.put(ping)
        timer = loop.call_at(stream.written + QUIET_SECONDS, look)

    if ping:
        look()
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
