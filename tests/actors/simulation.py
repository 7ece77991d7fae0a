"""A whole engine without a device: the real scheduler and placement cores, and an executor whose model is a hash
(``simulated_device.py``)."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

import msgspec

from mlxr.actors.kv.placement import Placement
from mlxr.actors.kv.prefix import chain_root
from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.outcome import Outcome
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation import Speculation
from mlxr.runtime.messages.common import Adapter, Constraint, FinishReason, Sampling
from mlxr.runtime.messages.executor import (
    CompileConstraint,
    ExecutorInbox,
    LoadAdapter,
    Step,
    UnloadAdapter,
)
from mlxr.runtime.messages.kv import Admit, CacheKind, GroupPages, KVInbox, LimitPool, Plan, Reset
from mlxr.runtime.messages.scheduler import (
    AdapterLoaded,
    Admitted,
    ConstraintCompiled,
    Deferred,
    DrafterInfo,
    ExecutorLost,
    ExecutorReady,
    KVStats,
    SchedulerInbox,
    StepDone,
    StepFailed,
    Submit,
)
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed
from tests.actors.simulated_device import STOP_TOKEN, Device, Memory, Runs

BAD = "bad"
"""Source of a constraint that the executor can't compile."""


class Engine:
    """Scheduler, KV manager and device, with messages that wait in queues until a (random) scheduler moves them.

    Every message crosses the wire format on its way.
    """

    def __init__(
        self,
        limits: Limits,
        pages: int,
        page_size: int,
        choose: Callable[[int], int] | None = None,
        groups: list[GroupPages] | None = None,
        device: Callable[[], Runs] | None = None,
        speculation: Speculation | None = None,
        on_disk: bool = False,
        drafter: DrafterInfo | None = None,
    ) -> None:
        """``groups``: the pool's parts, else ``pages`` of one group that keeps every token. ``device``: what makes the
        devices, if they are not to be simulated. ``drafter``: what these make drafts with."""
        self.scheduler = Scheduler(limits, speculation=speculation)
        self.on_disk = on_disk
        self.placement: Placement | None = None
        self.placement_epoch = 0
        self._pool_limit: int | None = None
        self.groups = groups or [GroupPages(CacheKind.FULL, pages, page_size)]
        self._drafter = drafter
        self._make_device = device or (lambda: Device([Memory(group) for group in self.groups]))
        self.device: Runs = self._make_device()
        self.epoch = 0
        self.to_kv: deque[bytes] = deque()
        self.to_executor: deque[bytes] = deque()
        self.to_scheduler_from_kv: deque[bytes] = deque()
        self.to_scheduler_from_executor: deque[bytes] = deque()
        self.output: dict[int, list[int]] = {}
        self.finish: dict[int, FinishReason] = {}
        self.ended: dict[int, list[RequestDone | RequestFailed]] = {}
        self.queued: list[int] = []
        self.compiled: list[CompileConstraint] = []
        self._known: set[Constraint] = set()
        self.adapters: dict[str, Adapter] = {}
        self.adapters_loaded: list[str] = []
        self.largest_prefill = 0
        self._choose = choose or random.Random(0).randrange
        self._kv_decoder = msgspec.msgpack.Decoder(KVInbox)
        self._executor_decoder = msgspec.msgpack.Decoder(ExecutorInbox)
        self._scheduler_decoder = msgspec.msgpack.Decoder(SchedulerInbox)
        self.ready()

    def ready(self) -> None:
        """A (new) executor reports in."""
        self.device = self._make_device()
        self._known = set()
        self.adapters = {}
        event = ExecutorReady(self.epoch, self.groups, ["a model"], disk=self.on_disk, drafter=self._drafter)
        if self.scheduler.executor_ready(event):
            self._reset_kv()
        self.pump()

    def crash(self) -> None:
        """kill -9 on the executor: what it was sent is lost, what it answered may have arrived."""
        self.to_executor.clear()
        for failed in self.scheduler.executor_lost(ExecutorLost(self.epoch, "killed")):
            self.ended.setdefault(failed.request, []).append(failed)
        self.epoch += 1
        self.ready()

    def lose_kv(self) -> None:
        """The KV manager is restarted."""
        self.placement = None
        self.to_kv.clear()
        self.scheduler.kv_lost()
        self._reset_kv()
        self.pump()

    def submit(
        self,
        request: int,
        prompt: list[int],
        max_tokens: int,
        n: int = 1,
        seed: int = 7,
        constraint: Constraint | None = None,
        client: str = "",
        temperature: float = 1.0,
        adapters: list[Adapter] | None = None,
    ) -> None:
        submit = Submit(
            request,
            TokenIds.of(prompt),
            n=n,
            max_tokens=max_tokens,
            sampling=Sampling(seed=seed, temperature=temperature),
            stop_tokens=[STOP_TOKEN],
            constraint=constraint,
            client=client,
            adapters=adapters or [],
        )
        if failed := self.scheduler.submit(submit):
            self.ended.setdefault(request, []).append(failed)
        self.pump()

    def cancel(self, request: int) -> None:
        self.scheduler.cancel(request)
        self.pump()

    def move(self) -> bool:
        """Deliver one message of one queue; False when all are empty."""
        waiting = [(queue, handle) for queue, handle in self._queues() if queue]
        if not waiting:
            return self._answer(self.device.collect())
        queue, handle = waiting[self._choose(len(waiting))]
        handle(queue.popleft())
        return True

    def _queues(self) -> list[tuple[deque[bytes], Callable[[bytes], None]]]:
        """All queues, each with whoever takes its messages."""
        return [
            (self.to_kv, self._kv),
            (self.to_executor, self._execute),
            (self.to_scheduler_from_kv, self._schedule),
            (self.to_scheduler_from_executor, self._schedule),
        ]

    def settle(self, limit: int = 20_000) -> None:
        """Move messages until none is left; fails if that never happens."""
        for _ in range(limit):
            if not self.move():
                return
        raise AssertionError("the engine never comes to rest")

    def pump(self) -> None:
        self.queued += self.scheduler.queued()
        self.to_executor.extend(msgspec.msgpack.encode(command) for command in self.scheduler.compilations())
        self.to_executor.extend(msgspec.msgpack.encode(command) for command in self.scheduler.adapter_commands())
        for admit in self.scheduler.admissions():
            self._tell_kv(admit)
        while plan := self.scheduler.plan():
            prefill = [row.length for row in plan.rows if row.length > 1 and not row.draft]
            if any(row.length == 1 and row.sample for row in plan.rows):
                self.largest_prefill = max(self.largest_prefill, sum(prefill))
            self._tell_kv(plan)

    def _reset_kv(self) -> None:
        reset = self.scheduler.reset()
        assert reset is not None
        self._tell_kv(reset)

    def limit(self, nbytes: int) -> None:
        """Whoever counts memory lets pages take so much from now on."""
        self._tell_kv(LimitPool(nbytes))

    def _tell_kv(self, message: Admit | Plan | Reset | LimitPool) -> None:
        self.to_kv.append(msgspec.msgpack.encode(message))

    def _kv(self, raw: bytes) -> None:
        message = self._kv_decoder.decode(raw)
        answers: list[Admitted | Deferred | KVStats] = []
        if isinstance(message, Reset):
            self.placement = Placement(message.groups, message.longest_row, chain_root(*message.contents))
            self.placement_epoch = message.epoch
            self._follow_limit()
        elif self.placement is None:
            return
        elif isinstance(message, LimitPool):
            self._pool_limit = message.nbytes
            self._follow_limit()
        elif isinstance(message, Admit):
            cached = self.placement.admit(
                message.sequence, message.tokens, reuse=message.reuse, adapters=message.adapters
            )
            answers.append(Admitted(message.sequence, cached, message.ticket, self.placement.room))
        elif isinstance(message, Plan) and message.epoch == self.epoch:
            step, deferred = self.placement.place(message)
            if step is not None:
                self.to_executor.append(msgspec.msgpack.encode(step))
            if deferred is not None:
                answers.append(deferred)
        assert self.placement is not None
        if isinstance(message, Reset | LimitPool) or (isinstance(message, Plan) and (message.releases or len(answers))):
            pages = self.placement
            answers.append(KVStats(pages.held, pages.cached, pages.total, pages.room))
        self.to_scheduler_from_kv.extend(msgspec.msgpack.encode(answer) for answer in answers)

    def _follow_limit(self) -> None:
        """The KV manager keeps to it in the next pool, too."""
        if self.placement is None or self._pool_limit is None:
            return
        if (resized := self.placement.limit(self.placement_epoch, self._pool_limit)) is not None:
            self.to_executor.append(msgspec.msgpack.encode(resized))

    def _execute(self, raw: bytes) -> None:
        step = self._executor_decoder.decode(raw)
        if isinstance(step, CompileConstraint):
            self.compiled.append(step)
            error = "it is bad" if step.constraint.source == BAD else None
            answer = ConstraintCompiled(step.epoch, step.request, error)
            self.to_scheduler_from_executor.append(msgspec.msgpack.encode(answer))
            self._known.add(step.constraint)
            return
        if isinstance(step, LoadAdapter | UnloadAdapter):
            self._change_adapters(step)
            return
        assert isinstance(step, Step)
        if step.epoch == self.epoch:
            for row in step.rows:
                setup = row.setup
                assert setup is None or setup.constraint is None or setup.constraint in self._known
                for adapter in setup.adapters if setup is not None else ():
                    assert adapter.digest in self.adapters, "a sequence has an adapter that is not loaded"
            try:
                self._answer(self.device.run(step))
            except (MemoryError, KeyError) as error:
                # Or a step that was on its way when another one failed, and whose sequences nobody knows any more.
                self.device = self._make_device()
                failed = StepFailed(step.epoch, step.step, [row.sequence for row in step.rows], str(error))
                self.to_scheduler_from_executor.append(msgspec.msgpack.encode(failed))

    def _answer(self, done: StepDone | None) -> bool:
        if done is not None:
            self.to_scheduler_from_executor.append(msgspec.msgpack.encode(done))
        return done is not None

    def _change_adapters(self, command: LoadAdapter | UnloadAdapter) -> None:
        assert command.epoch == self.epoch
        if isinstance(command, UnloadAdapter):
            del self.adapters[command.digest]
            return
        adapter = command.adapter
        assert adapter.digest not in self.adapters, "an adapter is loaded twice"
        error = "it is bad" if adapter.digest == BAD else None
        if error is None:
            self.adapters[adapter.digest] = adapter
            self.adapters_loaded.append(adapter.digest)
        answer = AdapterLoaded(command.epoch, adapter.digest, error)
        self.to_scheduler_from_executor.append(msgspec.msgpack.encode(answer))

    def _schedule(self, raw: bytes) -> None:
        message = self._scheduler_decoder.decode(raw)
        match message:
            case Admitted():
                self.scheduler.admitted(message, 0.0)
            case Deferred():
                _, outcome = self.scheduler.deferred(message)
                self._take(outcome)
            case KVStats():
                self.scheduler.kv_stats(message)
            case ConstraintCompiled():
                if failed := self.scheduler.constraint_compiled(message):
                    self.ended.setdefault(failed.request, []).append(failed)
            case AdapterLoaded():
                for failed in self.scheduler.adapter_loaded(message):
                    self.ended.setdefault(failed.request, []).append(failed)
            case StepFailed():
                if (failures := self.scheduler.step_failed(message)) is not None:
                    for failure in failures:
                        self.ended.setdefault(failure.request, []).append(failure)
                    self._reset_kv()
            case StepDone():
                self._take(self.scheduler.step_done(message, 0.0))
        self.pump()

    def _take(self, outcome: Outcome) -> None:
        for row in outcome.rows:
            self.output.setdefault(row.sequence, []).extend(row.tokens)
            if row.finish is not None:
                assert row.sequence not in self.finish, "a sequence finished twice"
                self.finish[row.sequence] = row.finish
        for done in (*outcome.done, *outcome.failed):
            self.ended.setdefault(done.request, []).append(done)
