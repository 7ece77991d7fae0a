"""Feedback: what became of planned steps, taken in row by row."""

from __future__ import annotations

from collections.abc import Iterable

from mlxr.actors.scheduler.in_flight import InFlightRow, InFlightSteps
from mlxr.actors.scheduler.lifecycle import Lifecycle
from mlxr.actors.scheduler.outcome import Counters, Outcome
from mlxr.actors.scheduler.preemption import choose_victim, page_holders
from mlxr.actors.scheduler.row_drafts import RowDrafts
from mlxr.actors.scheduler.sequences import Sequence, Status
from mlxr.actors.scheduler.speculation import StepCost
from mlxr.runtime.messages.common import ErrorInfo, FinishReason
from mlxr.runtime.messages.scheduler import Deferred, Pooled, PromptLogprobsRow, Sampled, StepDone, Verified
from mlxr.runtime.messages.tokenizer import Embedded, PromptRead, PromptTokenLogprobs, RequestFailed, TokenRow


class Feedback:
    """Owns nothing: it moves what the lifecycle and the in-flight steps hold."""

    def __init__(self, lifecycle: Lifecycle, in_flight: InFlightSteps, drafts: RowDrafts, counters: Counters) -> None:
        self._lifecycle = lifecycle
        self._in_flight = in_flight
        self._drafts = drafts
        self._counters = counters

    def step_done(self, event: StepDone, now: float) -> Outcome:
        """Takes a step's results in: tokens, prompt log-probabilities, embeddings, and the requests they complete."""
        outcome = Outcome()
        if event.step not in self._in_flight:
            return outcome
        rows, ran, follows = self._in_flight.of(event.step), set(event.ran), self._in_flight.follows(event.step)
        self._take_back(self._in_flight.finish(event.step, ran, event.device_ns / 1e9))
        self._count(event)
        if self._drafts.on:
            self._drafts.observed(_cost(rows, event, follows))
            self._take_verified(rows, event.verified)
        inner = [row for row in rows if not row.samples]
        outcome.prompts_read += [_prompt_read(row) for row in inner if _reads_on(row) and row.sequence.id in ran]
        self._take_lost_samples(event.lost)
        for row in event.prompt_logprobs:
            self._take_prompt_logprobs(row, outcome)
        for sampled in event.sampled:
            self._take_token(sampled, outcome, now)
        for ended in event.ended_sections:
            if (sequence := self._lifecycle.sequence(ended.sequence)) is not None:
                sequence.section_end = ended.tokens
        for forced in event.forced:
            if (sequence := self._lifecycle.sequence(forced.sequence)) is not None:
                self._drafts.forced(sequence, forced.tokens)
        for pooled in event.pooled:
            self._take_embedding(pooled, outcome, now)
        return outcome

    def deferred(self, event: Deferred) -> tuple[Sequence | None, Outcome]:
        """Takes back the rows that did not get into their step; returns the sequence preempted to make room, and whom
        that ended."""
        for id in (*event.sequences, *event.unknown):
            self._take_back(self._in_flight.withdraw(id, event.step))
        for id in event.unknown:
            sequence = self._lifecycle.sequence(id)
            if sequence is not None and sequence.status is Status.RUNNING:
                self._lifecycle.requeue(sequence)
        if not event.pages_needed or self._lifecycle.released_since(event.step):
            # There are enough, or some are on their way back.
            return None, Outcome()
        return self._make_room()

    def _make_room(self) -> tuple[Sequence | None, Outcome]:
        outcome = Outcome()
        holders = page_holders(self._lifecycle.running)
        victim = choose_victim(holders)
        if victim is not None:
            self._lifecycle.preempt(victim)
        elif holders and self._in_flight.holds(holders[0]):
            # Its token in flight may be its last.
            self._in_flight.pause()
        elif holders:
            self._give_up(holders[0], outcome)
        return victim, outcome

    def _give_up(self, sequence: Sequence, outcome: Outcome) -> None:
        """The only sequence there is outgrew the whole pool: it ends for length."""
        outcome.rows.append(TokenRow(sequence.id, [], [], FinishReason.LENGTH))
        self._lifecycle.end(sequence)
        if done := self._lifecycle.close(sequence.request, sequence.request.first_token or 0.0):
            outcome.done.append(done)

    def _take_back(self, rows: Iterable[InFlightRow]) -> None:
        """Rows that did not run: their sequences stand where they stood before."""
        for row in rows:
            row.sequence.computed = min(row.sequence.computed, row.start)
            row.sequence.behind = row.behind
            if row.registered:
                row.sequence.registered = False
            for sampler in row.samples:
                self._take_sample_back(row.sequence, sampler)

    def _take_sample_back(self, sequence: Sequence, sampler: Sequence) -> None:
        if sampler.status is Status.DONE:
            return
        sampler.in_flight -= 1
        if sampler is not sequence:
            self._lifecycle.unfork(sampler)

    def _count(self, event: StepDone) -> None:
        self._counters.steps += 1
        drafting = sum(each.nanoseconds for each in event.drafting)
        self._counters.device_seconds += (event.device_ns + drafting) / 1e9
        self._counters.wait_seconds += event.wait_ns / 1e9

    def _take_lost_samples(self, lost: list[int]) -> None:
        """Takes back samples of sequences that the executor had forgotten by the time that it read them, since they had
        been preempted. They are sampled once more, and are the same."""
        for id in lost:
            if (sequence := self._lifecycle.sequence(id)) is not None:
                sequence.in_flight -= 1

    def _take_verified(self, rows: list[InFlightRow], verified: list[Verified]) -> None:
        """Takes in how many tokens rows with drafts have given, and how far their sequences are computed with that."""
        results = {each.sequence: each for each in verified}
        for row in rows if results else ():
            sequence, result = row.sequence, results.get(row.sequence.id)
            if result is None or sequence.status is Status.DONE:
                continue
            sequence.in_flight += result.accepted
            sequence.request.drafted_tokens += result.drafted
            sequence.request.accepted_tokens += result.accepted
            self._counters.drafted_tokens += result.drafted
            self._counters.accepted_tokens += result.accepted
            self._drafts.verified(sequence, result, row.wanted)
            for kind, drafted, accepted in self._drafts.kinds(sequence, result, row.wanted):
                before = self._counters.drafts.get(kind, (0, 0))
                self._counters.drafts[kind] = before[0] + drafted, before[1] + accepted
            if sequence.status is not Status.RUNNING:
                continue
            # What the executor makes may be less than there was room for: then the state's place is not as planned.
            if row.goes_back and result.accepted < row.draft:
                sequence.computed, sequence.behind = row.start, row.length - row.draft + result.accepted
            else:
                sequence.computed += result.accepted

    def _take_prompt_logprobs(self, row: PromptLogprobsRow, outcome: Outcome) -> None:
        if sequence := self._lifecycle.sequence(row.sequence):
            request = sequence.request.submit.request
            outcome.prompt_logprobs.append(PromptTokenLogprobs(request, row.start, row.logprobs))

    def _take_token(self, sampled: Sampled, outcome: Outcome, now: float) -> None:
        sequence = self._lifecycle.sequence(sampled.sequence)
        if sequence is None:
            return
        sequence.in_flight -= 1
        if sampled.error is not None:
            self._fail(sequence, sampled.error, outcome)
            return
        request = sequence.request
        if request.first_token is None:
            request.first_token = now
        sequence.output.append(sampled.token)
        request.completion_tokens += 1
        self._counters.generated_tokens += 1
        if sequence.speculates:
            self._drafts.accepted(sequence, sampled.token)
        finish = _finish(sequence, sampled)
        logprobs = [sampled.logprob] if sampled.logprob is not None else []
        outcome.rows.append(TokenRow(sequence.id, [sampled.token], logprobs, finish))
        if finish is not None:
            self._lifecycle.end(sequence)
            if done := self._lifecycle.close(request, now):
                outcome.done.append(done)

    def _fail(self, sequence: Sequence, error: ErrorInfo, outcome: Outcome) -> None:
        request = sequence.request
        outcome.failed.append(RequestFailed(request.submit.request, error))
        self._lifecycle.drop(request)

    def _take_embedding(self, pooled: Pooled, outcome: Outcome, now: float) -> None:
        if sequence := self._lifecycle.sequence(pooled.sequence):
            request = sequence.request
            outcome.embedded.append(Embedded(request.submit.request, pooled.vector, request.usage(now)))
            self._lifecycle.end(sequence, keep=False)
            self._lifecycle.forget(request)


def _cost(rows: list[InFlightRow], event: StepDone, follows: bool) -> StepCost:
    """Returns what a step with these rows took, as far as they ran. ``follows``: as in ``StepCost``."""
    ran, drafted = set(event.ran), sum(each.drafted for each in event.verified)
    tokens = decode_rows = prompt_tokens = 0
    for row in rows:
        if row.sequence.id in ran:
            length = row.length - row.draft
            tokens += length
            decode_rows += row.decodes
            prompt_tokens += 0 if row.decodes else length
    return StepCost(
        decode_rows=decode_rows,
        tokens=tokens + drafted,
        prompt_tokens=prompt_tokens,
        drafted=drafted,
        device_seconds=event.device_ns / 1e9,
        wait_seconds=event.wait_ns / 1e9,
        passes=[(each.tokens, each.nanoseconds / 1e9) for each in event.drafting],
        follows=follows,
    )


def _reads_on(row: InFlightRow) -> bool:
    """Whether the row, which samples nothing, is a part of a tracked prompt."""
    sequence = row.sequence
    return sequence.request.submit.tracked and sequence.status is not Status.DONE


def _prompt_read(row: InFlightRow) -> PromptRead:
    sequence = row.sequence
    return PromptRead(sequence.request.submit.request, row.start + row.length, sequence.length)


def _finish(sequence: Sequence, sampled: Sampled) -> FinishReason | None:
    """Why the sequence ends with the token it has just got; None if it goes on."""
    submit = sequence.request.submit
    if sampled.token in submit.stop_tokens or sampled.finished:
        return FinishReason.STOP
    return FinishReason.LENGTH if len(sequence.output) >= submit.max_tokens else None
