"""Chats and messages in their database: rows to structs and back. Knows no answers on their way."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import structs

from mlxr.actors.chats.database import Database
from mlxr.actors.chats.run import Piece, Run
from mlxr.api.chats.views import Chat, ChatTurn, ImagePart
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

_json = msgspec.json.Encoder()
_pack = msgspec.msgpack.Encoder()
_chat = msgspec.json.Decoder(Chat)
_turn = msgspec.json.Decoder(ChatTurn)
_run = msgspec.msgpack.Decoder(Run)
_piece = msgspec.msgpack.Decoder(Piece)

log = logging.getLogger("mlxr.chats")

T = TypeVar("T", covariant=True)

PAGE = 100
"""Chats of one list, where a browser does not say how many it wants."""
MOST = 1000


class Decoder(Protocol[T]):
    """Reads one kind of row."""

    def decode(self, buf: Any, /) -> T: ...


def new_id() -> str:
    """Returns an id; later ones are greater, but for those of the same millisecond."""
    return f"{int(time.time() * 1000):012x}{secrets.token_hex(5)}"


def not_found(what: str, id: str) -> RequestError:
    return RequestError(ErrorInfo(ErrorCode.NOT_FOUND, f"there is no {what} {id[:80]!r}; it may have been deleted"))


def _read(decoder: Decoder[T], body: Any, what: str, id: str) -> T:
    """Returns what is in a row. Raises ``RequestError`` in words where it can't be read, as after a disk's fault."""
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, TypeError) as error:
        log.error("the %s %s can't be read: %s", what, id, error)
        text = f"the {what} {id} can't be read: what the chats' file has of it is damaged ({error})"
        raise RequestError(ErrorInfo(ErrorCode.INTERNAL, text)) from error


class ChatStore:
    """Reads and writes; whoever changes something has a transaction open."""

    def __init__(self, database: Database) -> None:
        self.database = database

    # Chats.

    async def chat(self, id: str, *, deleted: bool = False) -> Chat:
        """Returns a chat; one that was deleted only where that is asked for. Raises ``RequestError``."""
        rows = await self.database.rows("SELECT body FROM chats WHERE id = ?", id)
        chat = _read(_chat, rows[0][0], "chat", id) if rows else None
        if chat is None or (chat.deleted is not None and not deleted):
            raise not_found("chat", id)
        return chat

    async def chats(
        self, *, limit: int = PAGE, after: str = "", folder: str | None = None, archived: bool | None = False
    ) -> tuple[list[Chat], str | None]:
        """Returns chats, those used last first, and what to ask for as ``after`` for more. One that can't be read is
        left out, which the database's ``notice`` says; so are temporary ones."""
        where, values = ["deleted IS NULL", "NOT temporary"], list[Any]()
        if archived is not None:
            where.append("archived = ?")
            values.append(archived)
        if folder is not None:
            where.append("folder IS ?")
            values.append(folder or None)
        if after:
            updated, _, id = after.partition(":")
            where.append("(updated, id) < (?, ?)")
            try:
                values += [float(updated), id]
            except ValueError as error:
                text = f"`after` is {after[:60]!r}, which no list of chats has given as its `next`"
                raise RequestError(ErrorInfo(ErrorCode.INVALID, text, "after")) from error
        query = (
            f"SELECT id, updated, body FROM chats WHERE {' AND '.join(where)} ORDER BY updated DESC, id DESC LIMIT ?"
        )
        rows = await self.database.rows(query, *values, limit + 1)
        found: list[Chat] = []
        for id, _, body in rows[:limit]:
            try:
                found.append(_read(_chat, body, "chat", id))
            except RequestError as error:
                self.database.notice = f"{error}; the others are listed"
        more = f"{rows[limit - 1][1]!r}:{rows[limit - 1][0]}" if len(rows) > limit else None
        return found, more

    async def expired(self, before: float) -> list[str]:
        """Returns the chats that were deleted before then."""
        rows = await self.database.rows("SELECT id FROM chats WHERE deleted < ?", before)
        return [id for (id,) in rows]

    async def temporary(self) -> list[tuple[str, float]]:
        """Returns the chats that are not kept, and when each was last used."""
        rows = await self.database.rows("SELECT id, updated FROM chats WHERE temporary AND deleted IS NULL")
        return [(id, updated) for id, updated in rows]

    async def put_chat(self, chat: Chat) -> Chat:
        """Writes a chat, as a new version of it. Returns that."""
        chat = structs.replace(chat, version=chat.version + 1, running=0)
        body = _json.encode(chat).decode()
        await self.database.execute(
            "INSERT INTO chats (id, folder, archived, updated, deleted, temporary, body) VALUES (?, ?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET folder = excluded.folder, archived = excluded.archived, "
            "updated = excluded.updated, deleted = excluded.deleted, temporary = excluded.temporary, "
            "body = excluded.body",
            chat.id, chat.folder, chat.archived, chat.updated, chat.deleted, chat.temporary, body,
        )  # fmt: skip
        await self.database.execute("DELETE FROM search WHERE chat = ? AND message IS NULL", chat.id)
        if chat.title and chat.deleted is None:
            await self._index(chat.title, chat.id, None)
        return chat

    async def remove_chat(self, id: str) -> None:
        """Deletes a chat and its messages for good, with attachments that nothing else has."""
        await self.database.execute("DELETE FROM search WHERE chat = ?", id)
        await self.database.execute("DELETE FROM chats WHERE id = ?", id)
        await self.drop_unused_attachments()

    # Messages.

    async def messages(self, chat: str) -> list[ChatTurn]:
        """Returns a chat's messages, in the order in which they were made."""
        rows = await self.database.rows("SELECT id, body FROM messages WHERE chat = ? ORDER BY number", chat)
        return [_read(_turn, body, "message", id) for id, body in rows]

    async def put_message(self, chat: str, turn: ChatTurn) -> None:
        body = _json.encode(turn).decode()
        await self.database.execute(
            "INSERT INTO messages (id, chat, open, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET open = excluded.open, body = excluded.body",
            turn.id, chat, turn.open, body,
        )  # fmt: skip
        if not turn.open:
            await self.database.execute("DELETE FROM search WHERE message = ?", turn.id)
            if text := turn.text:
                await self._index(text, chat, turn.id)
        for part in turn.content:
            if isinstance(part, ImagePart):
                await self.database.execute("INSERT OR IGNORE INTO uses VALUES (?, ?)", part.digest, turn.id)

    async def remove_messages(self, ids: Sequence[str]) -> None:
        for id in ids:
            await self.database.execute("DELETE FROM search WHERE message = ?", id)
            await self.database.execute("DELETE FROM messages WHERE id = ?", id)
        await self.drop_unused_attachments()

    async def open_messages(self) -> list[tuple[str, ChatTurn]]:
        """Returns the answers that were on their way, with their chats; what can't be read stays as it is."""
        rows = await self.database.rows("SELECT chat, id, body FROM messages WHERE open ORDER BY number")
        found: list[tuple[str, ChatTurn]] = []
        for chat, id, body in rows:
            with suppress(RequestError):
                found.append((chat, _read(_turn, body, "message", id)))
        return found

    async def _index(self, text: str, chat: str, message: str | None) -> None:
        await self.database.execute("INSERT INTO search (text, chat, message) VALUES (?, ?, ?)", text, chat, message)

    # What answers are gone on with.

    async def run(self, message: str) -> Run | None:
        rows = await self.database.rows("SELECT body FROM runs WHERE message = ?", message)
        return _read(_run, rows[0][0], "answer", message) if rows else None

    async def put_run(self, message: str, run: Run) -> None:
        await self.database.execute("INSERT OR REPLACE INTO runs VALUES (?, ?)", message, _pack.encode(run))

    async def remove_run(self, message: str) -> None:
        await self.database.execute("DELETE FROM runs WHERE message = ?", message)

    async def pieces(self, message: str) -> list[Piece]:
        rows = await self.database.rows("SELECT body FROM pieces WHERE message = ? ORDER BY start", message)
        return [_read(_piece, body, "answer", message) for (body,) in rows]

    async def put_piece(self, message: str, start: int, piece: Piece) -> None:
        await self.database.execute(
            "INSERT OR REPLACE INTO pieces VALUES (?, ?, ?)", message, start, _pack.encode(piece)
        )

    async def remove_pieces(self, message: str) -> None:
        await self.database.execute("DELETE FROM pieces WHERE message = ?", message)

    # Attachments that nothing has.

    async def drop_unused_attachments(self, older_than: float = 86_400.0) -> None:
        """Deletes the attachments that no message has; those of the last day may be for one that is being written."""
        await self.database.execute(
            "DELETE FROM attachments WHERE created < ? AND digest NOT IN (SELECT digest FROM uses)",
            time.time() - older_than,
        )
