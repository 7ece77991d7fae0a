"""How late the event loop is, whatever holds it holds every stream; and what keeps it from being late."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from mlxr.http.metrics import Metrics

BUSY_SECONDS, IDLE_SECONDS = 0.005, 0.1
"""How often the loop is looked at while requests are open, and while none are."""


GIVE_WAY_SECONDS = 0.0005
"""After which a worker thread that runs Python code gives way to the loop, which asks for the interpreter again with
every event: Python's own 5 ms add up."""


async def watch(metrics: Metrics, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Note, for ever, by how much a timer came too late."""
    while True:
        period = BUSY_SECONDS if metrics.open else IDLE_SECONDS
        due = time.monotonic() + period
        await sleep(period)
        metrics.saw_lag(max(0.0, time.monotonic() - due))


def watching(metrics: Metrics) -> Callable[[web.Application], AsyncIterator[None]]:
    """A cleanup context that watches while the application runs, and has other threads give way to it."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        before = sys.getswitchinterval()
        sys.setswitchinterval(min(before, GIVE_WAY_SECONDS))
        task = asyncio.create_task(watch(metrics))
        yield
        task.cancel()
        sys.setswitchinterval(before)

    return context
