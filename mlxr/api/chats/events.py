"""What those who follow a chat, or the list of chats, are told; ``docs/ui-api.md`` has the protocol."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from mlxr.api.chats.views import Chat, ChatLogprob

Stage = Literal["loading", "queued", "prefill"]


class ChatEvent(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the data of events that are no view by themselves."""


class CallDelta(ChatEvent, frozen=True, kw_only=True):
    """A piece of a tool call; ``id`` and ``name`` come with its first."""

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class AnswerDelta(ChatEvent, frozen=True, kw_only=True):
    """What is added to a message, which had ``start`` tokens and has ``tokens`` now."""

    message: str
    start: int
    tokens: int
    text: str = ""
    reasoning: str = ""
    tool_calls: list[CallDelta] = []
    logprobs: list[ChatLogprob] = []


class AnswerWaits(Struct, frozen=True, kw_only=True):
    """What an answer waits for: its model (``loading``), its turn (``queued``), or its prompt (``prefill``), of which
    ``done`` of ``total`` tokens are read."""

    message: str
    stage: Stage
    done: int = 0
    total: int = 0


class MessagesRemoved(Struct, frozen=True, kw_only=True):
    messages: list[str]


class ChatRemoved(Struct, frozen=True, kw_only=True):
    id: str


class ChatsReset(Struct, frozen=True, kw_only=True):
    """The list is to be read again. ``chats``: those whose answers are on their way."""

    running: list[Chat] = []


class ChatsNotice(Struct, frozen=True, kw_only=True):
    """What people should know of all chats, in a sentence; None where that is over."""

    notice: str | None
