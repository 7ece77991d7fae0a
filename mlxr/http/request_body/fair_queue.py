"""One at a time, and clients by turns: who has much to do waits for itself, not everybody for it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """A lock whose waiters are let in client by client, each client's own in order."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: dict[str | None, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, client: str | None) -> AsyncIterator[None]:
        """Wait for a turn of ``client``, which lasts as long as the context."""
        if self._taken:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(client, deque()).append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._pass_on()
                raise
        self._taken = True
        try:
            yield
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        """Let the next client in; the lock stays taken where there is one."""
        while self._waiting:
            client = next(iter(self._waiting))
            waiters = self._waiting.pop(client)
            while waiters:
                waiter = waiters.popleft()
                if not waiter.done():
                    if waiters:
                        self._waiting[client] = waiters
                    waiter.set_result(None)
                    return
        self._taken = False
