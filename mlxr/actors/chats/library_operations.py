"""Operations on what chats share: folders, presets, saved prompts, attachments."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping

import msgspec
from msgspec import structs

from mlxr.actors.chats.settings import ChatsSection
from mlxr.actors.chats.state import ChatState
from mlxr.actors.chats.store import new_id, not_found
from mlxr.api.chats.commands import SaveFolder, SavePreset, SavePrompt
from mlxr.api.chats.views import (
    Attachment,
    Folder,
    FolderList,
    Nothing,
    Preset,
    PresetList,
    SavedPrompt,
    SavedPromptList,
)
from mlxr.api.errors import invalid
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

Path = Mapping[str, str]

_MEDIA_TYPE = re.compile(r"[\w.+-]{1,100}/[\w.+-]{1,100}")


class LibraryOperations:
    """Keeps folders, presets, saved prompts and attachments."""

    def __init__(self, state: ChatState, section: ChatsSection) -> None:
        self._state = state
        self._database = state.store.database
        self._section = section

    # Folders.

    async def folders(self, path: Path) -> FolderList:
        rows = await self._database.rows(
            "SELECT folders.id, folders.name, COUNT(chats.id) FROM folders LEFT JOIN chats "
            "ON chats.folder = folders.id AND chats.deleted IS NULL GROUP BY folders.id ORDER BY folders.name"
        )
        return FolderList(folders=[Folder(id=id, name=name, chats=count) for id, name, count in rows])

    async def create_folder(self, path: Path, body: SaveFolder) -> Folder:
        async with self._state.turn:
            await self._unused("folders", body.name)
            folder = Folder(id=new_id(), name=body.name)
            async with self._database.transaction():
                await self._database.execute("INSERT INTO folders VALUES (?, ?)", folder.id, folder.name)
            return folder

    async def rename_folder(self, path: Path, body: SaveFolder) -> Folder:
        async with self._state.turn:
            id = await self.known("folders", path)
            await self._unused("folders", body.name, id)
            async with self._database.transaction():
                await self._database.execute("UPDATE folders SET name = ? WHERE id = ?", body.name, id)
        found = await self.folders(path)
        return next(folder for folder in found.folders if folder.id == id)

    async def delete_folder(self, path: Path) -> Nothing:
        """Deletes a folder; its chats stay, in none."""
        async with self._state.turn:
            id = await self.known("folders", path)
            store = self._state.store
            rows = await self._database.rows("SELECT id FROM chats WHERE folder = ?", id)
            chats = [structs.replace(await store.chat(chat, deleted=True), folder=None) for (chat,) in rows]
            async with self._database.transaction():
                put = [await store.put_chat(chat) for chat in chats]
                await self._database.execute("DELETE FROM folders WHERE id = ?", id)
            for chat in put:
                if chat.deleted is None:
                    self._state.announce(chat)
            return Nothing()

    # Presets.

    async def presets(self, path: Path) -> PresetList:
        rows = await self._database.rows("SELECT body FROM presets ORDER BY name")
        return PresetList(presets=[msgspec.json.decode(body, type=Preset) for (body,) in rows])

    async def create_preset(self, path: Path, body: SavePreset) -> Preset:
        return await self._put_preset(None, body)

    async def change_preset(self, path: Path, body: SavePreset) -> Preset:
        return await self._put_preset(path, body)

    async def _put_preset(self, path: Path | None, body: SavePreset) -> Preset:
        preset = Preset(
            id=path["preset"] if path else new_id(),
            name=body.name,
            system=body.system,
            model=body.model,
            parameters=body.parameters,
        )
        await self._put("presets", preset, path)
        return preset

    async def delete_preset(self, path: Path) -> Nothing:
        return await self._delete("presets", path)

    # Saved prompts.

    async def prompts(self, path: Path) -> SavedPromptList:
        rows = await self._database.rows("SELECT body FROM prompts ORDER BY name")
        return SavedPromptList(prompts=[msgspec.json.decode(body, type=SavedPrompt) for (body,) in rows])

    async def create_prompt(self, path: Path, body: SavePrompt) -> SavedPrompt:
        return await self._put_prompt(None, body)

    async def change_prompt(self, path: Path, body: SavePrompt) -> SavedPrompt:
        return await self._put_prompt(path, body)

    async def _put_prompt(self, path: Path | None, body: SavePrompt) -> SavedPrompt:
        prompt = SavedPrompt(id=path["prompt"] if path else new_id(), name=body.name, text=body.text)
        await self._put("prompts", prompt, path)
        return prompt

    async def delete_prompt(self, path: Path) -> Nothing:
        return await self._delete("prompts", path)

    # Attachments.

    async def attach(self, path: Path, body: bytes) -> Attachment:
        limit = self._section.max_attachment_bytes
        if len(body) > limit:
            text = f"the attachment has {len(body)} bytes, and chats.max_attachment_bytes allows {limit}"
            raise RequestError(ErrorInfo(ErrorCode.TOO_LARGE, text))
        if not body:
            raise invalid("the attachment is empty")
        media_type = path.get("media_type", "").partition(";")[0].strip().lower()
        if not _MEDIA_TYPE.fullmatch(media_type):
            media_type = "application/octet-stream"
        digest = "sha256:" + hashlib.sha256(body).hexdigest()
        async with self._state.turn, self._database.transaction():
            await self._database.execute(
                "INSERT INTO attachments VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (digest) DO UPDATE SET created = excluded.created",
                digest, media_type, len(body), time.time(), body,
            )  # fmt: skip
        return Attachment(digest=digest, media_type=media_type, size=len(body))

    async def attachment(self, path: Path) -> bytes:
        """Returns what was attached, behind a line with its media type."""
        rows = await self._database.rows("SELECT media_type, data FROM attachments WHERE digest = ?", path["digest"])
        if not rows:
            raise not_found("attachment", path["digest"])
        media_type, data = rows[0]
        return b"%b\n%b" % (media_type.encode(), data)

    # What they share.

    async def _put(self, table: str, made: Preset | SavedPrompt, path: Path | None) -> None:
        """Writes what is new, or changes what ``path`` names."""
        async with self._state.turn:
            if path is not None:
                await self.known(table, path)
            await self._unused(table, made.name, made.id)
            async with self._database.transaction():
                await self._database.execute(
                    f"INSERT INTO {table} VALUES (?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET name = excluded.name, body = excluded.body",
                    made.id, made.name, msgspec.json.encode(made).decode(),
                )  # fmt: skip

    async def _delete(self, table: str, path: Path) -> Nothing:
        async with self._state.turn, self._database.transaction():
            id = await self.known(table, path)
            await self._database.execute(f"DELETE FROM {table} WHERE id = ?", id)
        return Nothing()

    async def known(self, table: str, path: Path) -> str:
        """Returns the id that ``path`` has; raises ``RequestError`` where there is nothing of it."""
        what = table.removesuffix("s")
        id = path[what]
        if not await self._database.rows(f"SELECT 1 FROM {table} WHERE id = ?", id):
            raise not_found(what, id)
        return id

    async def _unused(self, table: str, name: str, id: str = "") -> None:
        if await self._database.rows(f"SELECT 1 FROM {table} WHERE name = ? AND id <> ?", name, id):
            kind = table.removesuffix("s")
            raise RequestError(ErrorInfo(ErrorCode.CONFLICT, f"there is a {kind} of the name {name!r} already"))
