"""What is shown of chats: each struct is both kept by the actor and given to browsers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Temperature = Annotated[float, Meta(ge=0, le=2)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Divisor = Annotated[float, Meta(ge=0.01, le=100)]
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Title = Annotated[str, Meta(max_length=400)]

Role = Literal["system", "user", "assistant"]
State = Literal["waiting", "streaming", "tools", "done", "cut", "stopped", "failed"]
"""Of a message. ``waiting``: its model loads, or its prompt is read. ``tools``: its calls wait for results. ``cut``: it
ended for length. Only the first two are answers on their way."""
CallState = Literal["waiting", "running", "done", "failed", "denied"]


class View(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is shown."""


class AnswerParameters(View, frozen=True, kw_only=True):
    """How an answer is made; what is left out is the model's own default.

    stop: strings that end it.
    reasoning_effort: none, low, medium or high; null leaves it to the model.
    reasoning_budget: tokens that reasoning may take.
    top_logprobs: how many alternatives are told beside each token's log-probability; null for none.
    json_schema: what the answer must match; ``true`` for any JSON object.
    context_length: caps the context below the model's own.
    keep_alive: seconds that the model stays loaded afterwards, negative for ever.
    """

    temperature: Temperature | None = None
    top_p: Probability | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    min_p: Probability | None = None
    typical_p: Probability | None = None
    repetition_penalty: Divisor | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    penalty_window: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    seed: Seed | None = None
    max_tokens: Count | None = None
    stop: Annotated[list[str], Meta(max_length=64)] | None = None
    reasoning_effort: Literal["none", "low", "medium", "high"] | None = None
    reasoning_budget: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    json_schema: dict[str, Any] | bool | None = None
    context_length: Count | None = None
    keep_alive: float | None = None


class TextPart(View, frozen=True, kw_only=True, tag_field="type", tag="text"):
    text: str


class ImagePart(View, frozen=True, kw_only=True, tag_field="type", tag="image"):
    """An attachment (``/api/ui/attachments``) by its digest: ``sha256:`` and 64 hexadecimal digits."""

    digest: Annotated[str, Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]
    media_type: str = ""
    name: str = ""


class FilePart(View, frozen=True, kw_only=True, tag_field="type", tag="file"):
    """The text of a file, under its name."""

    name: str
    text: str
    media_type: str = "text/plain"


ContentPart = TextPart | ImagePart | FilePart


class ChatTool(View, frozen=True, kw_only=True):
    """A function that an answer may call; ``parameters`` is a JSON schema."""

    name: Annotated[str, Meta(min_length=1, max_length=256)]
    description: str = ""
    parameters: dict[str, Any] | None = None
    strict: bool = False


class ChatCall(View, frozen=True, kw_only=True):
    """A tool call of an answer.

    arguments: JSON text, as the model wrote it.
    state: waiting (for approval, or a tab to run it), running, done, failed, denied.
    result: what came of it, in text; null before.
    """

    id: str
    name: str
    arguments: str = ""
    state: CallState = "waiting"
    result: str | None = None


class ChatUsage(View, frozen=True, kw_only=True):
    """What an answer took. Times are in seconds, null where they are not known.

    ttft: from its start to its first token, the load of its model included.
    load: of that, what the model took to load.
    drafted_tokens, accepted_tokens: of its drafts, how many tokens were verified, and were right.
    tokens_per_second: of its tokens after the first.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    ttft: float | None = None
    load: float | None = None
    seconds: float | None = None
    tokens_per_second: float | None = None


class Alternative(View, frozen=True, kw_only=True):
    token: str
    logprob: float


class ChatLogprob(View, frozen=True, kw_only=True):
    """A token of an answer with its log-probability, and the likeliest ones there, best first."""

    token: str
    logprob: float
    top: list[Alternative] = []


class ChatTurn(View, frozen=True, kw_only=True):
    """A message of a chat.

    parent: the message before it; null for the first. Messages with the same parent are each other's branches, in the
        order in which they are listed.
    created: seconds since the epoch.
    content: an assistant's has one text part at most.
    reasoning_seconds: how long it reasoned, null where it did not.
    model, parameters: that made it; ``parameters.seed`` is the one that was drawn, where none was asked for.
    tools: what it may call.
    tokens: that it has so far.
    finish_reason: stop, length, tool_calls or cancelled; null before its end.
    error: why it failed, or what is wrong with it, in words.
    continuable: it can be gone on with (``.../continue``).
    """

    id: str
    parent: str | None = None
    role: Role
    created: float
    content: list[ContentPart] = []
    reasoning: str = ""
    reasoning_seconds: float | None = None
    tool_calls: list[ChatCall] = []
    tools: list[ChatTool] = []
    tool_choice: str = "auto"
    state: State = "done"
    model: str | None = None
    parameters: AnswerParameters | None = None
    usage: ChatUsage | None = None
    tokens: int = 0
    finish_reason: str | None = None
    error: str | None = None
    logprobs: list[ChatLogprob] | None = None
    continuable: bool = False

    @property
    def text(self) -> str:
        """What its parts say, files among them."""
        return "\n\n".join(part.text for part in self.content if not isinstance(part, ImagePart))

    @property
    def open(self) -> bool:
        """Whether it is an answer on its way."""
        return self.state in ("waiting", "streaming")


class Chat(View, frozen=True, kw_only=True):
    """A chat without its messages.

    titled_by: message (its first one), model, or user; null while it has no title.
    folder: the id of its folder, null for none.
    created, updated: seconds since the epoch; ``updated`` is when something was last said in it.
    version: grows with every change but the growth of answers.
    leaf: the message that the branch in view ends with, null for an empty chat.
    system: the system prompt; empty for the model's own.
    temporary: it is not kept: no list, search or export of all chats has it, and it is deleted for good once nobody
        has followed it for an hour.
    running: how many of its answers are on their way.
    deleted: when it was deleted, null where it was not; it can be restored for a while.
    """

    id: str
    title: str = ""
    titled_by: Literal["message", "model", "user"] | None = None
    folder: str | None = None
    pinned: bool = False
    archived: bool = False
    created: float
    updated: float
    version: int = 0
    leaf: str | None = None
    model: str | None = None
    system: str = ""
    parameters: AnswerParameters = AnswerParameters()
    temporary: bool = False
    running: int = 0
    deleted: float | None = None


class ChatDetail(View, frozen=True, kw_only=True):
    """A chat with all of its messages, in the order in which they were made: a parent is before its children."""

    chat: Chat
    messages: list[ChatTurn]


class ChatList(View, frozen=True, kw_only=True):
    """``next``: what to ask for as ``after`` to get more; null where there is no more. ``notice``: what people should
    know of their chats as a whole, in a sentence: that a damaged file of them was set aside, or can't be written to."""

    chats: list[Chat]
    next: str | None = None
    notice: str | None = None


class Answers(View, frozen=True, kw_only=True):
    """What sending, regenerating or giving results led to: ``message`` is what was sent, null where nothing was."""

    chat: Chat
    message: ChatTurn | None = None
    answers: list[ChatTurn] = []


class Deleted(View, frozen=True, kw_only=True):
    """``undo_until``: until when ``.../restore`` brings it back, seconds since the epoch; null: it is gone."""

    id: str
    undo_until: float | None = None


class Folder(View, frozen=True, kw_only=True):
    id: str
    name: str
    chats: int = 0


class FolderList(View, frozen=True, kw_only=True):
    folders: list[Folder]


class Preset(View, frozen=True, kw_only=True):
    """A system prompt and parameters under a name."""

    id: str
    name: str
    system: str = ""
    model: str | None = None
    parameters: AnswerParameters = AnswerParameters()


class PresetList(View, frozen=True, kw_only=True):
    presets: list[Preset]


class SavedPrompt(View, frozen=True, kw_only=True):
    """A text to send, under a name that ``/name`` in the composer finds; ``{{word}}`` in it is asked for."""

    id: str
    name: str
    text: str


class SavedPromptList(View, frozen=True, kw_only=True):
    prompts: list[SavedPrompt]


class Attachment(View, frozen=True, kw_only=True):
    digest: str
    media_type: str
    size: int


class SnippetPart(View, frozen=True, kw_only=True):
    """``hit``: the text is what was searched for."""

    text: str
    hit: bool = False


class SearchHit(View, frozen=True, kw_only=True):
    """A chat that has what was searched for. ``message`` is where, null for its title."""

    chat: Chat
    message: str | None = None
    snippet: list[SnippetPart]


class SearchResult(View, frozen=True, kw_only=True):
    hits: list[SearchHit]


class ImportReport(View, frozen=True, kw_only=True):
    """``left_out``: what could not be taken, each in a sentence."""

    format: str
    chats: list[Chat]
    left_out: list[str]


class Nothing(View, frozen=True, kw_only=True):
    """Nothing more to say: it is done."""
