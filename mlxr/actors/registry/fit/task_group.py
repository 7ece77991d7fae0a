"""Work done at once, of which the first failure is raised as it is, and not within a group."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import anyio


async def together(works: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Waits for all; raises the first exception of any, after the others were cancelled."""
    failures: list[Exception] = []

    async def attempt(work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            failures.append(error)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for work in works:
            tasks.start_soon(attempt, work)
    if failures:
        raise failures[0]
