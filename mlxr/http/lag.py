"""How late the event loop is: whatever holds it holds every stream."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from mlxr.http.metrics import Metrics

BUSY_SECONDS, IDLE_SECONDS = 0.005, 0.1
"""How often the loop is looked at while requests are open, and while none are."""


async def watch(metrics: Metrics, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Note, for ever, by how much a timer came too late."""
    while True:
        period = BUSY_SECONDS if metrics.open else IDLE_SECONDS
        due = time.monotonic() + period
        await sleep(period)
        metrics.saw_lag(max(0.0, time.monotonic() - due))


def watching(metrics: Metrics) -> Callable[[web.Application], AsyncIterator[None]]:
    """A cleanup context that watches while the application runs."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(watch(metrics))
        yield
        task.cancel()

    return context
