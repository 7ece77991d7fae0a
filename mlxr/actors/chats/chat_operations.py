"""Operations on chats as a whole."""

from __future__ import annotations

import time
from collections.abc import Mapping

from msgspec import UNSET, structs

from mlxr.actors.chats.answers import Answers
from mlxr.actors.chats.settings import ChatsSection
from mlxr.actors.chats.state import ChatState
from mlxr.actors.chats.store import MOST, PAGE, new_id, not_found
from mlxr.actors.chats.tree import latest_through
from mlxr.api.chats.commands import CreateChat, PatchChat
from mlxr.api.chats.views import Chat, ChatDetail, ChatList, Deleted
from mlxr.api.errors import invalid
from mlxr.api.whole_numbers import whole_number

Path = Mapping[str, str]

TEMPORARY_SECONDS = 3600.0
"""How long a temporary chat stays that nobody follows."""


class ChatOperations:
    """Makes, lists, changes and deletes chats."""

    def __init__(self, state: ChatState, answers: Answers, section: ChatsSection) -> None:
        self._state = state
        self._store = state.store
        self._answers = answers
        self._section = section
        self._begun = time.time()
        self._followed: dict[str, float] = {}
        """When each temporary chat was last seen to be followed, or to have an answer on its way."""

    async def list(self, path: Path) -> ChatList:
        limit = path.get("limit", str(PAGE))
        number = whole_number(limit)
        if number is None or not 1 <= number <= MOST:
            raise invalid(f"`limit` is {limit[:20]!r}; it is a number from 1 to {MOST}", "limit")
        archived = {"": False, "false": False, "true": True, "any": None}.get(path.get("archived", ""), UNSET)
        if archived is UNSET:
            raise invalid("`archived` is true, false or any", "archived")
        chats, more = await self._store.chats(
            limit=number, after=path.get("after", ""), folder=path.get("folder"), archived=archived
        )
        return ChatList(chats=[self._state.shown(chat) for chat in chats], next=more, notice=self._state.notice)

    async def create(self, path: Path, body: CreateChat) -> Chat:
        now = time.time()
        chat = Chat(
            id=new_id(),
            title=body.title,
            titled_by="user" if body.title else None,
            folder=await self.folder(body.folder),
            created=now,
            updated=now,
            model=body.model or None,
            system=body.system,
            parameters=body.parameters,
            temporary=body.temporary,
        )
        return await self.save(chat)

    async def get(self, path: Path) -> ChatDetail:
        return await self._state.detail(path["chat"])

    async def patch(self, path: Path, body: PatchChat) -> Chat:
        async with self._state.turn:
            chat = await self._store.chat(path["chat"])
            given = {name: getattr(body, name) for name in body.__struct_fields__}
            named = {name: value for name, value in given.items() if value is not UNSET}
            if "folder" in named:
                named["folder"] = await self.folder(named["folder"])
            if "title" in named:
                named["titled_by"] = "user" if named["title"] else None
            if "leaf" in named:
                messages = await self._store.messages(chat.id)
                if not any(message.id == named["leaf"] for message in messages):
                    raise not_found("message", named["leaf"])
                named["leaf"] = latest_through(messages, named["leaf"])
            if named.get("temporary"):
                # Its time begins now, however old it is.
                self._followed[chat.id] = time.time()
            return await self.save(structs.replace(chat, **named))

    async def delete(self, path: Path) -> Deleted:
        chat = await self._store.chat(path["chat"], deleted=True)
        await self._stop_all(chat.id)
        async with self._state.turn:
            now = time.time()
            undo = self._section.undo_seconds if path.get("now") not in ("true", "1") else 0.0
            chat = await self._store.chat(chat.id, deleted=True)
            if undo:
                async with self._store.database.transaction():
                    await self._store.put_chat(structs.replace(chat, deleted=now))
            else:
                await self._remove(chat.id)
            self._state.announce_removed(chat.id)
        # No more can begin now; some may have while the others were being stopped.
        await self._stop_all(chat.id)
        return Deleted(id=chat.id, undo_until=now + undo if undo else None)

    async def _stop_all(self, id: str) -> None:
        await self._answers.stop([answer.message for answer in self._state.live_of(id)])

    async def _remove(self, id: str) -> None:
        """Deletes a chat for good, with its answers on their way: nothing is to be written for what is gone."""
        async with self._store.database.transaction():
            await self._store.remove_chat(id)
        self._answers.drop_all(id)

    async def restore(self, path: Path) -> Chat:
        async with self._state.turn:
            chat = await self._store.chat(path["chat"], deleted=True)
            if chat.deleted is None:
                return self._state.shown(chat)
            if time.time() > chat.deleted + self._section.undo_seconds:
                raise not_found("chat", chat.id)
            return await self.save(structs.replace(chat, deleted=None))

    async def purge(self) -> None:
        """Deletes for good what was deleted long enough ago, and temporary chats that nobody looks at any more."""
        async with self._state.turn:
            now = time.time()
            for id in await self._store.expired(now - self._section.undo_seconds):
                await self._remove(id)
            for id in await self._left_alone(now):
                await self._remove(id)
                self._state.announce_removed(id)

    async def _left_alone(self, now: float) -> set[str]:
        """Returns the temporary chats that nobody has followed for long enough; a server that starts counts as once."""
        temporary = dict(await self._store.temporary())
        followed = {id: at for id, at in self._followed.items() if id in temporary}
        followed |= {id: now for id in temporary if self._state.followers.of(id) or self._state.live_of(id)}
        self._followed = followed
        last = {id: max(updated, followed.get(id, self._begun)) for id, updated in temporary.items()}
        return {id for id, at in last.items() if now - at > TEMPORARY_SECONDS}

    async def save(self, chat: Chat) -> Chat:
        """Writes a chat and tells everybody."""
        async with self._store.database.transaction():
            chat = await self._store.put_chat(chat)
        self._state.announce(chat)
        return self._state.shown(chat)

    async def folder(self, id: str | None) -> str | None:
        """Returns ``id``; raises ``RequestError`` where there is no such folder."""
        if id and not await self._store.database.rows("SELECT 1 FROM folders WHERE id = ?", id):
            raise not_found("folder", id)
        return id or None
