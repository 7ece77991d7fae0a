"""The watch over the event loop's lateness."""

from __future__ import annotations

import asyncio
import gc
import time

import anyio
import pytest
from aiohttp import web

from mlxr.api.metrics import Metrics
from mlxr.http.loop_lag import LagWatch, keep_responsive

pytestmark = pytest.mark.anyio


async def test_what_holds_the_loop_shows_in_the_metrics() -> None:
    metrics = Metrics()
    metrics.open = 1
    watch = LagWatch(metrics, asyncio.get_running_loop())
    await anyio.sleep(0.03)
    time.sleep(0.2)  # noqa: ASYNC251 - holding the loop is the point
    await anyio.sleep(0.03)
    watch.stop()
    # The timer was set at most 10 ms before the loop was held, and was due within that time.
    assert metrics.most_loop_lag >= 0.15


async def test_a_watch_that_is_stopped_looks_no_more() -> None:
    metrics = Metrics()
    metrics.open = 1
    watch = LagWatch(metrics, asyncio.get_running_loop())
    watch.stop()
    await anyio.sleep(0.05)
    assert sum(metrics.loop_lag.counts) == 0


async def test_many_values_are_made_without_looking_at_all_objects() -> None:
    full = 0

    def count(phase: str, info: dict[str, int]) -> None:
        nonlocal full
        full += phase == "start" and info["generation"] == 2

    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    serving = keep_responsive(Metrics())(web.Application())
    await anext(serving)
    gc.callbacks.append(count)
    try:
        values = [[index] for index in range(600_000)]
    finally:
        gc.callbacks.remove(count)
        assert await anext(serving, None) is None
    assert len(values) == 600_000
    assert full <= 1
    assert (gc.get_threshold(), gc.get_freeze_count()) == (thresholds, frozen)
