"""What is asked about chats. An operation has the name of its struct here, or none where there is nothing to say beyond
the path."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from mlxr.api.chats.views import AnswerParameters, CallState, ChatTool, ContentPart, Role, Title

ModelName = Annotated[str, Meta(max_length=4096)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
PromptName = Annotated[str, Meta(min_length=1, max_length=60, pattern=r"\A[^\s/]+\Z")]


class Command(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is asked. A field that nobody knows is refused by name."""


class CreateChat(Command, frozen=True, kw_only=True):
    title: Title = ""
    folder: str | None = None
    model: ModelName | None = None
    system: str = ""
    parameters: AnswerParameters = AnswerParameters()
    temporary: bool = False


class PatchChat(Command, frozen=True, kw_only=True):
    """Changes what it names. ``leaf``: a message; the branch in view is then the latest one through it. ``temporary``:
    false keeps the chat after all."""

    title: Title | UnsetType = UNSET
    folder: str | UnsetType | None = UNSET
    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    model: ModelName | UnsetType | None = UNSET
    system: str | UnsetType = UNSET
    parameters: AnswerParameters | UnsetType = UNSET
    temporary: bool | UnsetType = UNSET
    leaf: str | UnsetType = UNSET


class AnswerRequest(Command, frozen=True, kw_only=True):
    """An answer that is wanted.

    model: empty for the chat's, or else the loaded one.
    parameters: null for the chat's.
    tools: what it may call.
    tool_choice: auto, none, required, or a tool's name.
    """

    model: ModelName = ""
    parameters: AnswerParameters | None = None
    tools: list[ChatTool] = []
    tool_choice: Annotated[str, Meta(min_length=1, max_length=256)] = "auto"


class SendMessage(Command, frozen=True, kw_only=True):
    """Adds a message, and has it answered.

    parent: the message that it follows; left out: the end of the branch in view; null: it is a first one. The parent of
        another message makes it a branch beside that, as when somebody edits what they wrote.
    answers: one for each answer that is wanted, each a branch of its own; none for no answer.
    """

    content: Annotated[list[ContentPart], Meta(min_length=1, max_length=256)]
    role: Role = "user"
    parent: str | UnsetType | None = UNSET
    answers: Annotated[list[AnswerRequest], Meta(max_length=8)] = field(default_factory=lambda: [AnswerRequest()])


class AnswerAgain(Command, frozen=True, kw_only=True):
    """Has a user's message answered (again), or an answer's: the new ones are branches beside the old.

    answers: what is left out of each is as it was in the answer that is made again.
    """

    answers: Annotated[list[AnswerRequest], Meta(min_length=1, max_length=8)] = field(
        default_factory=lambda: [AnswerRequest()]
    )


class ContinueAnswer(Command, frozen=True, kw_only=True):
    """``max_tokens``: how many more; null for what its parameters say."""

    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class ToolResult(Command, frozen=True, kw_only=True):
    """``state``: done, failed or denied; ``result`` is what the model is told in any case."""

    call: str
    result: str
    state: Literal["done", "failed", "denied"] = "done"


class ToolResults(Command, frozen=True, kw_only=True):
    """Results of calls, in any number. Those that came before stand; once each call has one, the answer goes on."""

    results: Annotated[list[ToolResult], Meta(min_length=1, max_length=256)]


class PatchCall(Command, frozen=True, kw_only=True):
    """Tells the other tabs that a call was approved and runs, or waits again."""

    state: CallState


class SaveFolder(Command, frozen=True, kw_only=True):
    name: Name


class SavePreset(Command, frozen=True, kw_only=True):
    name: Name
    system: str = ""
    model: ModelName | None = None
    parameters: AnswerParameters = AnswerParameters()


class SavePrompt(Command, frozen=True, kw_only=True):
    """``name``: without spaces and slashes, so that it can be typed behind one."""

    name: PromptName
    text: Annotated[str, Meta(min_length=1, max_length=100_000)]


class Empty(Command, frozen=True, kw_only=True):
    """Nothing beyond the path."""
