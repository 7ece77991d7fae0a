"""What a transport asks about chats; the frontend passes it on to the actor that owns them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Follower(Protocol):
    """Somebody who is told of a chat, or of the list of chats."""

    async def next(self) -> bytes | None:
        """Waits for what comes next: server-sent events, ready for a socket; None at the end. Raises ``RequestError``
        for what can't be followed."""
        ...


class Chats(Protocol):
    async def ask(self, operation: str, path: dict[str, str], body: bytes = b"{}") -> bytes:
        """Returns what the operation gives: JSON, or bytes of another kind. Raises ``RequestError``."""
        ...

    def follow(self, chat: str, after: str) -> AbstractAsyncContextManager[Follower]:
        """Follows a chat, or the list where ``chat`` is empty, from behind the event of the id ``after`` on."""
        ...
