"""What the scheduler knows of requests and their sequences."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from mlxr.runtime.messages.common import Sampling, Usage
from mlxr.runtime.messages.kv import RowSetup
from mlxr.runtime.messages.scheduler import Submit, Task
from mlxr.runtime.messages.token_ids import TokenIds


class Status(Enum):
    """Where a sequence stands.

    Attributes:
        QUEUED: it waits for its turn.
        ADMITTING: it waits for the KV manager's answer.
        RUNNING: its rows may be planned.
        FORKING: it waits for the first choice to finish the shared prompt.
        DONE: it takes no more tokens.
    """

    QUEUED = auto()
    ADMITTING = auto()
    RUNNING = auto()
    FORKING = auto()
    DONE = auto()


@dataclass(slots=True, eq=False)
class Request:
    """One submitted request.

    Attributes:
        order: its place in the queue, smaller first, which never changes.
        started, first_token: when its prompt was begun and its first token came, in seconds.
        drafted_tokens, accepted_tokens: of its sequences' drafts, how many tokens were verified, and were right.
        crashes: how many executors died while they ran it.
        alone_until: up to which of its tokens it runs alone, since it may be why a step failed; 0 for not.
        suspected: how many steps have failed that it shared with others.
        miss: why no more of its prompt was found in the pool, in words.
        compiling: the executor is to compile its constraint and has not answered.
        compiled: it has, so that nothing is wrong with the constraint.
    """

    submit: Submit
    order: tuple[int, int]
    sequences: list[Sequence] = field(default_factory=list)
    started: float | None = None
    first_token: float | None = None
    completion_tokens: int = 0
    cached_tokens: int = 0
    restored_tokens: int = 0
    miss: str = ""
    alone_until: int = 0
    suspected: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    crashes: int = 0
    compiling: bool = False
    compiled: bool = False

    @property
    def done(self) -> bool:
        return all(sequence.status is Status.DONE for sequence in self.sequences)

    @property
    def reuses_pages(self) -> bool:
        """Whether pages of its prompt may be taken as they are; not where every position's output is wanted."""
        return self.submit.prompt_logprobs is None and self.submit.task is Task.GENERATE

    def usage(self, now: float) -> Usage:
        started = now if self.started is None else self.started
        first = now if self.first_token is None else self.first_token
        return Usage(
            prompt_tokens=len(self.submit.tokens),
            completion_tokens=self.completion_tokens,
            cached_tokens=self.cached_tokens,
            miss=self.miss,
            restored_tokens=self.restored_tokens,
            prefill_seconds=max(0.0, first - started),
            decode_seconds=max(0.0, now - first),
            drafted_tokens=self.drafted_tokens,
            accepted_tokens=self.accepted_tokens,
        )


@dataclass(slots=True, eq=False)
class Sequence:
    """One choice of a request.

    Attributes:
        output: the tokens that it has got, as far as known here.
        computed: positions whose keys and values are in place once all planned steps have run.
        in_flight: samples planned but not reported yet.
        behind: known tokens of its output that its next row computes once more before its last one: a draft was wrong
            in part, and has spoilt the state that it was computed with.
        speculates: drafts are asked for it.
        section_end: behind how many tokens of its output its reasoning was closed, where they don't tell.
        registered: the executor knows it in this epoch.
        ticket: which of its admissions is the valid one, None before the first.
        max_length: prompt and output together can't be longer; the prompt alone where nothing is generated.
    """

    id: int
    request: Request
    sampling: Sampling
    output: list[int] = field(default_factory=list)
    status: Status = Status.QUEUED
    computed: int = 0
    in_flight: int = 0
    behind: int = 0
    speculates: bool = False
    section_end: int | None = None
    registered: bool = False
    ticket: int | None = None
    prompt_length: int = field(init=False)
    max_length: int = field(init=False)

    def __post_init__(self) -> None:
        submit = self.request.submit
        self.prompt_length = len(submit.tokens)
        self.max_length = self.prompt_length + (submit.max_tokens if submit.task is Task.GENERATE else 0)

    @property
    def client(self) -> str | None:
        """Whoever asked for it."""
        return self.request.submit.client

    @property
    def generated(self) -> int:
        return len(self.output)

    @property
    def length(self) -> int:
        """Tokens of prompt and output as far as known here."""
        return self.prompt_length + len(self.output)

    @property
    def planned(self) -> int:
        """Tokens of prompt and output once all planned steps have run."""
        return self.prompt_length + len(self.output) + self.in_flight

    def tokens(self, start: int = 0, end: int | None = None) -> TokenIds:
        """Prompt and output from position ``start`` up to ``end``, or as far as known here."""
        end, prompt = self.length if end is None else end, self.prompt_length
        known = self.request.submit.tokens[start:end]
        return known + TokenIds.of(self.output[max(0, start - prompt) : end - prompt]) if end > prompt else known

    @property
    def pageless(self) -> bool:
        """Whether it has no pages yet: a choice after the first, until the prompt's row gives it a token."""
        return not self.generated and self is not self.request.sequences[0]

    @property
    def remaining(self) -> int:
        """Known tokens still to be computed; 0 while the next one is being sampled."""
        return self.length - self.computed

    @property
    def may_sample(self) -> bool:
        """Whether one more token is wanted beyond those in flight."""
        return self.prompt_length + len(self.output) + self.in_flight < self.max_length

    @property
    def goes_on(self) -> bool:
        """Whether a step is still to be planned for it, as far as is known before those in flight are done."""
        return self.may_sample or self.computed < self.length

    @property
    def decoding(self) -> bool:
        """Whether its next row is its last token, and those that are computed once more, before which nothing is
        missing."""
        planned = self.prompt_length + len(self.output) + self.in_flight
        return self.computed == planned - 1 - self.behind and planned > self.prompt_length

    def setup(self, *, foretell: bool = False) -> RowSetup:
        """Returns what the executor is told. ``foretell``: drafts could be made of what constraints force."""
        submit = self.request.submit
        return RowSetup(
            self.sampling,
            self.tokens(),
            self.prompt_length,
            submit.constraint,
            submit.normalize,
            submit.adapters,
            submit.segment_start,
            foretell and submit.speculate and submit.constraint is not None,
            self.section_end,
        )

    def rewind(self) -> None:
        """Everything it had computed is gone; its tokens stand."""
        self.computed = self.behind = 0
        self.in_flight = 0
        self.registered = False
