"""An export of our own: JSON with a version. It has what was said and how, and no secret: none is in a chat."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from msgspec import Struct

from mlxr.actors.chats.transfer.imported import ImportedChat, Imports
from mlxr.api.chats.views import Chat, ChatDetail, ChatTurn

FORMAT: Literal["mlxr-chats"] = "mlxr-chats"
VERSION = 1


class ArchivedAttachment(Struct, frozen=True, kw_only=True):
    """``data``: base64 in JSON."""

    digest: str
    media_type: str
    data: bytes


class ArchivedChat(Struct, frozen=True, kw_only=True):
    """``folder``: its name."""

    chat: Chat
    messages: list[ChatTurn]
    folder: str | None = None


class Archive(Struct, frozen=True, kw_only=True):
    format: str = FORMAT
    version: int = VERSION
    exported: float = 0.0
    chats: list[ArchivedChat] = []
    attachments: list[ArchivedAttachment] = []


class _Head(Struct):
    format: str = ""
    version: int = 0


class _Loose(Struct):
    """An archive of which each chat is decoded by itself, so that one that is broken costs no other."""

    chats: list[msgspec.Raw] = []
    attachments: list[msgspec.Raw] = []


def archive(details: list[tuple[ChatDetail, str | None]], attachments: list[ArchivedAttachment]) -> bytes:
    """Returns the JSON of chats, each with its folder's name."""
    chats = [ArchivedChat(chat=detail.chat, messages=detail.messages, folder=folder) for detail, folder in details]
    return msgspec.json.encode(Archive(exported=round(time.time(), 3), chats=chats, attachments=attachments))


def is_archive(head: object) -> bool:
    return isinstance(head, dict) and head.get("format") == FORMAT


def read_archive(raw: bytes) -> Imports:
    """Raises ``ValueError`` in words for an archive of a newer version."""
    head = msgspec.json.decode(raw, type=_Head)
    if head.version > VERSION:
        raise ValueError(
            f"a newer mlxr wrote this export (version {head.version}, this one reads {VERSION}); update mlxr"
        )
    loose = msgspec.json.decode(raw, type=_Loose)
    imports = Imports(FORMAT)
    for index, each in enumerate(loose.chats):
        try:
            archived = msgspec.json.decode(each, type=ArchivedChat)
        except (msgspec.MsgspecError, ValueError) as error:
            imports.left_out.append(f"chat {index + 1} can't be read: {error}")
            continue
        imports.chats.append(ImportedChat(archived.chat, archived.messages, archived.folder))
    for each in loose.attachments:
        try:
            attached = msgspec.json.decode(each, type=ArchivedAttachment)
        except (msgspec.MsgspecError, ValueError) as error:
            imports.left_out.append(f"an attachment can't be read: {error}")
            continue
        imports.attachments.append((attached.media_type, attached.data))
    return imports
