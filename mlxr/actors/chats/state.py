"""What the chats' rooms share: the store, the answers on their way, those who follow, and the turn to change things."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Sequence

import anyio
from msgspec import structs

from mlxr.actors.chats.followers import Followers, parsed, position
from mlxr.actors.chats.live_answer import LiveAnswer
from mlxr.actors.chats.run import Run
from mlxr.actors.chats.store import ChatStore
from mlxr.api import sse
from mlxr.api.chats.events import ChatRemoved, ChatsNotice, ChatsReset, MessagesRemoved
from mlxr.api.chats.views import Chat, ChatDetail, ChatTurn
from mlxr.api.whole_numbers import whole_number

LIST = ""
"""What those follow who follow the list of chats."""
MOST_LIST_EVENTS = 256


class ChatState:
    """One change at a time: who changes something holds ``turn``.

    Attributes:
        live: the answers on their way, by their messages.
        unsaved: messages that have ended and could not be written yet, with their chats.
    """

    def __init__(self, store: ChatStore, followers: Followers) -> None:
        self.store = store
        self.followers = followers
        self.turn = anyio.Lock()
        self.live: dict[str, LiveAnswer] = {}
        self.unsaved: dict[str, tuple[str, ChatTurn, Run | None]] = {}
        self._problem: str | None = None
        self._versions: dict[str, int] = {}
        self._listed: deque[tuple[int, bytes]] = deque(maxlen=MOST_LIST_EVENTS)
        self._number = 0
        self._life = secrets.token_hex(4)

    @property
    def problem(self) -> str | None:
        """Why nothing can be written; None where it can."""
        return self._problem

    @problem.setter
    def problem(self, problem: str | None) -> None:
        if problem != self._problem:
            self._problem = problem
            self._tell_list("notice", ChatsNotice(notice=self.notice))

    @property
    def notice(self) -> str | None:
        return self._problem or self.store.database.notice

    def live_of(self, chat: str) -> list[LiveAnswer]:
        return [answer for answer in self.live.values() if answer.chat == chat]

    def shown(self, chat: Chat) -> Chat:
        """Returns ``chat`` with how many of its answers are on their way."""
        return structs.replace(chat, running=len(self.live_of(chat.id)))

    def turns_shown(self, messages: Sequence[ChatTurn]) -> list[ChatTurn]:
        """Returns ``messages`` as they are now."""
        return [self._turn_shown(message) for message in messages]

    def _turn_shown(self, message: ChatTurn) -> ChatTurn:
        if (answer := self.live.get(message.id)) is not None:
            return answer.view()
        return self.unsaved[message.id][1] if message.id in self.unsaved else message

    async def detail(self, id: str) -> ChatDetail:
        chat = await self.store.chat(id)
        messages = await self.store.messages(id)
        self._versions[id] = chat.version
        return ChatDetail(chat=self.shown(chat), messages=self.turns_shown(messages))

    def position(self, chat: str) -> str:
        return position(self._versions.get(chat, 0), self.live_of(chat))

    def knows(self, chat: Chat) -> None:
        """Takes note of a chat's version."""
        self._versions[chat.id] = chat.version

    def announce(self, chat: Chat, *turns: ChatTurn) -> None:
        """Tells everybody of a change that was written."""
        self._versions[chat.id] = chat.version
        shown = self.shown(chat)
        for turn in turns:
            self.followers.tell(chat.id, "message", self._turn_shown(turn))
        # The last one alone has an id: who leaves before it has not had all of the change.
        self.followers.tell(chat.id, "chat", shown, self.position(chat.id))
        if not chat.temporary:
            self._tell_list("chat", shown)

    def announce_unsaved(self, chat: str, turn: ChatTurn) -> None:
        """Tells of an answer that has ended and can't be written yet."""
        self.followers.tell(chat, "message", turn, self.position(chat))

    def announce_messages_removed(self, chat: Chat, messages: list[str]) -> None:
        self._versions[chat.id] = chat.version
        self.followers.tell(chat.id, "messages_removed", MessagesRemoved(messages=messages))
        self.announce(chat)

    def announce_removed(self, chat: str) -> None:
        self._versions.pop(chat, None)
        self.followers.tell(chat, "removed", ChatRemoved(id=chat))
        self.followers.end(chat)
        self._tell_list("removed", ChatRemoved(id=chat))

    def _tell_list(self, name: str, data: object) -> None:
        self._number += 1
        encoded = sse.event(name, data, f"{self._life}-{self._number}")
        self._listed.append((self._number, encoded))
        self.followers.tell_encoded(LIST, encoded)

    # Those who begin to follow.

    async def follow_list(self, call: int, after: str) -> None:
        life, _, number = after.rpartition("-")
        known = whole_number(number) if life == self._life else None
        if known is None or (self._listed and self._listed[0][0] > known + 1):
            running = [await self.store.chat(id) for id in {answer.chat for answer in self.live.values()}]
            reset = ChatsReset(running=[self.shown(chat) for chat in running if not chat.temporary])
            self.followers.send(call, sse.event("reset", reset, f"{self._life}-{self._number}"))
        else:
            for at, encoded in self._listed:
                if at > known:
                    self.followers.send(call, encoded)
        self.followers.add(call, LIST)

    async def follow(self, call: int, id: str, after: str) -> None:
        """Sends what was missed, then all that happens. Call within ``turn``. Raises ``RequestError``."""
        chat = await self.store.chat(id)
        self._versions[id] = chat.version
        live = self.live_of(id)
        known = parsed(after)
        if known is None or known[0] != chat.version or known[1].keys() != {answer.message for answer in live}:
            detail = await self.detail(id)
            self.followers.send(call, sse.event("snapshot", detail, self.position(id)))
            self.followers.add(call, id)
            return
        follower = self.followers.add(call, id)
        for answer in live:
            tokens = known[1][answer.message]
            if tokens > answer.tokens:
                follower.ahead[answer.message] = tokens
            elif tokens < answer.tokens:
                missed = answer.since(tokens)
                data = sse.event("message", answer.view()) if missed is None else sse.event("delta", missed)
                self.followers.send(call, data)
        if live:
            # What was sent just now has no id of its own: this one stands for all of it.
            self.followers.send(call, sse.event("chat", self.shown(chat), self._resumed_position(chat, follower.ahead)))

    def _resumed_position(self, chat: Chat, ahead: dict[str, int]) -> str:
        live = self.live_of(chat.id)
        tokens = [f"{a.message}={max(a.tokens, ahead.get(a.message, 0))}" for a in live]
        return ";".join([str(chat.version), *tokens])
