"""The threads that large requests are worked on by, so that nobody's stream waits for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from anyio import to_thread

from mlxr.runtime.fair_lock import FairLock

R = TypeVar("R")

LARGE = 32 << 10
"""Bytes of a body from which on it is worth a worker thread: half a millisecond of decoding."""

HUGE = 1 << 20
"""Bytes from which on a body takes so long that others should not wait behind it."""


class BodyWorkers:
    """Two worker threads, one for large requests and one for huge ones. Each does one at a time, clients by turns: the
    loop waits for the interpreter behind one or two threads only, and nobody waits for all that another one sent."""

    def __init__(self) -> None:
        self._large, self._huge = FairLock(), FairLock()

    async def run(self, size: int, client: str | None, function: Callable[..., R], *arguments: Any) -> R:
        """Returns ``function(*arguments)`` for a request of ``size`` bytes, which ``client`` sent."""
        if size <= LARGE:
            return function(*arguments)
        async with (self._large if size <= HUGE else self._huge).held_by(client):
            return await to_thread.run_sync(partial(function, *arguments))
