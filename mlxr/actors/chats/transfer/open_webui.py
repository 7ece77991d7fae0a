"""Open WebUI's exports: a list of chats, each with ``chat.history`` (a tree of messages), or one of them."""

from __future__ import annotations

import re
from typing import Any

from mlxr.actors.chats.transfer.imported import ImportedChat, Imports, called, chat_of, turn_of
from mlxr.api.chats.views import ChatTurn

FORMAT = "open-webui"
_ROLES = frozenset({"user", "assistant", "system"})
_OPENS, _CLOSES = '<details type="reasoning"', "</details>"
_DURATION = re.compile(r"duration=\"(\d{1,9})\"")
_QUOTE = re.compile(r"^(?:>|&gt;) ?", re.MULTILINE)


def is_open_webui(head: object) -> bool:
    first = head[0] if isinstance(head, list) and head else head
    return isinstance(first, dict) and _history(first) is not None


def read_open_webui(value: Any) -> Imports:
    imports = Imports(FORMAT)
    for index, entry in enumerate(value if isinstance(value, list) else [value]):
        history = _history(entry)
        if history is None:
            imports.left_out.append(f"chat {index + 1} has no messages (`chat.history`)")
            continue
        inner = entry["chat"] if isinstance(entry.get("chat"), dict) else entry
        title = entry.get("title") or inner.get("title")
        name = called(title, f"chat {index + 1}")
        left_out: list[str] = []
        turns = _turns(history, left_out)
        imports.left_out += [f"{name}: {reason}" for reason in dict.fromkeys(left_out)]
        if not turns:
            imports.left_out.append(f"{name}: it has no message")
            continue
        leaf = history.get("currentId")
        chat = chat_of(
            title,
            entry.get("created_at") or inner.get("timestamp"),
            entry.get("updated_at"),
            leaf if any(turn.id == leaf for turn in turns) else None,
        )
        imports.chats.append(ImportedChat(chat, turns))
    return imports


def _history(entry: object) -> dict[str, Any] | None:
    inner = entry.get("chat", entry) if isinstance(entry, dict) else None
    history = inner.get("history") if isinstance(inner, dict) else None
    return history if isinstance(history, dict) and isinstance(history.get("messages"), dict) else None


def _turns(history: dict[str, Any], left_out: list[str]) -> list[ChatTurn]:
    """Returns the messages, parents first."""
    messages: dict[str, Any] = {id: each for id, each in history["messages"].items() if isinstance(each, dict)}
    if len(messages) < len(history["messages"]):
        left_out.append("messages of a form that is not known")
    children: dict[str | None, list[str]] = {}
    for id, message in messages.items():
        parent = message.get("parentId")
        known = isinstance(parent, str) and parent in messages
        children.setdefault(parent if known else None, []).append(id)
    turns: list[ChatTurn] = []
    seen: set[str] = set()
    # Those that follow each other in a circle have no first: each that is left begins a branch.
    for first in [*children.get(None, []), *messages]:
        waiting: list[tuple[str, str | None]] = [(first, None)]
        while waiting:
            id, above = waiting.pop()
            if id in seen:
                continue
            seen.add(id)
            turn = _turn(id, above, messages[id], left_out)
            if turn is not None:
                turns.append(turn)
            following = children.get(id, [])
            waiting += [(child, above if turn is None else id) for child in reversed(following)]
    return turns


def _turn(id: str, above: str | None, message: dict[str, Any], left_out: list[str]) -> ChatTurn | None:
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in _ROLES or not isinstance(content, str):
        left_out.append(f"a message of {repr(role)[:40]}, which is not known here")
        return None
    if message.get("files"):
        left_out.append("files and images, which the export does not hold")
    more: dict[str, Any] = {}
    if role == "assistant":
        if isinstance(model := message.get("model"), str):
            more["model"] = model
        content, more["reasoning"], more["reasoning_seconds"] = _apart(content)
    return turn_of(id, above, role, content, message.get("timestamp"), **more)


def _apart(content: str) -> tuple[str, str, float | None]:
    """Returns an answer's text, its reasoning, and how long that took."""
    said: list[str] = []
    reasoning: list[str] = []
    duration: float | None = None
    at = 0
    # No expression with a lazy middle: what is opened a thousand times and never closed would be read as often.
    while (begin := content.find(_OPENS, at)) >= 0:
        inside = content.find(">", begin) + 1
        end = content.find(_CLOSES, inside) if inside else -1
        if end < 0:
            break
        if took := _DURATION.search(content[begin:inside]):
            duration = (duration or 0.0) + float(took[1])
        reasoning.append(_QUOTE.sub("", _without_summary(content[inside:end])).strip())
        said.append(content[at:begin])
        at = end + len(_CLOSES)
        while content[at : at + 1].isspace():
            at += 1
    return "".join([*said, content[at:]]), "\n\n".join(reasoning), duration


def _without_summary(thought: str) -> str:
    before, _, rest = thought.partition("<summary>")
    _, closed, after = rest.partition("</summary>")
    return before.rstrip() + after.lstrip() if closed else thought
