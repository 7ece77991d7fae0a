"""The scheduler: decides who runs next. A shell around ``Scheduler`` that sends what the core decides."""

from __future__ import annotations

import time

import anyio

from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.outcome import Outcome
from mlxr.actors.scheduler.planned_shapes import PlannedShapes
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation.engine import speculation
from mlxr.actors.scheduler.speculation_file import SpeculationFile
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.messages.executor import Describe
from mlxr.runtime.messages.frontend import DraftCount, EngineStats
from mlxr.runtime.messages.scheduler import (
    AdapterLoaded,
    Admitted,
    ConstraintCompiled,
    Deferred,
    DrafterLost,
    ExecutorLost,
    ExecutorReady,
    KVLost,
    KVStats,
    StepDone,
    StepFailed,
    StopSequence,
    Submit,
)
from mlxr.runtime.messages.tokenizer import Cancel, Queued, SchedulerReset, Tokens
from mlxr.runtime.paths import Home
from mlxr.runtime.telemetry import Preempted, PrefillStarted, RequestRecomputed, StepRan

STATS_SECONDS = 1.0

KEEP_SECONDS = 60.0
"""How often what was learned of speculation is written down."""

TURNS_TO_SOCKET = 3
"""Turns of the loop that tokens take from here to their sockets: tokenizer, frontend, and one for a late wake-up."""


class SchedulerActor(Actor):
    """One engine's queue. Two steps are in flight or, where they are short, three (``policy.steps_in_flight``)."""

    kind = "scheduler"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        # Steps count up from the time, so that a predecessor's late answers match no step of this scheduler.
        limits = decode_settings(context, Limits)
        parts = speculation(limits.speculation)
        self._core = Scheduler(limits, time.time_ns() // 1_000_000, parts)
        self._learned = SpeculationFile(Home.find().speculation, parts) if parts is not None else None
        self._tokenizer = self.peer("tokenizer")
        self._kv = self.peer("kv")
        self._executor = self.peer("executor")
        self._pages = KVStats(0, 0, 0, [])
        self._planned = PlannedShapes()

    async def start(self) -> None:
        self.tell(self._tokenizer, SchedulerReset("the scheduler was restarted"))
        self.tell(self._executor, Describe())
        self.spawn(self._report)
        if self._learned is not None:
            self.spawn(self._keep_learned, self._learned)

    async def stop(self) -> None:
        if self._learned is not None:
            await self._learned.keep()

    @on(Submit)
    def submit(self, message: Submit) -> None:
        if failed := self._core.submit(message):
            self.tell(self._tokenizer, failed)
        self._pump()

    @on(Cancel)
    def cancel(self, message: Cancel) -> None:
        self._core.cancel(message.request)
        self._pump()

    @on(StopSequence)
    def stop_sequence(self, message: StopSequence) -> None:
        if done := self._core.stop(message, time.monotonic()):
            self.tell(self._tokenizer, done)
        self._pump()

    @on(Admitted)
    def admitted(self, message: Admitted) -> None:
        begun = self._core.admitted(message, time.monotonic())
        self._pump()
        if begun is not None and self.telemetry.wants("requests"):
            started = (begun.submit.request, begun.cached_tokens, begun.miss, begun.restored_tokens)
            self.telemetry.emit("requests", PrefillStarted(*started))

    @on(Deferred)
    def deferred(self, message: Deferred) -> None:
        victim, outcome = self._core.deferred(message)
        if victim is not None and self.telemetry.wants("kv"):
            request = victim.request.submit.request
            self.telemetry.emit("kv", Preempted(self.context.engine, request, victim.length))
        self._send(outcome, message.step, None)
        self._pump()

    @on(StepDone)
    def step_done(self, message: StepDone) -> None:
        outcome = self._core.step_done(message, time.monotonic())
        if self._core.in_flight or not (self._core.running or self._core.waiting):
            # The device has the step after this one to run, or nobody has one for it, so answers go first: people wait
            # for them.
            self._send(outcome, message.step, message.done_ns)
            self.call_behind(TURNS_TO_SOCKET, self._pump)
        else:
            self._pump()
            self._send(outcome, message.step, message.done_ns)
        self._note_step(message)

    @on(StepFailed)
    def step_failed(self, message: StepFailed) -> None:
        failures = self._core.step_failed(message)
        if failures is None:
            return
        for failed in failures:
            self.tell(self._tokenizer, failed)
        self._reset_kv()
        self._pump()

    @on(ConstraintCompiled)
    def constraint_compiled(self, message: ConstraintCompiled) -> None:
        if failed := self._core.constraint_compiled(message):
            self.tell(self._tokenizer, failed)
        self._pump()

    @on(AdapterLoaded)
    def adapter_loaded(self, message: AdapterLoaded) -> None:
        for failed in self._core.adapter_loaded(message):
            self.tell(self._tokenizer, failed)
        self._pump()

    @on(ExecutorReady)
    def executor_ready(self, message: ExecutorReady) -> None:
        if self._learned is not None:
            self._learned.opened(message.contents, message.drafter)
        if self._core.executor_ready(message):
            self._reset_kv()
            self._pump()

    @on(DrafterLost)
    def drafter_lost(self, message: DrafterLost) -> None:
        self._core.drafter_lost(message)

    @on(ExecutorLost)
    def executor_lost(self, message: ExecutorLost) -> None:
        on_board = dict.fromkeys(sequence.request.submit.request for sequence in self._core.lifecycle.running)
        for failed in self._core.executor_lost(message):
            self.tell(self._tokenizer, failed)
            on_board.pop(failed.request, None)
        for request in on_board:
            self.telemetry.emit("requests", RequestRecomputed(request, self.context.engine))

    @on(KVLost)
    def kv_lost(self, message: KVLost) -> None:
        self._core.kv_lost()
        self._reset_kv()
        self._pump()

    @on(KVStats)
    def kv_stats(self, message: KVStats) -> None:
        self._pages = message
        self._core.kv_stats(message)
        if self._core.waiting:
            self._pump()

    def _reset_kv(self) -> None:
        if reset := self._core.reset():
            self.tell(self._kv, reset)

    def _pump(self) -> None:
        """Sends on whatever the queues allow now."""
        for request in self._core.queued():
            self.tell(self._tokenizer, Queued(request))
        if self._core.waiting:  # As a rule nobody does, and this is asked for each token.
            for command in self._core.compilations():
                self.tell(self._executor, command)
            for order in self._core.adapter_commands():
                self.tell(self._executor, order)
            for admit in self._core.admissions():
                self.tell(self._kv, admit)
        while plan := self._core.plan():
            if plan.rows and self.telemetry.wants("steps"):
                self._planned.note(plan)
            self.tell(self._kv, plan)
            if plan.awaited:
                break

    def _send(self, outcome: Outcome, step: int, done_ns: int | None) -> None:
        for read in outcome.prompts_read:
            self.tell(self._tokenizer, read)
        for logprobs in outcome.prompt_logprobs:
            self.tell(self._tokenizer, logprobs)
        if outcome.rows:
            self.tell(self._tokenizer, Tokens(step, outcome.rows, done_ns))
        for message in (*outcome.embedded, *outcome.failed, *outcome.done):
            self.tell(self._tokenizer, message)

    def _note_step(self, message: StepDone) -> None:
        shape = self._planned.take(message.step)
        if shape is not None:
            engine, waiting = self.context.engine, self._core.waiting
            device, wait = message.device_ns / 1e6, message.wait_ns / 1e6
            self.telemetry.emit("steps", StepRan(engine, message.step, *shape, device, wait, waiting))

    async def _keep_learned(self, learned: SpeculationFile) -> None:
        while True:
            await anyio.sleep(KEEP_SECONDS)
            await learned.keep()

    async def _report(self) -> None:
        """Tells the frontend what /metrics shows, when it has changed."""
        last: EngineStats | None = None
        while True:
            core, counters = self._core, self._core.counters
            stats = EngineStats(
                engine=self.context.engine,
                running=core.running,
                waiting=core.waiting,
                pages_used=self._pages.used,
                pages_cached=self._pages.cached,
                pages_total=self._pages.total,
                steps=counters.steps,
                prompt_tokens=counters.prompt_tokens,
                generated_tokens=counters.generated_tokens,
                cached_tokens=counters.cached_tokens,
                preemptions=counters.preemptions,
                executor_restarts=counters.executor_restarts,
                drafter_failures=counters.drafter_failures,
                device_seconds=counters.device_seconds,
                wait_seconds=counters.wait_seconds,
                prefill_tokens=counters.prefill_tokens,
                decode_rows=counters.decode_rows,
                drafted_tokens=counters.drafted_tokens,
                accepted_tokens=counters.accepted_tokens,
                disk=self._pages.disk,
                drafts=[DraftCount(kind, *count) for kind, count in counters.drafts.items()],
            )
            if stats != last:
                self.tell(Address("frontend"), stats)
                last = stats
            await anyio.sleep(STATS_SECONDS)
