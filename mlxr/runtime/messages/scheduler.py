"""The scheduler's inbox: work to queue, and what became of each step."""

from __future__ import annotations

from enum import StrEnum

from mlxr.runtime.messages.common import Adapter, Constraint, DiskUse, ErrorInfo, Message, Sampling, TokenLogprob, Value
from mlxr.runtime.messages.kv import GroupPages
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import Cancel


class Task(StrEnum):
    GENERATE = "generate"
    EMBED = "embed"


class PromptSection(Value, frozen=True):
    """A part of a prompt, which ends before the token ``end``. ``own``: the client's, and not the template's."""

    name: str
    end: int
    own: bool = True


class MissKind(StrEnum):
    """Why a prompt has no more in the pool than it has.

    Attributes:
        DIFFERS: it goes on otherwise than any that was there.
        EVICTED: pages went to make room.
        RESTARTED: the pool is another one.
        ADAPTERS: others were applied to what begins alike.
        OFF: all of it is to be computed.
        SHORT: what begins alike fills no page.
        NOT_KEPT: no state was kept at a position that it shares, or pages are still being computed.
        MODEL, VERSION, BACKEND, LAYOUT: it is on disk, but another model computed it, or another version of mlxr or
            MLX, or another backend or processor, or the pages are of another type or size.
    """

    DIFFERS = "differs"
    EVICTED = "evicted"
    RESTARTED = "restarted"
    ADAPTERS = "adapters"
    OFF = "off"
    SHORT = "short"
    NOT_KEPT = "not_kept"
    MODEL = "model"
    VERSION = "version"
    BACKEND = "backend"
    LAYOUT = "layout"


class PrefixMiss(Value, frozen=True):
    """Attributes:
    tokens: how many it shares with the prompt that it could have reused most of; of EVICTED and NOT_KEPT, how many of
        these it lacks.
    of: how many it has; of SHORT, how many a page has.
    seconds: how long ago the first page that it lacks was evicted. ``request``: for whom; 0 where the pool shrank.
    """

    kind: MissKind
    tokens: int
    of: int
    seconds: float = 0.0
    request: int = 0


class Submit(Message, frozen=True):
    """Command: run ``n`` sequences over one prompt. ``max_tokens`` is already cut to what the context holds.

    Attributes:
        prompt_logprobs: report the prompt's own log-probabilities, with so many alternatives for each.
        client: whoever asks; those who wait are served client by client.
        adapters: what is added to the model, one after another.
        segment_start: the position from which tokens are of an encoder's second segment; None where none is.
        output: tokens of an answer that goes on, which count towards ``max_tokens``.
        tracked: the tokenizer is told how far the prompt is read.
        speculate: likely next tokens may be computed ahead, where the engine does that; the output is the same.
        prediction: tokens that its client expects the output to have much of.
        most_drafted: tokens of a draft at most; None for as many as are worth it.
        draft_model: the executor may make drafts itself, where it can.
        sections: what the prompt consists of; none where that is not known.
    """

    request: int
    tokens: TokenIds
    task: Task = Task.GENERATE
    n: int = 1
    max_tokens: int = 0
    sampling: Sampling = Sampling()
    stop_tokens: list[int] = []
    constraint: Constraint | None = None
    prompt_logprobs: int | None = None
    normalize: bool = True
    priority: int = 0
    client: str | None = None
    adapters: list[Adapter] = []
    segment_start: int | None = None
    output: TokenIds = TokenIds()
    tracked: bool = False
    speculate: bool = True
    prediction: TokenIds = TokenIds()
    most_drafted: int | None = None
    draft_model: bool = True
    sections: list[PromptSection] = []


class StopSequence(Message, frozen=True):
    """Command: this sequence's text has met a stop string; ``tokens`` of its output count, later ones are dropped."""

    sequence: int
    tokens: int


class Admitted(Message, frozen=True):
    """Event: the KV manager knows the sequence; its first ``cached`` prompt tokens need no prefill, and the rest has
    been promised pages. ``ticket`` is that of the ``Admit`` it answers. ``room``: as in ``KVStats``, now that these are
    promised. ``restored``: how many of ``cached`` were read from the disk. ``miss``: why it is no more."""

    sequence: int
    cached: int
    ticket: int
    room: list[int]
    restored: int = 0
    miss: PrefixMiss | None = None


class Deferred(Message, frozen=True):
    """Event: these rows of the step found no pages and were left out of it, as were those behind such a row.
    ``unknown``: sequences that hold nothing at all (what they were to share is gone) and must be admitted anew."""

    step: int
    sequences: list[int]
    pages_needed: int = 0
    unknown: list[int] = []


class Sampled(Value, frozen=True):
    """One sampled token. A row with a draft gives one for each accepted token, and the one behind them, in order.

    Attributes:
        error: why this sequence can't go on (its constraint failed, its logits were NaN).
        finished: its constraint allows nothing behind the token.
    """

    sequence: int
    token: int
    logprob: TokenLogprob | None = None
    error: ErrorInfo | None = None
    finished: bool = False


class Verified(Value, frozen=True):
    """A row's draft of ``drafted`` tokens was verified, and its first ``accepted`` were what is sampled anyway.

    ``unread``: tokens that the executor's own drafter, where it was asked for some of them, has still to read of the
    sequence before it can make any; below 0 where it will make none.
    """

    sequence: int
    drafted: int
    accepted: int
    unread: int = 0


class ForwardPass(Value, frozen=True):
    """A drafter has computed so many tokens, in so long."""

    tokens: int
    nanoseconds: int


class Forced(Value, frozen=True):
    """The sequence's constraint allows nothing behind its tokens but what ``tokens`` spell."""

    sequence: int
    tokens: list[int]


class SectionEnded(Value, frozen=True):
    """The sequence's reasoning is closed behind the first ``tokens`` of its output: its model would have ended there,
    which its tokens don't tell."""

    sequence: int
    tokens: int


class PromptLogprobsRow(Value, frozen=True):
    """Log-probabilities of prompt tokens from position ``start`` on."""

    sequence: int
    start: int
    logprobs: list[TokenLogprob]


class Pooled(Value, frozen=True):
    """Embedding of one sequence, little-endian float32."""

    sequence: int
    vector: bytes


class StepDone(Message, frozen=True):
    """Event: one step ran. Times in nanoseconds; ``wait_ns`` is how long the executor had nothing to run before it.

    ``done_ns`` is ``time.monotonic_ns`` of the executor's host, which all processes share. ``ran``: sequences whose
    rows were in the step; this may arrive before the KV manager's word on those that were not. ``lost``: sequences that
    were to get a token, and have been forgotten since. ``drafting``: what went before it to make drafts, which is no
    part of ``device_ns``.
    """

    epoch: int
    step: int
    sampled: list[Sampled]
    prompt_logprobs: list[PromptLogprobsRow] = []
    pooled: list[Pooled] = []
    device_ns: int = 0
    wait_ns: int = 0
    done_ns: int = 0
    ran: list[int] = []
    verified: list[Verified] = []
    forced: list[Forced] = []
    lost: list[int] = []
    ended_sections: list[SectionEnded] = []
    drafting: list[ForwardPass] = []


class StepFailed(Message, frozen=True):
    """Event: the step could not run; its sequences fail with ``reason``, the others go on."""

    epoch: int
    step: int
    sequences: list[int]
    reason: str


class ConstraintCompiled(Message, frozen=True):
    """Event: what the request's output must match is compiled, or can't be, for the reason ``error``."""

    epoch: int
    request: int
    error: str | None = None


class AdapterLoaded(Message, frozen=True):
    """Event: an adapter can be used, or can't be, for the reason ``error``."""

    epoch: int
    digest: str
    error: str | None = None


class DrafterKind(StrEnum):
    """What makes drafts on the device.

    Attributes:
        DRAFT_MODEL: a small model with the same vocabulary.
        MTP: heads of the model itself that predict further tokens.
    """

    DRAFT_MODEL = "draft_model"
    MTP = "mtp"


class DrafterInfo(Value, frozen=True):
    """What an executor makes drafts with itself. ``name``: of a draft model. ``cost``: about how long one token takes
    it, as a part of what it takes the model. ``reads``: it reads what came before a sequence's first draft then, and
    not while the model does."""

    kind: DrafterKind
    cost: float
    name: str = ""
    reads: bool = True


class ExecutorReady(Message, frozen=True):
    """Event: a model is loaded, with a pool of ``groups``.

    contents: whatever the contents of its pages depend on beside tokens, such as the model and the type of number that
        is stored.
    step_tokens: how many tokens of a prompt in one step suit the device.
    disk: whether it keeps pages on disk, too.
    drafter: what rows can have drafts made by; None where there is nothing.
    """

    epoch: int
    groups: list[GroupPages]
    contents: list[str] = []
    step_tokens: int = 512
    disk: bool = False
    drafter: DrafterInfo | None = None


class DrafterLost(Message, frozen=True):
    """Event: the executor makes no drafts any more."""

    epoch: int


class ExecutorLost(Message, frozen=True):
    """Event from the supervisor: the executor died; a new one with a higher epoch is on its way, or, when ``final``,
    is not."""

    epoch: int
    reason: str
    final: bool = False


class KVLost(Message, frozen=True):
    """Event: the KV manager was restarted and knows no sequence."""

    reason: str


class KVStats(Message, frozen=True):
    """Event: how the pool's pages are used.

    Attributes:
        used: pages that sequences hold, of all cache groups together.
        cached: pages kept only for reuse, likewise.
        total: all pages, likewise.
        room: of each cache group, pages that nobody holds and that no admitted sequence was promised for its prompt.
        disk: what is below the pool; None where there is nothing.
    """

    used: int
    cached: int
    total: int
    room: list[int]
    disk: DiskUse | None = None


SchedulerInbox = (
    Submit
    | Cancel
    | StopSequence
    | Admitted
    | Deferred
    | StepDone
    | StepFailed
    | ConstraintCompiled
    | AdapterLoaded
    | ExecutorReady
    | DrafterLost
    | ExecutorLost
    | KVLost
    | KVStats
)
