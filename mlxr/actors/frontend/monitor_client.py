"""What the frontend asks the monitor: implements ``mlxr.api.monitor.Monitor``."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

from mlxr.actors.frontend.open_queries import OpenQueries
from mlxr.actors.frontend.open_requests import Wake
from mlxr.runtime.bus import Address
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Message
from mlxr.runtime.messages.frontend import MonitorEvent, MonitorEvents, MonitorReply
from mlxr.runtime.messages.monitor import FollowMonitor, KillExecutor, MonitorQuery, ReadMonitor, StopFollowing

MONITOR: Final = Address.of("monitor")

MOST_UNREAD: Final = 10_000
"""Events that a reader may leave unread; then its stream ends, and it may come again and say where it was."""

ANSWER_SECONDS: Final = 10.0

_LOST = ErrorInfo(ErrorCode.INTERNAL, "the monitor gave no answer; its log says more", retry_after=1)


class _Follower:
    """The events that one reader has not read."""

    def __init__(self) -> None:
        self.unread: deque[MonitorEvent] = deque()
        self.ended = False
        self.wake = Wake()

    def push(self, events: list[MonitorEvent]) -> None:
        self.unread.extend(events)
        self.ended = self.ended or len(self.unread) > MOST_UNREAD
        self.wake.set()

    def end(self) -> None:
        self.ended = True
        self.wake.set()


class MonitorClient:
    """Numbers what it asks by itself. ``first``: as in ``OpenQueries``."""

    def __init__(self, tell: Callable[[Address, Message], None], first: int) -> None:
        self._tell = tell
        self._queries = OpenQueries(first)
        self._followers: dict[int, _Follower] = {}
        self._closed = False

    async def read(self, query: MonitorQuery) -> bytes:
        return await self._ask(lambda number: ReadMonitor(number, query))

    async def kill_executor(self, engine: str) -> bytes:
        return await self._ask(lambda number: KillExecutor(number, engine))

    async def follow(self, query: MonitorQuery, after: int | None) -> AsyncGenerator[list[MonitorEvent]]:
        number = self._queries.number()
        follower = self._followers[number] = _Follower()
        self._tell(MONITOR, FollowMonitor(number, query, after))
        try:
            while not (follower.ended or self._closed):
                if not follower.unread:
                    await follower.wake.wait()
                    continue
                events = list(follower.unread)
                follower.unread.clear()
                yield events
        finally:
            del self._followers[number]
            self._tell(MONITOR, StopFollowing(number))

    def on_reply(self, message: MonitorReply) -> None:
        self._queries.answer(message.request, message.body, message.error)

    def on_events(self, message: MonitorEvents) -> None:
        for number in message.requests:
            if follower := self._followers.get(number):
                follower.push(message.events)

    def on_started(self) -> None:
        """The monitor was restarted: readers are to come again."""
        for follower in self._followers.values():
            follower.end()
        self._queries.fail_all(_LOST)

    def close(self) -> None:
        """Ends every stream, since the server ends."""
        self._closed = True
        self.on_started()

    async def _ask(self, message: Callable[[int], ReadMonitor | KillExecutor]) -> bytes:
        return await self._queries.ask(lambda number: self._tell(MONITOR, message(number)), ANSWER_SECONDS, _LOST)
