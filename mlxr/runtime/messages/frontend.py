"""The frontend's inbox: what open client streams wait for."""

from __future__ import annotations

from mlxr.runtime.messages.catalogue import EngineInfo, MemoryInfo, ModelEntry
from mlxr.runtime.messages.common import (
    DiskUse,
    ErrorInfo,
    FinishReason,
    Json,
    Message,
    TextLogprob,
    Usage,
    Value,
)
from mlxr.runtime.messages.tokenizer import Generate


class ToolCallDelta(Value, frozen=True):
    """A piece of a tool call of one choice.

    index: the call's number among those of its choice.
    id: with the call's first piece, None with others.
    name: likewise.
    arguments: pieces join to the call's JSON text.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


class Delta(Value, frozen=True):
    """What one step adds to choice ``index`` of a request. ``tokens``: how many tokens this piece stands for. ``ids``:
    of a tracked request, the tokens since its last delta."""

    request: int
    index: int = 0
    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCallDelta] = []
    logprobs: list[TextLogprob] = []
    tokens: int = 0
    finish: FinishReason | None = None
    stop_string: str | None = None
    ids: list[int] = []


class Deltas(Message, frozen=True):
    """Event: new text of one step, all requests of it together. ``done_ns`` as in ``Tokens``."""

    items: list[Delta]
    done_ns: int | None = None


class Started(Message, frozen=True):
    """Event: the prompt is tokenized and queued. Text and ids only where ``echo`` asked for them. ``unheld``: as in
    ``Constraint``."""

    request: int
    prompt_tokens: int
    text: str = ""
    tokens: list[int] = []
    token_text: list[bytes] = []
    unheld: tuple[str, ...] = ()


class PromptProgress(Message, frozen=True):
    """Event: ``done`` of the ``total`` prompt tokens of a tracked request are read."""

    request: int
    done: int
    total: int


class PromptLogprobs(Message, frozen=True):
    """Event: log-probabilities of prompt tokens from ``start`` on."""

    request: int
    start: int
    logprobs: list[TextLogprob]


class Finished(Message, frozen=True):
    """Outcome: all choices are complete. ``tokens``: prompt and output ids, for surfaces that hand them back."""

    request: int
    usage: Usage
    tokens: list[int] = []


class Failed(Message, frozen=True):
    """Outcome: the request failed; text already sent stands."""

    request: int
    error: ErrorInfo


class Embedding(Message, frozen=True):
    """Outcome: ``vector`` is little-endian float32; of a pair, its one number is the score. ``truncated``: the input
    was longer than the context, and was cut."""

    request: int
    vector: bytes
    usage: Usage
    truncated: bool = False


class Tokenized(Message, frozen=True):
    """Outcome of ``Tokenize`` and ``Detokenize``: what was asked for, and how many tokens they are."""

    request: int
    tokens: list[int]
    text: str
    pieces: list[bytes] = []
    count: int = 0


class Catalog(Message, frozen=True):
    """Event: the whole catalogue, and every engine, after any change to either.

    stamp: ``Home.stamp`` of before the catalogue was read, None where it was not.
    ticket: that of the latest ``SendCatalog`` that this takes account of.
    memory: as it is now, None where nobody has looked.
    """

    models: list[ModelEntry]
    engines: list[EngineInfo]
    stamp: str | None = None
    ticket: int | None = None
    memory: MemoryInfo | None = None


class JobsChanged(Message, frozen=True):
    """Event: what has become of long work. ``changes``: the JSON of ``mlxr.api.jobs.JobChanges``."""

    changes: Json


class RegistryReply(Message, frozen=True):
    """Event: progress or outcome of a registry command.

    status: what is being done, in Ollama's words.
    digest: of the part that is being fetched, None where nothing is.
    total: bytes of that part, None where they are not known.
    completed: bytes of it that are here.
    last: nothing follows.
    error: why the command failed; comes with the last one.
    body: what was asked for, with the last one.
    """

    request: int
    status: str = ""
    digest: str | None = None
    total: int | None = None
    completed: int = 0
    last: bool = False
    error: ErrorInfo | None = None
    body: Json = b"null"


class ProfileReply(Message, frozen=True):
    """Event: the profile's answer to one command: ``body``, or why it was refused."""

    request: int
    body: Json = b"null"
    error: ErrorInfo | None = None


class DraftCount(Value, frozen=True):
    """Of drafts of one kind, how many tokens were verified, and were right."""

    kind: str
    drafted: int
    accepted: int


class EngineStats(Message, frozen=True):
    """Event, at most one a second an engine: what /metrics shows. Counters count since the engine started.
    ``prefill_tokens``, ``decode_rows``: what was planned of prompts, and of rows of a token each. ``drafted_tokens``,
    ``accepted_tokens``: what was verified of drafts, and was right; ``drafts``: of which kinds. ``disk``: as in
    ``KVStats``."""

    engine: str
    running: int
    waiting: int
    pages_used: int
    pages_cached: int
    pages_total: int
    steps: int
    prompt_tokens: int
    generated_tokens: int
    cached_tokens: int
    preemptions: int
    executor_restarts: int
    device_seconds: float = 0.0
    wait_seconds: float = 0.0
    prefill_tokens: int = 0
    decode_rows: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    disk: DiskUse | None = None
    drafts: list[DraftCount] = []
    drafter_failures: int = 0


class MonitorEvent(Value, frozen=True):
    """Something that whoever follows the monitor is told. ``id``: what to go on from; ``body``: JSON."""

    id: int
    name: str
    body: Json


class MonitorReply(Message, frozen=True):
    """Outcome of what the monitor was asked."""

    request: int
    body: Json = b"null"
    error: ErrorInfo | None = None


class MonitorEvents(Message, frozen=True):
    """Event: ``events`` for all those of ``requests`` that still follow."""

    requests: list[int]
    events: list[MonitorEvent]


class MonitorStarted(Message, frozen=True):
    """Event: the monitor knows nothing of what it was asked before."""


class EngineLost(Message, frozen=True):
    """Event: this engine will answer nothing it was asked before now."""

    engine: str
    error: ErrorInfo


class ChatReply(Message, frozen=True):
    """Outcome of ``AskChats``: JSON, or bytes of another kind, or why not."""

    call: int
    body: Json = b"null"
    error: ErrorInfo | None = None


class ChatEvents(Message, frozen=True):
    """Event: what a follower is sent next, ready for its socket. ``last``: nothing follows; ``error`` may say why."""

    call: int
    data: bytes = b""
    last: bool = False
    error: ErrorInfo | None = None


class RunAnswer(Message, frozen=True):
    """Command: have ``model`` answer as any client's request is answered; the chats are told what becomes of it.

    Attributes:
        answer: a number that the chats have given it.
        model: empty for the loaded one.
        given: the sampling parameters that were asked for; others are the model's own.
        settled: ``command`` was sent before, and has the model's defaults already.
        digest: the model that began the answer; empty where none has.
        client: whoever asked.
        remote: whether that may have been on another machine.
        keep_alive: as in requests.
    """

    answer: int
    model: str
    command: Generate
    given: dict[str, float] = {}
    settled: bool = False
    digest: str = ""
    client: str | None = None
    remote: bool = True
    keep_alive: float | None = None


class StopAnswer(Message, frozen=True):
    """Command: abort an answer. It ends with ``AnswerEnded`` where it has not."""

    answer: int


class ChatsUp(Message, frozen=True):
    """Event: the chats have begun a life, and run no answer yet.

    restarted: they had one before, and know nothing of what that was asked. What was asked before the first begins is
        in its inbox.
    """

    restarted: bool


class ChatsLost(Message, frozen=True):
    """Event: there are no chats any more, for a reason in words."""

    reason: str


class Drain(Message, frozen=True):
    """Command: take no new requests; those that are in may finish."""


FrontendInbox = (
    Deltas
    | Started
    | PromptLogprobs
    | Finished
    | Failed
    | Embedding
    | Tokenized
    | Catalog
    | JobsChanged
    | RegistryReply
    | ProfileReply
    | EngineStats
    | MonitorReply
    | MonitorEvents
    | MonitorStarted
    | EngineLost
    | PromptProgress
    | ChatReply
    | ChatEvents
    | RunAnswer
    | StopAnswer
    | ChatsUp
    | ChatsLost
    | Drain
)
