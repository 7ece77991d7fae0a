"""Those who follow a chat, or the list of chats: what each is sent, and from where on.

The id of a chat's event says how far its reader is: the chat's version, and of each answer on its way how many tokens
it has (``12;MESSAGE=340``). So a reader who comes back gets just what it missed, also from a server that was killed and
has to make the last tokens again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlxr.actors.chats.live_answer import LiveAnswer
from mlxr.api import sse
from mlxr.api.chats.events import AnswerDelta
from mlxr.runtime.messages.common import ErrorInfo
from mlxr.runtime.messages.frontend import ChatEvents

Tell = Callable[[ChatEvents], None]


def position(version: int, live: Sequence[LiveAnswer]) -> str:
    """Returns the id of an event after which a reader knows all there is now."""
    return ";".join([str(version), *(f"{answer.message}={answer.tokens}" for answer in live)])


def parsed(id: str) -> tuple[int, dict[str, int]] | None:
    """Returns the version and the tokens that an id says; None for what is none of ours."""
    version, *rest = id.split(";")
    try:
        pairs = (part.rpartition("=") for part in rest)
        return int(version), {message: int(tokens) for message, _, tokens in pairs}
    except ValueError:
        return None


@dataclass(slots=True)
class Follower:
    """``ahead``: of answers that the reader knows more of than there is (again) yet, how many tokens."""

    call: int
    ahead: dict[str, int] = field(default_factory=dict)

    def own(self, id: str) -> str:
        """Returns an event's id as it is for a reader who knows more."""
        version, tokens = parsed(id) or (0, {})
        known = {message: max(count, self.ahead.get(message, 0)) for message, count in tokens.items()}
        return ";".join([str(version), *(f"{message}={count}" for message, count in known.items())])


class Followers:
    """Owns who follows what."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._by_chat: dict[str, dict[int, Follower]] = {}
        self._chats: dict[int, str] = {}

    def of(self, chat: str) -> bool:
        """Whether anybody follows ``chat``."""
        return bool(self._by_chat.get(chat))

    def add(self, call: int, chat: str) -> Follower:
        follower = Follower(call)
        self._by_chat.setdefault(chat, {})[call] = follower
        self._chats[call] = chat
        return follower

    def leave(self, call: int) -> None:
        chat = self._chats.pop(call, None)
        if chat is not None:
            self._by_chat[chat].pop(call, None)
            if not self._by_chat[chat]:
                del self._by_chat[chat]

    def clear(self) -> None:
        self._by_chat.clear()
        self._chats.clear()

    def send(self, call: int, data: bytes) -> None:
        self._tell(ChatEvents(call, data))

    def refuse(self, call: int, error: ErrorInfo) -> None:
        self._tell(ChatEvents(call, last=True, error=error))

    def tell(self, chat: str, name: str, data: Any, id: str = "") -> None:
        """Tells everybody who follows ``chat``."""
        encoded = b""
        for call, follower in (self._by_chat.get(chat) or {}).items():
            if follower.ahead and id:
                self.send(call, sse.event(name, data, follower.own(id)))
                continue
            encoded = encoded or sse.event(name, data, id)
            self.send(call, encoded)

    def tell_encoded(self, chat: str, data: bytes) -> None:
        for call in list(self._by_chat.get(chat) or {}):
            self.send(call, data)

    def tell_delta(self, chat: str, answer: LiveAnswer, delta: AnswerDelta, id: str) -> None:
        """Tells them what an answer got; nobody gets twice what it had before the server was killed."""
        encoded = b""
        for call, follower in (self._by_chat.get(chat) or {}).items():
            ahead = follower.ahead.get(answer.message, 0)
            if ahead > delta.start:
                if delta.tokens < ahead:
                    continue
                del follower.ahead[answer.message]
                if delta.tokens > ahead:
                    # It was cut elsewhere the last time.
                    self.send(call, sse.event("message", answer.view(), id))
                continue
            encoded = encoded or sse.event("delta", delta, id)
            self.send(call, encoded)

    def end(self, chat: str) -> None:
        """Nothing more is to be told of ``chat``."""
        for call in list(self._by_chat.get(chat) or {}):
            self._tell(ChatEvents(call, last=True))
            self.leave(call)
