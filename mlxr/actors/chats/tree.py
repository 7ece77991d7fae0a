"""A chat's messages as a tree: pure functions over them, in the order in which they were made."""

from __future__ import annotations

from collections.abc import Sequence

from mlxr.api.chats.views import ChatTurn


def path_to(messages: Sequence[ChatTurn], leaf: str | None) -> list[ChatTurn]:
    """Returns the branch that ends with ``leaf``, first message first; empty for None."""
    by_id = {message.id: message for message in messages}
    found: list[ChatTurn] = []
    while leaf is not None and (message := by_id.get(leaf)) is not None:
        found.append(message)
        leaf = message.parent
    return found[::-1]


def latest_through(messages: Sequence[ChatTurn], message: str) -> str:
    """Returns the end of the branch through ``message`` that at each fork takes the latest."""
    latest = {turn.parent: turn.id for turn in messages if turn.parent is not None}
    while message in latest:
        message = latest[message]
    return message


def subtree(messages: Sequence[ChatTurn], root: str) -> list[str]:
    """Returns ``root`` and all that follow it."""
    found = {root: None}
    for message in messages:
        if message.parent in found:
            found[message.id] = None
    return list(found)


def siblings(messages: Sequence[ChatTurn], message: ChatTurn) -> list[str]:
    """Returns the messages with the same parent, itself among them."""
    return [turn.id for turn in messages if turn.parent == message.parent]
