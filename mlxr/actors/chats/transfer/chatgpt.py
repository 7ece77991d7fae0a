"""ChatGPT's ``conversations.json``: a list of conversations, each a tree of nodes (``mapping``)."""

from __future__ import annotations

from typing import Any

from mlxr.actors.chats.transfer.imported import ImportedChat, Imports, called, chat_of, turn_of
from mlxr.api.chats.views import ChatTurn

FORMAT = "chatgpt"
_ROLES = frozenset({"user", "assistant", "system"})
_TEXTS = frozenset({"text", "code", "execution_output", "multimodal_text", "tether_quote"})
_SILENT = frozenset({"user_editable_context", "model_editable_context", "reasoning_recap"})
"""Content that no reader of the conversation was shown."""


def is_chatgpt(head: object) -> bool:
    """Whether it is such a list, or one conversation."""
    first = head[0] if isinstance(head, list) and head else head
    return isinstance(first, dict) and isinstance(first.get("mapping"), dict)


def read_chatgpt(value: Any) -> Imports:
    imports = Imports(FORMAT)
    for index, conversation in enumerate(value if isinstance(value, list) else [value]):
        if not isinstance(conversation, dict) or not isinstance(conversation.get("mapping"), dict):
            imports.left_out.append(f"conversation {index + 1} has no messages (`mapping`)")
            continue
        name = called(conversation.get("title"), f"conversation {index + 1}")
        left_out: list[str] = []
        turns = _Reader(conversation["mapping"], left_out).read()
        imports.left_out += [f"{name}: {reason}" for reason in dict.fromkeys(left_out)]
        if not turns:
            imports.left_out.append(f"{name}: it has no message")
            continue
        known = {turn.id for turn in turns}
        leaf = conversation.get("current_node")
        chat = chat_of(
            conversation.get("title"),
            conversation.get("create_time"),
            conversation.get("update_time"),
            leaf if isinstance(leaf, str) and leaf in known else None,
        )
        imports.chats.append(ImportedChat(chat, turns))
    return imports


class _Reader:
    """Reads one conversation's nodes, parents first. ``left_out``: where what can't be taken is named."""

    def __init__(self, mapping: dict[str, Any], left_out: list[str]) -> None:
        self._mapping = mapping
        self._left_out = left_out
        self._kept: dict[str, str | None] = {}
        """The nearest kept message at or above a node."""
        self._turns: list[ChatTurn] = []

    def read(self) -> list[ChatTurn]:
        following: dict[str | None, list[str]] = {}
        for id, node in self._mapping.items():
            parent = _parent(node)
            following.setdefault(parent if parent in self._mapping else None, []).append(id)
        # Those that follow each other in a circle have no first: each that is left begins a branch.
        for first in [*following.get(None, []), *self._mapping]:
            waiting = [first]
            while waiting:
                id = waiting.pop()
                if id in self._kept:
                    continue
                node = self._mapping[id]
                above = self._kept.get(_parent(node) or "")
                turn = self._turn(id, above, node)
                self._kept[id] = above if turn is None else id
                if turn is not None:
                    self._turns.append(turn)
                waiting += [*reversed(following.get(id, [])), *reversed(self._children(node))]
        return self._turns

    def _children(self, node: Any) -> list[str]:
        children = node.get("children") if isinstance(node, dict) else None
        children = children if isinstance(children, list) else []
        return [child for child in children if isinstance(child, str) and child in self._mapping]

    def _turn(self, id: str, above: str | None, node: Any) -> ChatTurn | None:
        message = node.get("message") if isinstance(node, dict) else None
        if not isinstance(message, dict):
            return None
        author, content = message.get("author") or {}, message.get("content") or {}
        metadata = message.get("metadata") or {}
        if not all(isinstance(part, dict) for part in (author, content, metadata)):
            self._left_out.append("a message of a form that is not known")
            return None
        role, kind = str(author.get("role")), str(content.get("content_type"))
        if metadata.get("is_visually_hidden_from_conversation") or kind in _SILENT:
            return None
        if role == "tool":
            self._left_out.append("results of ChatGPT's own tools")
            return None
        if role not in _ROLES or kind not in (_TEXTS | {"thoughts"}):
            self._left_out.append(f"content of the kind {kind[:40]!r}")
            return None
        if kind == "thoughts":
            self._left_out.append("thoughts of a model, which belong to no answer there")
            return None
        text = self._text(content)
        if not text:
            return None
        model = metadata.get("model_slug")
        more = {"model": model} if isinstance(model, str) and role == "assistant" else {}
        return turn_of(id, above, role, text, message.get("create_time"), **more)

    def _text(self, content: dict[str, Any]) -> str:
        if isinstance(content.get("text"), str):
            return str(content["text"])
        texts: list[str] = []
        parts = content.get("parts")
        for part in parts if isinstance(parts, list) else []:
            if isinstance(part, str):
                texts.append(part)
            elif isinstance(part, dict) and isinstance(part.get("text"), str):
                texts.append(part["text"])
            else:
                self._left_out.append("images and files, which the export does not hold")
        return "\n\n".join(text for text in texts if text)


def _parent(node: Any) -> str | None:
    parent = node.get("parent") if isinstance(node, dict) else None
    return parent if isinstance(parent, str) else None
