"""What importing a file comes to, whatever its format: chats, attachments, and what was left out, in words."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from mlxr.actors.chats.store import new_id
from mlxr.actors.chats.tree import path_to
from mlxr.api.chats.views import Chat, ChatTurn, ContentPart, TextPart

LONGEST_TITLE = 400


@dataclass(slots=True)
class ImportedChat:
    """``folder``: the name of the one that it was in."""

    chat: Chat
    messages: list[ChatTurn]
    folder: str | None = None


@dataclass(slots=True)
class Imports:
    """``attachments``: media types and bytes. ``left_out``: what could not be taken, a sentence each."""

    format: str
    chats: list[ImportedChat] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    attachments: list[tuple[str, bytes]] = field(default_factory=list)


def renewed(imported: ImportedChat) -> ImportedChat:
    """Returns a chat with ids of its own, so that it stands beside one that it is a copy of. Answers that were on their
    way are taken as stopped, and so are those that call tools: a file makes nothing run. A message whose parent is not
    there begins a branch of its own. A chat that names no model goes on with the one that answered last."""
    ids: dict[str, str] = {}
    turns: list[ChatTurn] = []
    for turn in imported.messages:
        ids[turn.id] = new_id()
        changes: dict[str, Any] = {"id": ids[turn.id], "parent": ids.get(turn.parent or ""), "continuable": False}
        if turn.open or turn.state == "tools":
            changes |= {"state": "stopped", "finish_reason": "cancelled"}
        if any(call.result is None for call in turn.tool_calls):
            changes["tool_calls"] = [
                call if call.result is not None else structs.replace(call, state="denied") for call in turn.tool_calls
            ]
        turns.append(structs.replace(turn, **changes))
    leaf = ids.get(imported.chat.leaf or "", turns[-1].id if turns else None)
    answered = [turn.model for turn in path_to(turns, leaf) if turn.role == "assistant" and turn.model]
    chat = structs.replace(
        imported.chat,
        id=new_id(),
        model=imported.chat.model or (answered[-1] if answered else None),
        folder=None,
        leaf=leaf,
        version=0,
        running=0,
        temporary=False,
        deleted=None,
        title=imported.chat.title[:LONGEST_TITLE],
    )
    return ImportedChat(chat, turns, imported.folder)


def called(title: object, otherwise: str) -> str:
    """Returns what a chat is called where something of it was left out."""
    return title.strip()[:80] or otherwise if isinstance(title, str) else otherwise


def chat_of(title: object, created: object, updated: object, leaf: str | None = None) -> Chat:
    """Returns a chat of another tool's words for it."""
    begun = seconds(created)
    name = title.strip()[:LONGEST_TITLE] if isinstance(title, str) else ""
    return Chat(
        id="",
        title=name,
        titled_by="user" if name else None,
        created=begun,
        updated=seconds(updated, begun),
        leaf=leaf,
    )


def turn_of(id: str, parent: str | None, role: str, text: str, created: object, **more: Any) -> ChatTurn:
    content: list[ContentPart] = [TextPart(text=text)] if text else []
    known: Any = role
    finish = "stop" if role == "assistant" else None
    return ChatTurn(
        id=id, parent=parent, role=known, created=seconds(created), content=content, finish_reason=finish, **more
    )


def seconds(value: object, otherwise: float | None = None) -> float:
    """Returns a time in seconds since the epoch, also of one in milliseconds or nanoseconds."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        return time.time() if otherwise is None else otherwise
    while value > 1e11:
        value /= 1000
    return float(value)
