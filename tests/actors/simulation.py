"""A whole engine without a device: the real scheduler and placement cores, and an executor whose model is a hash.

The simulated device keeps page memory, writes each token where the step says and reads the context back through the
block tables, so a page that is mapped, shared, copied or reused wrongly changes the tokens that come out.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from mlxr.actors.kv.placement import Placement
from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.outcome import Outcome
from mlxr.actors.scheduler.policy import Limits
from mlxr.runtime.messages.common import Constraint, FinishReason, Sampling
from mlxr.runtime.messages.executor import CompileConstraint, ExecutorInbox, Step
from mlxr.runtime.messages.kv import Admit, KVInbox, Plan, Reset
from mlxr.runtime.messages.scheduler import (
    Admitted,
    ConstraintCompiled,
    Deferred,
    ExecutorLost,
    ExecutorReady,
    KVStats,
    Sampled,
    SchedulerInbox,
    StepDone,
    Submit,
)
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed

VOCABULARY = 97
STOP_TOKEN = 0
BAD = "bad"
"""Source of a constraint that the executor can't compile."""
STEP_NS_PER_TOKEN = 4_000_000
"""What a step takes: short for the scheduler with one or two sequences, long with more or with prompts."""


def next_token(context: list[int], seed: int) -> int:
    """The model: any function that depends on the whole context."""
    value = seed & 0xFFFFFFFF
    for token in context:
        value = (value * 31 + token + 1) % 1_000_003
    return value % VOCABULARY


def expected(prompt: list[int], seed: int, max_tokens: int) -> list[int]:
    """What one sequence must come to, alone or in any company."""
    tokens = list(prompt)
    while len(tokens) - len(prompt) < max_tokens:
        tokens.append(next_token(tokens, seed))
        if tokens[-1] == STOP_TOKEN:
            break
    return tokens[len(prompt) :]


@dataclass
class Device:
    """Page memory and block tables, as an executor has them."""

    pages: int
    page_size: int
    memory: dict[int, list[int]] = field(default_factory=dict)
    tables: dict[int, list[int]] = field(default_factory=dict)
    seeds: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)

    def run(self, step: Step) -> StepDone:
        if step.reset:
            self.tables.clear()
        for sequence in step.forget:
            self.tables.pop(sequence, None)
        for fork in step.forks:
            self.tables[fork.child] = list(fork.pages)
        for source, target in step.copies:
            self.memory[target] = list(self.memory[source])
        sampled: list[Sampled] = []
        last: dict[int, int] = {}
        for row in step.rows:
            if row.setup is not None:
                self.seeds[row.sequence] = row.setup.sampling.seed
                self.tables[row.sequence] = []
            for id, setup in row.register:
                self.seeds[id] = setup.sampling.seed
            table = self.tables[row.sequence]
            table[row.first_page :] = row.pages if row.pages else table[row.first_page :]
            tokens = [self.last[row.sequence]] if row.tokens is None else row.tokens
            assert len(tokens) == row.length
            for position, token in enumerate(tokens, row.start):
                page = table[position // self.page_size]
                self.memory.setdefault(page, [-1] * self.page_size)[position % self.page_size] = token
            end = row.start + row.length
            context = [self.memory[table[p // self.page_size]][p % self.page_size] for p in range(end)]
            assert -1 not in context
            for id in row.sample:
                last[id] = next_token(context, self.seeds[id])
                sampled.append(Sampled(id, last[id]))
        if sampled:
            self.last = last
        took = STEP_NS_PER_TOKEN * sum(row.length for row in step.rows)
        return StepDone(step.epoch, step.step, sampled, device_ns=took, ran=[row.sequence for row in step.rows])


class Engine:
    """Scheduler, KV manager and device, with messages that wait in queues until a (random) scheduler moves them.

    Every message crosses the wire format on its way.
    """

    def __init__(self, limits: Limits, pages: int, page_size: int, choose: Callable[[int], int] | None = None) -> None:
        self.scheduler = Scheduler(limits)
        self.placement: Placement | None = None
        self.shape = (pages, page_size)
        self.device = Device(*self.shape)
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
        self.largest_prefill = 0
        self._choose = choose or random.Random(0).randrange
        self._kv_decoder = msgspec.msgpack.Decoder(KVInbox)
        self._executor_decoder = msgspec.msgpack.Decoder(ExecutorInbox)
        self._scheduler_decoder = msgspec.msgpack.Decoder(SchedulerInbox)
        self.ready()

    def ready(self) -> None:
        """A (new) executor reports in."""
        pages, size = self.shape
        self.device = Device(pages, size)
        self._known = set()
        if self.scheduler.executor_ready(ExecutorReady(self.epoch, pages, size)):
            self._tell_kv(Reset(self.epoch, pages, size))
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
        pages, size = self.shape
        self._tell_kv(Reset(self.epoch, pages, size))
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
    ) -> None:
        submit = Submit(
            request,
            prompt,
            n=n,
            max_tokens=max_tokens,
            sampling=Sampling(seed=seed),
            stop_tokens=[STOP_TOKEN],
            constraint=constraint,
            client=client,
        )
        if failed := self.scheduler.submit(submit):
            self.ended.setdefault(request, []).append(failed)
        self.pump()

    def cancel(self, request: int) -> None:
        self.scheduler.cancel(request)
        self.pump()

    def move(self) -> bool:
        """Deliver one message of one queue; False when all are empty."""
        moves = [
            (self.to_kv, self._kv),
            (self.to_executor, self._execute),
            (self.to_scheduler_from_kv, self._schedule),
            (self.to_scheduler_from_executor, self._schedule),
        ]
        waiting = [(queue, handle) for queue, handle in moves if queue]
        if not waiting:
            return False
        queue, handle = waiting[self._choose(len(waiting))]
        handle(queue.popleft())
        return True

    def settle(self, limit: int = 20_000) -> None:
        """Move messages until none is left; fails if that never happens."""
        for _ in range(limit):
            if not self.move():
                return
        raise AssertionError("the engine never comes to rest")

    def pump(self) -> None:
        self.queued += self.scheduler.queued()
        self.to_executor.extend(msgspec.msgpack.encode(command) for command in self.scheduler.compilations())
        for admit in self.scheduler.admissions():
            self._tell_kv(admit)
        while plan := self.scheduler.plan():
            prefill = [row.length for row in plan.rows if row.length > 1]
            if any(row.length == 1 and row.sample for row in plan.rows):
                self.largest_prefill = max(self.largest_prefill, sum(prefill))
            self._tell_kv(plan)

    def _tell_kv(self, message: Admit | Plan | Reset) -> None:
        self.to_kv.append(msgspec.msgpack.encode(message))

    def _kv(self, raw: bytes) -> None:
        message = self._kv_decoder.decode(raw)
        answers: list[Admitted | Deferred | KVStats] = []
        if isinstance(message, Reset):
            self.placement = Placement(message.pages, message.page_size)
        elif self.placement is None:
            return
        elif isinstance(message, Admit):
            cached = self.placement.admit(message.sequence, message.tokens, reuse=message.reuse)
            answers.append(Admitted(message.sequence, cached, message.ticket, self.placement.room))
        elif message.epoch == self.epoch:
            step, deferred = self.placement.place(message)
            if step is not None:
                self.to_executor.append(msgspec.msgpack.encode(step))
            if deferred is not None:
                answers.append(deferred)
        assert self.placement is not None
        pool = self.placement.pool
        if isinstance(message, Reset) or (isinstance(message, Plan) and (message.releases or len(answers))):
            answers.append(KVStats(pool.held, pool.cached, pool.total, self.placement.room))
        self.to_scheduler_from_kv.extend(msgspec.msgpack.encode(answer) for answer in answers)

    def _execute(self, raw: bytes) -> None:
        step = self._executor_decoder.decode(raw)
        if isinstance(step, CompileConstraint):
            self.compiled.append(step)
            error = "it is bad" if step.constraint.source == BAD else None
            answer = ConstraintCompiled(step.epoch, step.request, error)
            self.to_scheduler_from_executor.append(msgspec.msgpack.encode(answer))
            self._known.add(step.constraint)
            return
        assert isinstance(step, Step)
        if step.epoch == self.epoch:
            for row in step.rows:
                setup = row.setup
                assert setup is None or setup.constraint is None or setup.constraint in self._known
            self.to_scheduler_from_executor.append(msgspec.msgpack.encode(self.device.run(step)))

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
