"""Running what a verb does on a loop, so that Ctrl-C ends it whenever it comes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


def run(work: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Returns what ``work`` returns. Raises ``KeyboardInterrupt`` where Ctrl-C came before its end, also where ``work``
    ended as if nothing had come: it is cancelled once, and whoever closes something just then may not notice."""

    async def noticing() -> T:
        made = await work(*arguments)
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return made

    return anyio.run(noticing)
