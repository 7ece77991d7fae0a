"""Loop lag: how late the event loop is, as whatever holds it holds every stream; and what keeps it from being late."""

from __future__ import annotations

import asyncio
import gc
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


FULL_COLLECTIONS = 1000
"""Collections of the middle generation of garbage that there are for one of all objects, where Python has 10. That one
holds the loop for as long as it takes to look at every object: with 600,000 values of one body, up to 290 ms."""


class LagWatch:
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
        self._metrics.observe_loop_lag(max(0.0, time.monotonic() - self._due))
        self._set()


def keep_responsive(metrics: Metrics) -> Callable[[web.Application], AsyncIterator[None]]:
    """Returns a cleanup context that notes the loop's lag while the application runs, has other threads give way to the
    loop, and garbage collections hold it rarely. What the start has made is no garbage, and is never looked at."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
        sys.setswitchinterval(min(interval, GIVE_WAY_SECONDS))
        gc.freeze()
        gc.set_threshold(*thresholds[:2], FULL_COLLECTIONS)
        watch = LagWatch(metrics, asyncio.get_running_loop())
        yield
        watch.stop()
        gc.set_threshold(*thresholds)
        gc.unfreeze()
        sys.setswitchinterval(interval)

    return context
