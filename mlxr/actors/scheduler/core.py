"""The scheduler's core: queues, steps in flight, and what becomes of each sequence. No socket, tensor or clock."""

from __future__ import annotations

import math
from collections.abc import Iterable

from mlxr.actors.scheduler.compilations import Compilations
from mlxr.actors.scheduler.flights import Flight, Flights
from mlxr.actors.scheduler.intake import open_request, too_long, too_many
from mlxr.actors.scheduler.outcome import Counters, Outcome
from mlxr.actors.scheduler.policy import (
    Chunk,
    Limits,
    admission_order,
    choose_unfair,
    choose_victim,
    schedule,
    steps_in_flight,
)
from mlxr.actors.scheduler.sequences import Request, Sequence, Status
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, FinishReason, TokenLogprob
from mlxr.runtime.messages.executor import CompileConstraint
from mlxr.runtime.messages.kv import Admit, Fork, Plan, PlanRow, Release, WantedPromptLogprobs
from mlxr.runtime.messages.scheduler import (
    Admitted,
    ConstraintCompiled,
    Deferred,
    ExecutorReady,
    Sampled,
    StepDone,
    Submit,
    Task,
)
from mlxr.runtime.messages.tokenizer import Embedded, PromptTokenLogprobs, RequestDone, RequestFailed, TokenRow

MOST_CRASHES = 3


class Scheduler:
    """Holds every request from submission to its end. ``first_step`` must exceed any step a predecessor planned."""

    def __init__(self, limits: Limits, first_step: int = 1) -> None:
        self.limits = limits
        self.counters = Counters()
        self.pages_free = 0
        self.page_size = 0
        self.pages_total = 0
        self.epoch = -1
        self._ready = False
        self._refusal: ErrorInfo | None = None
        self._requests: dict[int, Request] = {}
        self._sequences: dict[int, Sequence] = {}
        self._queue: list[Sequence] = []
        self._running: list[Sequence] = []
        self._flights = Flights()
        self._step_seconds = math.inf
        self._releases: list[Release] = []
        self._forks: list[Sequence] = []
        self._compilations = Compilations()
        self._untold: list[Request] = []
        self._step = first_step
        self._released = 0
        self._arrivals = 0
        self._tickets = 0

    # What the shell asks.

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def waiting(self) -> int:
        return len(self._queue)

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    def owner(self, sequence: int) -> Request | None:
        found = self._sequences.get(sequence)
        return found.request if found else None

    # Requests come and go.

    def submit(self, submit: Submit, now: float) -> RequestFailed | None:
        """Queue a request; returns why not if it can't be."""
        if error := self._why_refused(submit):
            return RequestFailed(submit.request, error)
        self._arrivals += 1
        request = open_request(submit, self._arrivals)
        self._sequences |= {sequence.id: sequence for sequence in request.sequences}
        self._requests[submit.request] = request
        self._untold.append(request)
        self._enqueue(request.sequences[0])
        self.counters.prompt_tokens += len(submit.tokens)
        return None

    def cancel(self, request_id: int) -> None:
        request = self._requests.get(request_id)
        if request is not None:
            self._end_request(request, FinishReason.CANCELLED)

    def stop(self, sequence_id: int, tokens: int, now: float) -> RequestDone | None:
        """The text met a stop string after ``tokens`` output tokens."""
        sequence = self._sequences.get(sequence_id)
        if sequence is None or sequence.status is Status.DONE:
            return None
        sequence.request.completion_tokens += tokens - sequence.generated
        self._end(sequence, FinishReason.STOP)
        return self._close(sequence.request, now)

    def refuse(self, error: ErrorInfo) -> None:
        """Take no more requests."""
        self._refusal = error

    def fail_all(self, error: ErrorInfo) -> list[RequestFailed]:
        failed = [RequestFailed(id, error) for id in self._requests]
        for request in list(self._requests.values()):
            self._end_request(request, FinishReason.CANCELLED)
        return failed

    # The executor comes and goes.

    def executor_ready(self, event: ExecutorReady) -> bool:
        """A pool is there; returns False if it is one known already."""
        if event.epoch == self.epoch and self._ready:
            return False
        self.epoch = event.epoch
        self._ready = True
        self._compilations.forget(self._requests.values())
        self.page_size, self.pages_total, self.pages_free = event.page_size, event.pages, event.pages
        self.rewind()
        return True

    def executor_lost(self) -> list[RequestFailed]:
        """Everything that runs will be computed again, but for requests that keep killing executors."""
        self._ready = False
        self.counters.executor_restarts += 1
        on_board = {flight.sequence.request.submit.request for flight in self._flights.all()}
        on_board |= {id for id, request in self._requests.items() if request.compiling}
        failed: list[RequestFailed] = []
        for request in [self._requests[id] for id in on_board if id in self._requests]:
            request.crashes += 1
            if request.crashes >= MOST_CRASHES:
                reason = f"the executor died {request.crashes} times while it ran this request; it is not tried again"
                failed.append(RequestFailed(request.submit.request, ErrorInfo(ErrorCode.ENGINE_FAILED, reason)))
                self._end_request(request, FinishReason.CANCELLED)
        self.rewind()
        return failed

    def rewind(self) -> None:
        """The pool's content is gone: queue every live sequence again, in order of arrival."""
        self._flights.clear()
        self._releases.clear()
        self._forks.clear()
        live = [s for s in self._sequences.values() if s.status is not Status.DONE]
        for sequence in live:
            # Choices that have nothing of their own yet wait for the first one to compute the prompt, as at the start.
            leader = sequence.request.sequences[0]
            waits = sequence is not leader and leader.status is not Status.DONE and not leader.generated
            sequence.rewind()
            if waits:
                sequence.status = Status.FORKING
        self._running.clear()
        self._queue = sorted((s for s in live if s.status is Status.QUEUED), key=_arrival)

    def compilations(self) -> list[CompileConstraint]:
        """Constraints that the executor is to compile before their requests' turn comes."""
        if not self._ready:
            return []
        wanted = self._compilations.wanted(s.request for s in self._queue)
        return [CompileConstraint(self.epoch, request.submit.request, constraint) for request, constraint in wanted]

    def compiled(self, event: ConstraintCompiled) -> RequestFailed | None:
        """A constraint is compiled; returns the failure of its request where it can't be."""
        request = self._requests.get(event.request)
        if request is None or event.epoch != self.epoch or not request.compiling:
            return None
        self._compilations.answered(request, good=event.error is None)
        if event.error is None:
            return None
        self._end_request(request, FinishReason.CANCELLED)
        field = request.submit.constraint.field if request.submit.constraint else ""
        message = f"the output can't be held to `{field or 'tools'}`: {event.error}"
        return RequestFailed(event.request, ErrorInfo(ErrorCode.INVALID, message, field or None))

    def queued(self) -> list[int]:
        """Requests that came since the last call, or whose constraints turned out to be good since."""
        waiting = [r for r in self._untold if r.submit.request in self._requests]
        told = [r for r in waiting if self._compilations.ready(r) or r.compiled]
        self._untold = [r for r in waiting if r not in told]
        return [r.submit.request for r in told if r.submit.task is Task.GENERATE]

    # Steps.

    def admissions(self) -> list[Admit]:
        """Sequences to look up in the prefix cache now: those whose turn it is, as far as there is room. Those whose
        constraints are being compiled let others pass."""
        admits: list[Admit] = []
        if not (self._ready and self._queue):
            return admits
        waiting = [sequence for sequence in self._queue if self._compilations.ready(sequence.request)]
        for head in admission_order(waiting, self._running):
            if len(self._running) >= self.limits.max_sequences or not self._has_room(head):
                self._make_room(head)
                break
            releasing = any(release.sequence == head.id for release in self._releases)
            if head.in_flight or releasing:
                break
            self._queue.remove(head)
            head.status = Status.ADMITTING
            self._insert_running(head)
            self.pages_free -= self._pages(len(head.tokens) + 1)
            reuse = head.request.submit.prompt_logprobs is None and head.request.submit.task is Task.GENERATE
            self._tickets += 1
            head.ticket = self._tickets
            admits.append(Admit(head.id, list(head.tokens), head.ticket, reuse=reuse))
        return admits

    def _make_room(self, waits: Sequence) -> None:
        """Preempt a sequence of a client that has more than its share of what ``waits`` lacks. One at a time: its pages
        come back with the next step."""
        if not self._releases and not waits.in_flight and (victim := choose_unfair(waits, self._running)):
            self._preempt(victim)

    def admitted(self, event: Admitted, now: float) -> None:
        """The KV manager holds what it found; an answer to an admission that has been undone since is stale."""
        sequence = self._sequences.get(event.sequence)
        if sequence is None or sequence.status is not Status.ADMITTING or sequence.ticket != event.ticket:
            return
        sequence.status = Status.RUNNING
        sequence.computed = event.cached
        request = sequence.request
        if not request.started:
            request.started = now
            request.cached_tokens = min(event.cached, sequence.prompt_length)
            self.counters.cached_tokens += request.cached_tokens

    def plan(self) -> Plan | None:
        """The next step, or None when there is nothing to run or enough is in flight."""
        if not self._ready or len(self._flights) >= steps_in_flight(self._step_seconds):
            return None
        # A token that is not known here yet the executor has only from the step before.
        latest = self._flights.latest()
        ready = [s for s in self._running if s.status is Status.RUNNING and (not s.in_flight or s.id in latest)]
        forks = [self._fork(s) for s in self._forks if s.status is Status.RUNNING]
        chunks = schedule(ready, self.limits)
        if not chunks and not self._releases and not forks:
            return None
        self._forks.clear()
        step, self._step = self._step, self._step + 1
        rows = [self._row(chunk, step) for chunk in chunks]
        releases, self._releases = self._releases, []
        if releases:
            self._released = step
        return Plan(self.epoch, step, rows, releases, forks)

    def deferred(self, event: Deferred) -> tuple[Sequence | None, Outcome]:
        """Rows that did not get into their step go back; returns the sequence preempted to make room, and whom that
        ended."""
        for id in (*event.sequences, *event.unknown):
            self._take_back(self._flights.withdraw(id, event.step))
        for id in event.unknown:
            sequence = self._sequences.get(id)
            if sequence is not None and sequence.status is Status.RUNNING:
                self._requeue(sequence)
        outcome = Outcome()
        if not event.pages_needed or self._releases or self._released > event.step:
            # There are enough, or some are on their way back.
            return None, outcome
        holders = [s for s in self._running if s.status is Status.RUNNING]
        victim = choose_victim(holders)
        if victim is not None:
            self._preempt(victim)
        elif holders and not self._flights.holds(holders[0]):
            self._give_up(holders[0], outcome)
        return victim, outcome

    def step_done(self, event: StepDone, now: float) -> Outcome:
        """Take a step's results in: tokens, prompt log-probabilities, embeddings, and the requests they complete."""
        outcome = Outcome()
        if event.epoch != self.epoch or event.step not in self._flights:
            return outcome
        self._take_back(self._flights.land(event.step, set(event.ran)))
        self._step_seconds = event.device_ns / 1e9
        self.counters.steps += 1
        self.counters.device_seconds += self._step_seconds
        self.counters.wait_seconds += event.wait_ns / 1e9
        for row in event.prompt_logprobs:
            if owner := self.owner(row.sequence):
                outcome.prompt_logprobs.append(PromptTokenLogprobs(owner.submit.request, row.start, row.logprobs))
        for sampled in event.sampled:
            self._take_token(sampled, outcome, now)
        for pooled in event.pooled:
            sequence = self._sequences.get(pooled.sequence)
            if sequence is not None and sequence.status is not Status.DONE:
                request = sequence.request
                outcome.embedded.append(Embedded(request.submit.request, pooled.vector, request.usage(now)))
                self._end(sequence, FinishReason.STOP, keep=False)
                self._forget_request(request)
        return outcome

    def step_failed(self, sequences: Iterable[int], error: ErrorInfo) -> list[RequestFailed]:
        """The step broke: its requests fail, and everybody else starts over on a clean pool."""
        failed: dict[int, RequestFailed] = {}
        for request in [self.owner(id) for id in sequences]:
            if request is not None and request.submit.request in self._requests:
                failed[request.submit.request] = RequestFailed(request.submit.request, error)
                self._end_request(request, FinishReason.CANCELLED)
        self.rewind()
        return list(failed.values())

    # Inside.

    def _why_refused(self, submit: Submit) -> ErrorInfo | None:
        refusal = self._refusal or too_many([s.client for s in self._queue], submit.client, self.limits)
        if refusal is None and self._ready:
            refusal = too_long(submit, self.pages_total * self.page_size)
        return refusal

    def _pages(self, tokens: int) -> int:
        return -(-tokens // self.page_size)

    def _has_room(self, sequence: Sequence) -> bool:
        return not self._running or self._pages(len(sequence.tokens) + 1) <= self.pages_free

    def _enqueue(self, sequence: Sequence) -> None:
        self._queue.append(sequence)
        self._queue.sort(key=_arrival)

    def _insert_running(self, sequence: Sequence) -> None:
        self._running.append(sequence)
        self._running.sort(key=_arrival)

    def _fork(self, child: Sequence) -> Fork:
        leader = child.request.sequences[0]
        return Fork(leader.id, child.id, child.prompt_length)

    def _row(self, chunk: Chunk, step: int) -> PlanRow:
        sequence, start = chunk.sequence, chunk.sequence.computed
        end = start + chunk.length
        submit = sequence.request.submit
        tokens = None if sequence.in_flight else sequence.tokens[start:end]
        completes = end == len(sequence.tokens) + sequence.in_flight
        samples = self._samples(sequence) if completes and sequence.may_sample else []
        registered = not sequence.registered
        setup = sequence.setup() if registered else None
        sequence.registered = True
        sequence.computed = end
        for sampler in samples:
            sampler.in_flight += 1
        self._flights.add(step, Flight(sequence, start, samples, registered))
        embeds = submit.task is Task.EMBED
        ids = [s.id for s in samples]
        register = [(s.id, s.setup()) for s in samples if s is not sequence]
        return PlanRow(
            sequence.id,
            start,
            chunk.length,
            tokens,
            ids,
            setup,
            _wanted_prompt_logprobs(sequence, start, end),
            completes and embeds,
            register,
            embeds,
        )

    def _samples(self, sequence: Sequence) -> list[Sequence]:
        """Who samples from this row: the sequence, and with it all choices that were waiting for the shared prompt."""
        choices = sequence.request.sequences
        if len(choices) == 1 or sequence is not choices[0]:
            return [sequence]
        followers = [s for s in choices if s.status is Status.FORKING]
        for follower in followers:
            follower.status = Status.RUNNING
            follower.computed = sequence.prompt_length
            follower.registered = True
            self._insert_running(follower)
            self._forks.append(follower)
        return [sequence, *followers]

    def _take_back(self, flights: Iterable[Flight]) -> None:
        """Rows that did not run: their sequences stand where they stood before."""
        for flight in flights:
            sequence = flight.sequence
            sequence.computed = min(sequence.computed, flight.start)
            if flight.registered:
                sequence.registered = False
            for sampler in flight.samples:
                if sampler.status is Status.DONE:
                    continue
                sampler.in_flight -= 1
                if sampler is not sequence:
                    self._displace(sampler)
                    sampler.status = Status.FORKING

    def _preempt(self, victim: Sequence) -> None:
        self._releases.append(Release(victim.id, victim.tokens[: victim.computed]))
        self._requeue(victim)
        self.counters.preemptions += 1

    def _requeue(self, sequence: Sequence) -> None:
        """Back into the queue, to be computed from the start; samples in flight still count."""
        self._displace(sequence)
        sequence.status = Status.QUEUED
        self._enqueue(sequence)

    def _displace(self, sequence: Sequence) -> None:
        """It holds no place in the queue, among the running, or in the pool any more."""
        for places in (self._queue, self._running, self._forks):
            if sequence in places:
                places.remove(sequence)
        sequence.computed = 0
        sequence.registered = False

    def _give_up(self, sequence: Sequence, outcome: Outcome) -> None:
        """The only sequence there is outgrew the whole pool: it ends for length."""
        outcome.rows.append(TokenRow(sequence.id, [], [], FinishReason.LENGTH))
        self._end(sequence, FinishReason.LENGTH)
        if done := self._close(sequence.request, sequence.request.first_token):
            outcome.done.append(done)

    def _take_token(self, sampled: Sampled, outcome: Outcome, now: float) -> None:
        sequence = self._sequences.get(sampled.sequence)
        if sequence is None or sequence.status is Status.DONE:
            return
        sequence.in_flight -= 1
        request = sequence.request
        if sampled.error is not None:
            error = ErrorInfo(ErrorCode.INTERNAL, sampled.error)
            outcome.failed.append(RequestFailed(request.submit.request, error))
            self._end_request(request, FinishReason.CANCELLED)
            return
        request.first_token = request.first_token or now
        sequence.tokens.append(sampled.token)
        request.completion_tokens += 1
        self.counters.generated_tokens += 1
        finish: FinishReason | None = None
        if sampled.token in request.submit.stop_tokens or sampled.finished:
            finish = FinishReason.STOP
        elif sequence.generated >= request.submit.max_tokens:
            finish = FinishReason.LENGTH
        logprobs: list[TokenLogprob] = [sampled.logprob] if sampled.logprob is not None else []
        outcome.rows.append(TokenRow(sequence.id, [sampled.token], logprobs, finish))
        if finish is not None:
            self._end(sequence, finish)
            if done := self._close(request, now):
                outcome.done.append(done)

    def _end(self, sequence: Sequence, reason: FinishReason, *, keep: bool = True) -> None:
        """The sequence takes no more tokens; its pages go back, findable for whoever continues the same text."""
        if sequence.status is Status.DONE:
            return
        if sequence in self._queue:
            self._queue.remove(sequence)
        if sequence in self._running:
            self._running.remove(sequence)
            known = min(sequence.computed, len(sequence.tokens))
            self._releases.append(Release(sequence.id, sequence.tokens[:known] if keep else []))
        self._forks = [s for s in self._forks if s is not sequence]
        sequence.finish = reason
        sequence.status = Status.DONE
        del self._sequences[sequence.id]
        self._promote(sequence.request)

    def _promote(self, request: Request) -> None:
        """If the choice that was to compute the prompt has ended before it did, the next one takes its place."""
        waiting = [s for s in request.sequences if s.status is Status.FORKING]
        leader = request.sequences[0]
        if waiting and leader.status is Status.DONE:
            request.sequences.remove(leader)
            request.sequences.remove(waiting[0])
            request.sequences.insert(0, waiting[0])
            waiting[0].status = Status.QUEUED
            self._enqueue(waiting[0])

    def _end_request(self, request: Request, reason: FinishReason) -> None:
        for sequence in [s for s in request.sequences if s.status is Status.FORKING]:
            sequence.status = Status.DONE
            self._sequences.pop(sequence.id, None)
        for sequence in list(request.sequences):
            self._end(sequence, reason)
        self._forget_request(request)

    def _close(self, request: Request, now: float) -> RequestDone | None:
        if not request.done:
            return None
        self._forget_request(request)
        return RequestDone(request.submit.request, request.usage(now))

    def _forget_request(self, request: Request) -> None:
        self._requests.pop(request.submit.request, None)


def _wanted_prompt_logprobs(sequence: Sequence, start: int, end: int) -> WantedPromptLogprobs | None:
    """What a row from ``start`` to ``end`` reports of the prompt's log-probabilities."""
    top = sequence.request.submit.prompt_logprobs
    tokens = sequence.tokens[start + 1 : min(end + 1, sequence.prompt_length)]
    return WantedPromptLogprobs(tokens, top) if top is not None and tokens else None


def _arrival(sequence: Sequence) -> tuple[tuple[int, int], int]:
    return sequence.request.order, sequence.id
