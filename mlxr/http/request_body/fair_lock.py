"""A lock that clients share fairly: who has much to do waits for itself, not everybody for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairLock:
    """A lock whose waiters are let in client by client (round robin), each client's own in order."""

    def __init__(self) -> None:
        self._locked = False
        self._queues: dict[str | None, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def held_by(self, client: str | None) -> AsyncIterator[None]:
        """Hold the lock for ``client``, after who comes first, as long as the context lasts."""
        if self._locked:
            waiter = asyncio.get_running_loop().create_future()
            self._queues.setdefault(client, deque()).append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._hand_over()
                raise
        self._locked = True
        try:
            yield
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        """Let the next client in; the lock stays taken where there is one."""
        while self._queues:
            client = next(iter(self._queues))
            waiters = self._queues.pop(client)
            while waiters:
                waiter = waiters.popleft()
                if not waiter.done():
                    if waiters:
                        self._queues[client] = waiters
                    waiter.set_result(None)
                    return
        self._locked = False
