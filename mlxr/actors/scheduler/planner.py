"""The planner: makes the next step out of the rows that the policy chooses."""

from __future__ import annotations

from mlxr.actors.scheduler.in_flight import InFlightRow, InFlightSteps
from mlxr.actors.scheduler.lifecycle import Lifecycle
from mlxr.actors.scheduler.outcome import Counters
from mlxr.actors.scheduler.row_drafts import RowDrafts
from mlxr.actors.scheduler.scheduling_policy import NO_DRAFTS, Chunk, schedule
from mlxr.actors.scheduler.sequences import Sequence, Status
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation import NO_DRAFT
from mlxr.runtime.messages.kv import CacheKind, Plan, PlanRow, WantedPromptLogprobs, snapshot_grid
from mlxr.runtime.messages.scheduler import ExecutorReady, Task
from mlxr.runtime.messages.token_ids import TokenIds


class Planner:
    """Owns the number of the next step."""

    def __init__(
        self,
        limits: Limits,
        lifecycle: Lifecycle,
        in_flight: InFlightSteps,
        drafts: RowDrafts,
        first_step: int,
        counters: Counters,
    ) -> None:
        self._limits = limits
        self._lifecycle = lifecycle
        self._in_flight = in_flight
        self._drafts = drafts
        self._step = first_step
        self._counters = counters

    def plan(self, executor: ExecutorReady) -> Plan | None:
        """Returns the next step, or None when there is nothing to run or enough is in flight."""
        if self._in_flight.full:
            return None
        runnable = self._runnable()
        if not (runnable or self._lifecycle.releases or self._lifecycle.forks):
            return None  # As it mostly is: whatever happens to a request is followed by this question.
        limits = self._limits.on(executor.step_tokens)
        drafts = NO_DRAFTS
        if self._drafts.on:
            drafts = self._drafts.of(runnable, limits.token_budget)
            if drafts and len(self._in_flight):
                return None  # They go behind tokens that are not known yet.
        chunks = schedule(runnable, limits, snapshot_grid(executor.groups), drafts)
        if not (chunks or self._lifecycle.releases or self._lifecycle.forks):
            return None
        step, self._step = self._step, self._step + 1
        # What the rows fork is shared once they have run, so that goes with the next step.
        forks, releases = self._lifecycle.take_forks(), self._lifecycle.take_releases(step)
        goes_back = bool(drafts) and any(group.kind is CacheKind.STATE for group in executor.groups)
        noted: list[InFlightRow] = []
        rows = [self._next_token(chunk, noted) or self._row(chunk, noted, goes_back) for chunk in chunks]
        self._in_flight.add(step, noted)
        if drafts:
            self._in_flight.pause()  # What comes next depends on what is accepted.
        awaited = bool(drafts) or not any(sequence.goes_on for sequence in self._lifecycle.running)
        awaited = awaited and not self._lifecycle.forks
        return Plan(executor.epoch, step, rows, releases, forks, awaited)

    def _runnable(self) -> list[Sequence]:
        # A token that is not known here yet the executor has only from the step before.
        newest = self._in_flight.newest_samplers()
        running = [s for s in self._lifecycle.running if s.status is Status.RUNNING]
        running = self._alone(running)
        return [s for s in running if not s.in_flight or s.id in newest]

    def _alone(self, running: list[Sequence]) -> list[Sequence]:
        """Returns those of ``running`` that may share a step: all of them, or one that may be why a step failed."""
        for request in dict.fromkeys(s.request for s in running if s.request.alone_until):
            own = [s for s in running if s.request is request]
            if any(row.sequence.request is not request for row in self._in_flight.rows()):
                return []
            if any(s.computed < request.alone_until for s in own):
                return own
            if any(self._in_flight.holds(s) for s in own):
                return []
            request.alone_until = 0
        return running

    def _next_token(self, chunk: Chunk, noted: list[InFlightRow]) -> PlanRow | None:
        """Returns what ``_row`` would of a chunk that is one token of a sequence that decodes, and nothing else: of
        these there may be a batch full in each step. None for any other chunk."""
        sequence = chunk.sequence
        request = sequence.request
        if not chunk.decodes or chunk.length > 1 or chunk.draft is not NO_DRAFT:
            return None
        if not sequence.registered or len(request.sequences) > 1:
            return None
        start = sequence.computed
        known = None if sequence.in_flight else sequence.tokens(start, start + 1)
        noted.append(InFlightRow(sequence, start, [sequence], False, decodes=True))
        sequence.computed = start + 1
        sequence.in_flight += 1
        self._counters.decode_rows += 1
        return PlanRow(sequence.id, start, 1, known, [sequence.id])

    def _row(self, chunk: Chunk, noted: list[InFlightRow], goes_back: bool) -> PlanRow:
        sequence, start = chunk.sequence, chunk.sequence.computed
        end = start + chunk.length
        completes = end == sequence.planned
        embeds = sequence.request.submit.task is Task.EMBED
        decodes = chunk.decodes
        if decodes:
            self._counters.decode_rows += 1
        else:
            self._counters.prefill_tokens += chunk.length
        samples = self._samples(sequence) if completes and sequence.may_sample else []
        draft = len(chunk.draft)
        known = None if sequence.in_flight else sequence.tokens(start, end)
        row = PlanRow(
            sequence=sequence.id,
            start=start,
            length=chunk.length + draft,
            tokens=known + TokenIds.of(chunk.draft.tokens) if known is not None and draft else known,
            sample=[s.id for s in samples],
            setup=None if sequence.registered else sequence.setup(foretell=self._drafts.on),
            prompt_logprobs=_prompt_logprobs(sequence, start, end),
            pool=completes and embeds,
            register=[(s.id, s.setup(foretell=self._drafts.on)) for s in samples if s is not sequence],
            embeds=embeds,
            draft=draft,
            wanted=chunk.draft.wanted,
            least=chunk.draft.least,
        )
        in_flight = InFlightRow(sequence, start, samples, not sequence.registered, row.length)
        if self._drafts.on:
            in_flight.draft, in_flight.behind, in_flight.goes_back = draft, sequence.behind, goes_back
            in_flight.decodes, in_flight.wanted = decodes, chunk.draft.wanted
            sequence.behind = 0
        noted.append(in_flight)
        # It computes its sequence up to here, and further with what is accepted of its draft.
        sequence.registered, sequence.computed = True, end
        for sampler in samples:
            sampler.in_flight += 1
        return row

    def _samples(self, sequence: Sequence) -> list[Sequence]:
        """Who samples from this row: the sequence, and with it all choices that were waiting for the shared prompt."""
        leads = sequence is sequence.request.sequences[0]
        return [sequence, *self._lifecycle.fork(sequence)] if leads else [sequence]


def _prompt_logprobs(sequence: Sequence, start: int, end: int) -> WantedPromptLogprobs | None:
    """Returns what a row from ``start`` to ``end`` is to report of the prompt's log-probabilities."""
    top = sequence.request.submit.prompt_logprobs
    if top is None or start + 1 >= sequence.prompt_length:
        return None
    return WantedPromptLogprobs(sequence.request.submit.tokens[start + 1 : end + 1], top)
