"""How late the event loop is, whatever holds it holds every stream; and what keeps it from being late."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from mlxr.api.metrics import Metrics

BUSY_SECONDS, IDLE_SECONDS = 0.01, 0.1
"""How often the loop is looked at while requests are open, and while none are."""

GIVE_WAY_SECONDS = 0.0005
"""After which a worker thread that runs Python code gives way to the loop, which asks for the interpreter again with
every event: Python's own 5 ms add up."""


class Watch:
    """Notes, until ``stop``, by how much a timer comes too late. A plain timer: a task that slept as often would cost
    every token its share."""

    def __init__(self, metrics: Metrics, loop: asyncio.AbstractEventLoop) -> None:
        self._metrics = metrics
        self._loop = loop
        self._set()

    def stop(self) -> None:
        self._timer.cancel()

    def _set(self) -> None:
        period = BUSY_SECONDS if self._metrics.open else IDLE_SECONDS
        # The loop's own clock may count whole milliseconds.
        self._due = time.monotonic() + period
        self._timer = self._loop.call_later(period, self._look)

    def _look(self) -> None:
        self._metrics.saw_lag(max(0.0, time.monotonic() - self._due))
        self._set()


def watching(metrics: Metrics) -> Callable[[web.Application], AsyncIterator[None]]:
    """A cleanup context that watches while the application runs, and has other threads give way to it."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        before = sys.getswitchinterval()
        sys.setswitchinterval(min(before, GIVE_WAY_SECONDS))
        watch = Watch(metrics, asyncio.get_running_loop())
        yield
        watch.stop()
        sys.setswitchinterval(before)

    return context
