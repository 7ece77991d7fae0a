"""What was asked of an actor and is not answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorInfo


class OpenQueries:
    """Numbers what is asked, and hands each answer to who waits for it. ``first``: numbers start above it, so that no
    answer is for an earlier life."""

    def __init__(self, first: int) -> None:
        self._last = first
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    def number(self) -> int:
        self._last += 1
        return self._last

    async def ask(self, send: Callable[[int], None], seconds: float, late: ErrorInfo) -> bytes:
        """Returns the answer to what ``send`` sends under a number. Raises ``RequestError`` for a refusal, and with
        ``late`` where none comes in time."""
        number = self.number()
        waiting: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        send(number)
        try:
            async with asyncio.timeout(seconds):
                return await waiting
        except TimeoutError:
            raise RequestError(late) from None
        finally:
            del self._waiting[number]

    def answer(self, number: int, body: bytes, error: ErrorInfo | None) -> None:
        waiting = self._waiting.get(number)
        if waiting is None or waiting.done():
            return
        if error is not None:
            waiting.set_exception(RequestError(error))
        else:
            waiting.set_result(body)

    def fail_all(self, error: ErrorInfo) -> None:
        for number in self._waiting:
            self.answer(number, b"", error)
