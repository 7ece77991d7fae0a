"""A whole engine without a device: the real scheduler and placement cores, and an executor whose model is a hash.

The simulated device keeps page memory, writes each token where the step says and reads the context back through the
block tables, so a page that is mapped, shared, copied or reused wrongly changes the tokens that come out.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Protocol

import msgspec

from mlxr.actors.kv.placement import Placement
from mlxr.actors.kv.prefix import chain_root
from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.outcome import Outcome
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.scheduler.speculation import Speculation
from mlxr.runtime.messages.common import Adapter, Constraint, FinishReason, Sampling, adapters_address
from mlxr.runtime.messages.executor import (
    CompileConstraint,
    ExecutorInbox,
    LoadAdapter,
    Step,
    StepRow,
    TableEntries,
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
    Sampled,
    SchedulerInbox,
    StepDone,
    StepFailed,
    Submit,
    Verified,
)
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed

VOCABULARY = 97
PRIME = 1_000_003
STOP_TOKEN = 0
GARBAGE = (-1, -1)
BAD = "bad"
"""Source of a constraint that the executor can't compile."""
STEP_NS_PER_TOKEN = 4_000_000
"""What a step takes: short for the scheduler with one or two sequences, long with more or with prompts."""


def extended(value: int, token: int) -> int:
    """What stands for a context, with one more token."""
    return (value * 31 + token + 1) % PRIME


def beginning(adapters: list[Adapter]) -> int:
    """What stands for a context without tokens: everything behind it depends on the adapters."""
    return reduce(extended, adapters_address(adapters).encode(), 0)


def digest(context: list[int], begin: int = 0) -> int:
    """What stands for a context: a function of all its tokens, and of its beginning."""
    return reduce(extended, context, begin)


def next_token(context: int, length: int, seed: int) -> int:
    """The model: any function that depends on the whole context, of which there is the digest."""
    return (context + (seed & 0xFFFFFFFF) * pow(31, length, PRIME)) % PRIME % VOCABULARY


def expected(prompt: list[int], seed: int, max_tokens: int, begin: int = 0) -> list[int]:
    """What one sequence must come to, alone or in any company."""
    tokens = list(prompt)
    while len(tokens) - len(prompt) < max_tokens:
        tokens.append(next_token(digest(tokens, begin), len(tokens), seed))
        if tokens[-1] == STOP_TOKEN:
            break
    return tokens[len(prompt) :]


@dataclass
class Memory:
    """One cache group's pages and block tables, as an executor has them.

    A place holds a token and the digest of all tokens up to it, which is made from the place before: as the keys of a
    layer depend on what the layer below saw. A state is a digest alone.
    """

    spec: GroupPages
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    tables: dict[int, dict[int, int]] = field(default_factory=dict)
    pages: int = field(init=False)
    """Pages that have memory."""

    def __post_init__(self) -> None:
        self.pages = min(self.spec.extent or self.spec.pages, self.spec.pages)

    def resize(self, pages: int) -> None:
        self.pages = pages
        size = 1 if self.spec.kind is CacheKind.STATE else self.spec.page_size
        self.places = {place: content for place, content in self.places.items() if place < pages * size}

    def enter(self, sequence: int, entries: TableEntries) -> None:
        if entries.pages:
            table = self.tables[sequence]
            kept = {entry: page for entry, page in table.items() if entry < entries.first}
            self.tables[sequence] = kept | dict(enumerate(entries.pages, entries.first))

    def copy(self, source: int, target: int) -> None:
        size = 1 if self.spec.kind is CacheKind.STATE else self.spec.page_size
        assert max(source, target) < self.pages, "a page has no memory"
        for offset in range(size):
            self.places[target * size + offset] = self.places.get(source * size + offset, GARBAGE)

    def run(self, sequence: int, start: int, tokens: list[int], begin: int) -> int:
        """Takes tokens in; returns the digest of the context with them."""
        if self.spec.kind is CacheKind.STATE:
            page = self.tables[sequence][0]
            assert page < self.pages, "a page has no memory"
            state = self.places[page][1] if start else begin
            state = reduce(extended, tokens, state)
            self.places[page] = (0, state)
            return state
        for position, token in enumerate(tokens, start):
            before = self._at(sequence, position - 1)[1] if position else begin
            self.places[self._place(sequence, position)] = token, extended(before, token)
        end = start + len(tokens)
        first = max(0, start - self.spec.window + 1) if self.spec.window else 0
        seen = [self._at(sequence, position) for position in range(first, end)]
        if self.spec.window is None:
            assert seen[-1][1] == digest([token for token, _ in seen], begin)
        for (_, before), (token, after) in itertools.pairwise(seen):
            assert after == extended(before, token), "somebody else's page is read"
        return seen[-1][1]

    def _at(self, sequence: int, position: int) -> tuple[int, int]:
        return self.places[self._place(sequence, position)]

    def _place(self, sequence: int, position: int) -> int:
        entry, offset = divmod(position, self.spec.page_size)
        assert self.tables[sequence][entry] < self.pages, "a page has no memory"
        return self.tables[sequence][entry] * self.spec.page_size + offset


Make = Callable[[list[int]], tuple[list[int], int]]


def no_drafts(right: list[int]) -> tuple[list[int], int]:
    return [], -1


@dataclass
class Device:
    """Page memory and block tables of every group. ``make``: of so many tokens of a draft that are right and wanted,
    those that it makes, and how many tokens it says that it has yet to read."""

    groups: list[Memory]
    make: Make = no_drafts
    seeds: dict[int, int] = field(default_factory=dict)
    begins: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)

    def run(self, step: Step) -> StepDone:
        for index, group in enumerate(self.groups):
            for sequence in list(group.tables) if step.reset else step.forget:
                group.tables.pop(sequence, None)
            for fork in step.forks:
                group.tables[fork.child] = {}
                group.enter(fork.child, fork.tables[index])
        for group, asked in zip(self.groups, step.sizes, strict=False):
            group.resize(max(asked.pages, group.pages))
        for copy in step.copies:
            self.groups[copy.group].copy(copy.source, copy.target)
        for group, asked in zip(self.groups, step.sizes, strict=False):
            assert asked.pages <= asked.limit
            group.resize(asked.pages)
        sampled: list[Sampled] = []
        verified: list[Verified] = []
        last: dict[int, int] = {}
        # Rows of a step run at once: none may use a page that another one of them writes to. Hence both orders.
        for row in step.rows if step.step % 2 else reversed(step.rows):
            if row.setup is not None:
                self.seeds[row.sequence] = row.setup.sampling.seed
                self.begins[row.sequence] = beginning(row.setup.adapters)
            for id, setup in row.register:
                self.seeds[id] = setup.sampling.seed
                self.begins[id] = beginning(setup.adapters)
            for index, group in enumerate(self.groups):
                if row.setup is not None:
                    group.tables[row.sequence] = {}
                if row.tables:
                    group.enter(row.sequence, row.tables[index])
            tokens = [self.last[row.sequence]] if row.tokens is None else row.tokens.list()
            assert len(tokens) == row.length - row.wanted
            known = row.length - row.draft
            context = self._computed(row.sequence, row.start, tokens[:known])
            unread = 0
            if row.wanted:
                made, unread = self._made(row, context, tokens[known:])
                assert len(made) <= row.wanted
                tokens += made
            for id in row.sample:
                last[id] = next_token(context, row.start + known, self.seeds[id])
                sampled.append(Sampled(id, last[id]))
            if row.draft:
                verified.append(self._verify(row, known, tokens[known:], sampled, unread))
                del last[row.sequence]  # What comes next has been told by then.
        if sampled:
            self.last = last
        took = STEP_NS_PER_TOKEN * sum(row.length for row in step.rows)
        ran = [row.sequence for row in step.rows]
        return StepDone(step.epoch, step.step, sampled, device_ns=took, ran=ran, verified=verified)

    def collect(self) -> StepDone | None:
        return None

    def _computed(self, sequence: int, start: int, tokens: list[int]) -> int:
        """Runs all groups on some tokens; returns what stands for the context with them."""
        digests = {group.run(sequence, start, tokens, self.begins[sequence]) for group in self.groups}
        assert len(digests) == 1, "groups have seen different contexts"
        return digests.pop()

    def _made(self, row: StepRow, context: int, given: list[int]) -> tuple[list[int], int]:
        """Makes what is wanted of a draft, behind what is ``given``."""
        context, right = reduce(extended, given, context), list[int]()
        for at in range(row.wanted):
            right.append(next_token(context, row.start + row.length - row.wanted + at, self.seeds[row.sequence]))
            context = extended(context, right[-1])
        return self.make(right)

    def _verify(self, row: StepRow, known: int, draft: list[int], sampled: list[Sampled], unread: int = 0) -> Verified:
        """Computes all of a draft, as a device does, and samples as far as it is right."""
        accepted = 0
        for at, token in enumerate(draft, row.start + known):
            context = self._computed(row.sequence, at, [token])
            if accepted == at - row.start - known and sampled[-1].token == token:
                sampled.append(Sampled(row.sequence, next_token(context, at + 1, self.seeds[row.sequence])))
                accepted += 1
        return Verified(row.sequence, len(draft), accepted, unread)


@dataclass
class LateDevice:
    """A device that reads what a step gave only once the next one has been launched, which may have had it forget
    sequences."""

    device: Device
    running: StepDone | None = None

    def run(self, step: Step) -> StepDone | None:
        before = self.collect()
        if before is not None and step.forget:
            sampled = [each for each in before.sampled if each.sequence not in step.forget]
            verified = [each for each in before.verified if each.sequence not in step.forget]
            lost = {each.sequence for each in before.sampled if each.sequence in step.forget}
            before = msgspec.structs.replace(before, sampled=sampled, verified=verified, lost=list(lost))
        self.running = self.device.run(step)
        return before

    def collect(self) -> StepDone | None:
        running, self.running = self.running, None
        return running


class Runs(Protocol):
    """Whatever runs steps, with its page memory."""

    def run(self, step: Step) -> StepDone | None:
        """Takes a step in; returns the results of one, which is another where steps are run one behind another."""
        ...

    def collect(self) -> StepDone | None:
        """Returns the results of the step that has not been read, None where there is none."""
        ...


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
        elif self.placement is None:
            return
        elif isinstance(message, LimitPool):
            if (resized := self.placement.limit(self.placement_epoch, message.nbytes)) is not None:
                self.to_executor.append(msgspec.msgpack.encode(resized))
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
