"""Places that clients share fairly: who has much to do waits for itself, not everybody for it."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairLock:
    """A lock whose waiters are let in client by client (round robin), each client's own in order.

    Args:
        places: how many hold it at once.
        most: how many of them may be one client's; all of them by default. With fewer, one is always free for whoever
            comes new, as long as only one client has much to do.
    """

    def __init__(self, places: int = 1, most: int = 0) -> None:
        self._free = places
        self._most = most or places
        self._held: Counter[str | None] = Counter()
        self._queues: dict[str | None, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def held_by(self, client: str | None) -> AsyncIterator[None]:
        """Holds a place for ``client``, after who comes first, as long as the context lasts."""
        if self._free and self._held[client] < self._most:
            self._take(client)
        else:
            waiter = asyncio.get_running_loop().create_future()
            self._queues.setdefault(client, deque()).append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._give_back(client)
                raise
        try:
            yield
        finally:
            self._give_back(client)

    def _take(self, client: str | None) -> None:
        self._free -= 1
        self._held[client] += 1

    def _give_back(self, client: str | None) -> None:
        """Gives a place back, and lets in who comes next."""
        self._free += 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        while self._free and (waiter := self._next()) is not None:
            waiter.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        """Returns the waiter whose turn it is, for whom a place is taken."""
        for client in list(self._queues):
            if self._held[client] >= self._most:
                continue
            waiters = self._queues.pop(client)
            while waiters:
                waiter = waiters.popleft()
                if not waiter.done():
                    if waiters:
                        self._queues[client] = waiters
                    self._take(client)
                    return waiter
        return None
