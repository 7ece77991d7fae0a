"""The way to the chats: what transports ask them, and who is told what happens. Implements ``mlxr.api.chats.link``."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from mlxr.actors.frontend.open_queries import OpenQueries
from mlxr.actors.frontend.open_requests import Wake
from mlxr.api.caller import CALLER
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.chats import AskChats, FollowChat, LeaveChat
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Message
from mlxr.runtime.messages.frontend import ChatEvents, ChatReply

CHATS = Address.of("chats")

ASK_SECONDS = 120.0
"""What an operation may take: an import of many chats, at most."""
UNREAD_BYTES = 8 << 20
"""What a follower may leave unread before it is let go; it comes back and goes on where it was."""

RESTARTED = ErrorInfo(ErrorCode.UNAVAILABLE, "the chats were restarted; try again", retry_after=1)
SLOW = ErrorInfo(ErrorCode.UNAVAILABLE, "the chats did not answer in time; try again", retry_after=5)


class OpenFollower:
    """Implements ``mlxr.api.chats.link.Follower``: what it has not read yet."""

    def __init__(self) -> None:
        self._unread: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: ErrorInfo | None = None
        self._wake = Wake()

    @property
    def ended(self) -> bool:
        return self._ended

    def push(self, message: ChatEvents) -> None:
        if message.data and not self._ended:
            self._unread.append(message.data)
            self._size += len(message.data)
        if message.last or (self._size > UNREAD_BYTES and len(self._unread) > 1):
            self._ended, self._error = True, message.error
        self._wake.set()

    async def next(self) -> bytes | None:
        while not self._unread:
            if self._error is not None:
                raise RequestError(self._error)
            if self._ended:
                return None
            await self._wake.wait()
        data = b"".join(self._unread)
        self._unread.clear()
        self._size = 0
        return data


class ChatsLink:
    """Owns what is asked of the chats and not answered, and who follows them. ``first``: as in ``FrontendGateway``."""

    def __init__(self, tell: Callable[[Address, Message], None], first: int = 0) -> None:
        self._tell = tell
        self._queries = OpenQueries(first)
        self._followers: dict[int, OpenFollower] = {}
        self._lost: ErrorInfo | None = None

    async def ask(self, operation: str, path: dict[str, str], body: bytes = b"{}") -> bytes:
        if self._lost is not None:
            raise RequestError(self._lost)
        caller = CALLER.get()

        def send(call: int) -> None:
            self._tell(CHATS, AskChats(call, operation, path, body, caller.name, caller.remote))

        return await self._queries.ask(send, ASK_SECONDS, SLOW)

    @asynccontextmanager
    async def follow(self, chat: str, after: str) -> AsyncIterator[OpenFollower]:
        if self._lost is not None:
            raise RequestError(self._lost)
        call = self._queries.number()
        follower = self._followers[call] = OpenFollower()
        self._tell(CHATS, FollowChat(call, chat, after))
        try:
            yield follower
        finally:
            self._followers.pop(call, None)
            self._tell(CHATS, LeaveChat(call))

    def on_reply(self, message: ChatReply) -> None:
        self._queries.answer(message.call, message.body, message.error)

    def on_events(self, message: ChatEvents) -> None:
        if (follower := self._followers.get(message.call)) is not None:
            follower.push(message)

    def reset(self, lost: ErrorInfo | None = None) -> None:
        """The chats know of nothing that was asked. ``lost``: why there are none any more."""
        self._lost = lost
        self._queries.fail_all(lost or RESTARTED)
        self.let_go()

    def let_go(self) -> None:
        """Ends whatever is followed: who is still there comes back."""
        for call in list(self._followers):
            self.on_events(ChatEvents(call, last=True))
