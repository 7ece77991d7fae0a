"""Operations that take chats out of here and in."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
from msgspec import structs

from mlxr.actors.chats.library_operations import LibraryOperations
from mlxr.actors.chats.state import ChatState
from mlxr.actors.chats.store import MOST, new_id
from mlxr.actors.chats.transfer.archive import ArchivedAttachment, archive
from mlxr.actors.chats.transfer.imported import ImportedChat, renewed
from mlxr.actors.chats.transfer.markdown import several_to_markdown
from mlxr.actors.chats.transfer.reading import read_chats
from mlxr.api.chats.views import Chat, ChatDetail, ImagePart, ImportReport
from mlxr.api.errors import invalid
from mlxr.runtime.errors import RequestError

Path = Mapping[str, str]

FORMATS = ("json", "markdown")
MOST_NAMED, LONGEST_REASON = 200, 400
"""Things left out that a report names, and characters of each."""


class TransferOperations:
    """Exports and imports."""

    def __init__(self, state: ChatState, library: LibraryOperations) -> None:
        self._state = state
        self._store = state.store
        self._library = library

    async def export(self, path: Path) -> bytes:
        """Returns one chat, or all of them; JSON has all branches, Markdown the one in view."""
        kind = path.get("format", "json")
        if kind not in FORMATS:
            raise invalid(f"`format` is {kind[:40]!r}; it is one of {', '.join(FORMATS)}", "format")
        ids = [path["chat"]] if "chat" in path else await self._all()
        details = [await self._state.detail(id) for id in ids]
        if kind == "markdown":
            return several_to_markdown(details).encode()
        folders = {folder.id: folder.name for folder in (await self._library.folders(path)).folders}
        attachments = [await self._attachment(digest) for digest in sorted(_digests(details))]
        named = [(detail, folders.get(detail.chat.folder or "")) for detail in details]
        found = [each for each in attachments if each is not None]
        return await anyio.to_thread.run_sync(archive, named, found)

    async def _all(self) -> list[str]:
        ids: list[str] = []
        after: str | None = ""
        while after is not None:
            chats, after = await self._store.chats(limit=MOST, after=after, archived=None)
            ids += [chat.id for chat in chats]
        return ids

    async def _attachment(self, digest: str) -> ArchivedAttachment | None:
        rows = await self._store.database.rows("SELECT media_type, data FROM attachments WHERE digest = ?", digest)
        return ArchivedAttachment(digest=digest, media_type=rows[0][0], data=rows[0][1]) if rows else None

    async def import_chats(self, path: Path, body: bytes) -> ImportReport:
        """Takes all chats of a file, or says in words why it can't. Each chat comes whole or not at all."""
        folder = await self._library.known("folders", path) if path.get("folder") else None
        try:
            imports = await anyio.to_thread.run_sync(read_chats, body)
        except ValueError as error:
            raise invalid(f"nothing was imported: {error}") from error
        left_out = list(imports.left_out)
        for media_type, data in imports.attachments:
            try:
                await self._library.attach({"media_type": media_type}, data)
            except RequestError as error:
                left_out.append(str(error))
        taken: list[Chat] = []
        for imported in imports.chats:
            # A disk that is full leaves those that came before.
            taken.append(await self._take(renewed(imported), folder))
        if not taken and not left_out:
            left_out.append("the file has no chat")
        named = [reason[:LONGEST_REASON] for reason in left_out[:MOST_NAMED]]
        if (more := len(left_out) - MOST_NAMED) > 0:
            named.append(f"and {more} more")
        return ImportReport(format=imports.format, chats=taken, left_out=named)

    async def _take(self, imported: ImportedChat, folder: str | None) -> Chat:
        async with self._state.turn:
            async with self._store.database.transaction():
                if folder is None and imported.folder:
                    folder = await self._folder_named(imported.folder)
                chat = structs.replace(imported.chat, folder=folder)
                # The row that its messages refer to comes first.
                chat = await self._store.put_chat(chat)
                for turn in imported.messages:
                    await self._store.put_message(chat.id, turn)
            self._state.announce(chat)
            return self._state.shown(chat)

    async def _folder_named(self, name: str) -> str:
        name = name[:200]
        rows = await self._store.database.rows("SELECT id FROM folders WHERE name = ?", name)
        if rows:
            return str(rows[0][0])
        id = new_id()
        await self._store.database.execute("INSERT INTO folders VALUES (?, ?)", id, name)
        return id


def _digests(details: list[ChatDetail]) -> set[str]:
    turns = (turn for detail in details for turn in detail.messages)
    return {part.digest for turn in turns for part in turn.content if isinstance(part, ImagePart)}
