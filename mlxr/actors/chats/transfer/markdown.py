"""A chat's branch in view as Markdown, for people; and back, as far as Markdown says."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from mlxr.actors.chats.prompt import fenced
from mlxr.actors.chats.transfer.imported import ImportedChat, Imports, chat_of, turn_of
from mlxr.actors.chats.tree import path_to
from mlxr.api.chats.views import ChatDetail, ChatTurn, FilePart, ImagePart

FORMAT = "markdown"
_HEADS = {"system": "System", "user": "User", "assistant": "Assistant"}
_ROLES = {head: role for role, head in _HEADS.items()}
_HEAD = re.compile(r"^## (User|Assistant|System)(?: \((.*)\))?$")
_TITLE = re.compile(r"^# (.*)$")
_ESCAPED = re.compile(r"^(\\*)(## (?:User|Assistant|System)\b|# )", re.MULTILINE)
_UNESCAPED = re.compile(r"^\\(\\*)(## (?:User|Assistant|System)\b|# )", re.MULTILINE)


def to_markdown(detail: ChatDetail) -> str:
    """Returns the branch in view. Lines of texts that look like our heads are escaped."""
    chat = detail.chat
    parts = [f"# {_one_line(chat.title) or 'Chat'}"]
    if chat.system:
        parts.append(f"## System\n\n{_escaped(chat.system)}")
    parts += [_section(turn) for turn in path_to(detail.messages, chat.leaf)]
    return "\n\n".join(parts) + "\n"


def several_to_markdown(details: Sequence[ChatDetail]) -> str:
    return "\n".join(map(to_markdown, details))


def is_markdown(text: str) -> bool:
    return any(_HEAD.match(line) for line in _lines(text))


def read_markdown(text: str) -> Imports:
    """Returns the chats of a file: each begins with a title, or is the only one."""
    imports = Imports(FORMAT)
    title, sections = "", list[tuple[str, str, list[str]]]()

    def close() -> None:
        if sections:
            imports.chats.append(_chat(title, sections))

    for line in _lines(text):
        if found := _HEAD.match(line):
            sections.append((_ROLES[found[1]], found[2] or "", []))
        elif found := _TITLE.match(line):
            close()
            title, sections = found[1], []
        elif sections:
            sections[-1][2].append(line)
        elif line.strip():
            imports.left_out.append(f"text before the first message: {line.strip()[:60]!r}")
    close()
    return imports


def _chat(title: str, sections: list[tuple[str, str, list[str]]]) -> ImportedChat:
    now = time.time()
    turns: list[ChatTurn] = []
    parent: str | None = None
    for index, (role, model, lines) in enumerate(sections):
        more = {"model": model} if model and role == "assistant" else {}
        text = _UNESCAPED.sub(r"\1\2", "\n".join(lines).strip("\n"))
        turns.append(turn_of(str(index), parent, role, text, now, **more))
        parent = str(index)
    return ImportedChat(chat_of(title, now, now, parent), turns)


def _section(turn: ChatTurn) -> str:
    model = _one_line(turn.model or "") if turn.role == "assistant" else ""
    head = f"## {_HEADS[turn.role]}" + (f" ({model})" if model else "")
    parts: list[str] = []
    for part in turn.content:
        if isinstance(part, ImagePart):
            parts.append(f"*(image: {part.name or part.digest})*")
        elif isinstance(part, FilePart):
            parts.append(f"*{part.name}*\n\n{fenced(part.text)}")
        else:
            parts.append(part.text)
    for call in turn.tool_calls:
        parts.append(f"*{call.name}*\n\n{fenced(call.arguments)}")
        if call.result is not None:
            parts.append(fenced(call.result))
    return "\n\n".join([head, *map(_escaped, parts)])


def _lines(text: str) -> list[str]:
    """Returns the lines of ``text`` as ``_escaped`` sees them: a form feed, say, ends none."""
    return text.replace("\r\n", "\n").split("\n")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _escaped(text: str) -> str:
    return _ESCAPED.sub(r"\\\1\2", text)
