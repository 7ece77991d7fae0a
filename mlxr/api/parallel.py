"""Several requests at once for one HTTP request (a list of prompts, a batch of inputs)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

T = TypeVar("T")
R = TypeVar("R")

MAX_CONCURRENT = 64
"""Parts of one HTTP request in flight together, so that a long list doesn't fill everybody's queue."""


async def map_concurrently(function: Callable[[T], Awaitable[R]], items: Sequence[T]) -> list[R]:
    """Returns ``function`` of every item, in order; the first failure cancels the rest and is raised as it is."""
    if len(items) == 1:
        return [await function(items[0])]
    results: dict[int, R] = {}
    left = iter(enumerate(items))

    async def some() -> None:
        for index, item in left:
            results[index] = await function(item)

    try:
        async with anyio.create_task_group() as group:
            for _ in range(min(len(items), MAX_CONCURRENT)):
                group.start_soon(some)
    except BaseExceptionGroup as error:
        raise first_of(error) from error
    return [results[index] for index in range(len(items))]


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Returns the first failure of a task group."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
