"""The chats' inbox: what browsers ask about chats, and what becomes of their answers."""

from __future__ import annotations

from mlxr.runtime.messages.common import ErrorInfo, Json, Message, Usage
from mlxr.runtime.messages.frontend import Delta
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Generate


class AskChats(Message, frozen=True):
    """Command: do ``operation``; ``ChatReply`` answers it.

    Attributes:
        call: its number.
        operation: one of the actor's table.
        path: what the path, and what stands behind its question mark, say: ids, filters.
        body: the operation's struct (``mlxr.api.chats.commands``), or bytes of another kind that it takes.
        client: whoever asks.
        remote: whether that may be on another machine.
    """

    call: int
    operation: str
    path: dict[str, str]
    body: Json = b"{}"
    client: str | None = None
    remote: bool = True


class FollowChat(Message, frozen=True):
    """Command: tell (``ChatEvents``) what happens in a chat, or in the list of chats where ``chat`` is empty, from
    behind the event ``after`` on; "" for from now on."""

    call: int
    chat: str = ""
    after: str = ""


class LeaveChat(Message, frozen=True):
    """Command: nobody follows by this number any more."""

    call: int


class AnswerStarted(Message, frozen=True):
    """Event: the prompt of an answer is queued.

    Attributes:
        answer: its number.
        command: as it was sent, with all that the model's own defaults have put in.
        prompt: its token ids.
        digest: of the model that answers.
        model: the model's name.
        load_seconds: how long the model took to load.
    """

    answer: int
    command: Generate
    prompt: TokenIds
    digest: str
    model: str
    load_seconds: float = 0.0


class AnswerDeltas(Message, frozen=True):
    """Event: what an answer has got, in order."""

    answer: int
    items: list[Delta]


class AnswerPrefill(Message, frozen=True):
    """Event: so many tokens of an answer's prompt are read; of ``total`` 0 while its model loads."""

    answer: int
    done: int
    total: int


class AnswerEnded(Message, frozen=True):
    """Event: an answer's request has ended; ``error`` says why it failed, None where it did not."""

    answer: int
    usage: Usage
    error: ErrorInfo | None = None


class FrontendUp(Message, frozen=True):
    """Event: the frontend has begun a life, and knows of no answer and no follower."""


ChatsInbox = AskChats | FollowChat | LeaveChat | AnswerStarted | AnswerDeltas | AnswerPrefill | AnswerEnded | FrontendUp
