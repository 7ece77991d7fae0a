"""The KV manager: decides where sequences live. A shell around ``Placement``."""

from __future__ import annotations

import logging
import time
from collections import deque

import anyio
from msgspec.structs import replace

from mlxr.actors.kv.disk.tier import DiskTier
from mlxr.actors.kv.placement import Placement
from mlxr.actors.kv.prefix import chain_root
from mlxr.actors.kv.prefix_misses import PrefixMisses
from mlxr.runtime.actor import Actor, Context, on
from mlxr.runtime.messages.common import request_of
from mlxr.runtime.messages.executor import StartTransfers
from mlxr.runtime.messages.kv import (
    Admit,
    DiskOpened,
    LimitPool,
    OtherPagesFound,
    PagesRestored,
    PagesStored,
    PagesTaken,
    Plan,
    PoolPagesFound,
    Reset,
    SegmentsFound,
)
from mlxr.runtime.messages.scheduler import Admitted, KVStats
from mlxr.runtime.telemetry import PagesChanged, TurnStored

log = logging.getLogger("mlxr.kv")

DESCRIBED_SECONDS = 3.0
"""How long the first lookups of a pool wait at most until it is known what lies on disk. That takes milliseconds,
unless the disk does not answer."""

PREFETCH_SECONDS = 1.0
"""So long after it is known what lies on disk, what was used last is read if nobody has come."""

STALLED_SECONDS = 30.0
"""Of a read without an answer, after which those who wait go on without. Slow steps of prompts come between, so that it
is no sign of a slow disk, but of one that does not answer."""

PAUSE_SECONDS = 600.0
"""So long nothing is read of such a disk."""

STATS_EVERY = 16
"""Plans between two reports on pages while nothing else calls for one."""


class KVActor(Actor):
    """Receives plans from the scheduler, passes steps with physical pages on to the executor."""

    kind = "kv"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._executor, self._scheduler = self.peer("executor"), self.peer("scheduler")
        self._placement: Placement | None = None
        self._disk = DiskTier()
        self._held_back: deque[Admit | Plan] = deque()
        """Plans that lack pages which the disk is about to give back, and whatever came behind them; all, as long as
        it is not known what lies on disk."""
        self._undescribed = False
        """That is to be known before anything is looked up."""
        self._resets = 0
        self._admitted = False
        """Somebody has come since then."""
        self._reads = 0
        """Answers to what was to be read."""
        self._watching = False
        self._paused_until = 0.0
        self._epoch = 0
        self._misses = PrefixMisses()
        self._limit: int | None = None
        self._limit_waits = False
        self._plans = 0

    @on(Reset)
    def reset(self, message: Reset) -> None:
        root = chain_root(*message.contents)
        self._placement = Placement(message.groups, message.longest_row, root, self._disk)
        self._misses.reset(message)
        self._epoch = message.epoch
        self._held_back.clear()
        self._disk.reset(self._placement, message.epoch)
        self._resets, self._admitted = self._resets + 1, False
        self._undescribed = message.disk and not self._disk.described
        self.tell(self._executor, StartTransfers(message.epoch, describe=self._undescribed))
        if self._undescribed:
            self.spawn(self._give_up_waiting, self._resets)
        self._follow_limit(self._limit)
        self._report()

    @on(LimitPool)
    def limit_pool(self, message: LimitPool) -> None:
        self._limit = message.nbytes
        if self._placement is not None:
            if message.give_back:
                self._limit = min(self._limit, max(0, self._placement.in_use - message.give_back))
            self._follow_limit(self._limit)
            self._report()

    def _follow_limit(self, nbytes: int | None) -> None:
        """Has the executor make room, as far as that goes while sequences run; None for what is left to do. Pages that
        are on their way to the disk or from it stay where they are: it waits for them."""
        assert self._placement is not None
        if self._disk.holding:
            for cancel in self._disk.give_up():
                self.tell(self._executor, cancel)
        self._limit_waits = self._disk.holding
        if not self._limit_waits and (step := self._placement.limit(self._epoch, nbytes)) is not None:
            self.tell(self._executor, step)

    @on(Admit)
    def admit(self, message: Admit) -> None:
        if self._placement is None:
            return  # The scheduler admits again after its Reset.
        if self._held_back or self._undescribed:
            self._held_back.append(message)
        else:
            self._admit_or_wait(message)

    @on(Plan)
    def plan(self, message: Plan) -> None:
        if self._placement is None or message.epoch != self._epoch:
            return  # Planned for a pool that is gone.
        self._held_back.append(message)
        if len(self._held_back) == 1:
            self._go_on()

    def _place(self, message: Plan, releases: bool) -> None:
        """``releases``: it gave pages back."""
        assert self._placement is not None
        self._placement.evictions.now = time.monotonic()
        step, deferred = self._placement.place(message)
        if step is not None:
            self.tell(self._executor, step)
        if deferred is not None:
            self.tell(self._scheduler, deferred)
        if releases and self._placement.over_limit:
            self._follow_limit(None)
        self._plans += 1
        if deferred is not None or releases or self._plans % STATS_EVERY == 0:
            self._report()
        if releases:
            self._transfer()

    # The disk.

    @on(DiskOpened)
    def disk_opened(self, message: DiskOpened) -> None:
        self._disk.opened(message)
        self._report()

    @on(PoolPagesFound)
    def pool_pages_found(self, message: PoolPagesFound) -> None:
        if self._placement is not None and message.epoch == self._epoch and message.group < len(self._placement.groups):
            self._placement.adopt(message.group, message.pages, message.contents)

    @on(SegmentsFound)
    def segments_found(self, message: SegmentsFound) -> None:
        self._disk.found(message)
        if self._undescribed and self._disk.described:
            self._undescribed = False
            self._go_on()
            self.spawn(self._prefetch, self._resets)

    async def _prefetch(self, reset: int) -> None:
        await anyio.sleep(PREFETCH_SECONDS)
        if self._placement is None or reset != self._resets or self._admitted:
            return
        if time.monotonic() >= self._paused_until:
            self._disk.prefetch()
            self._watch()
            self._transfer()

    async def _give_up_waiting(self, reset: int) -> None:
        """Lookups go on without the disk if it has not been described by then."""
        await anyio.sleep(DESCRIBED_SECONDS)
        if self._undescribed and reset == self._resets:
            self._undescribed = False
            self._go_on()

    @on(OtherPagesFound)
    def other_pages_found(self, message: OtherPagesFound) -> None:
        self._misses.found(message)

    @on(PagesTaken)
    def pages_taken(self, message: PagesTaken) -> None:
        self._disk.taken(message)
        self._go_on()

    @on(PagesStored)
    def pages_stored(self, message: PagesStored) -> None:
        sequence = self._disk.stored(message)
        if sequence is not None and message.bytes:
            for topic in ("kv", "requests"):
                if self.telemetry.wants(topic):
                    self.telemetry.emit(topic, TurnStored(self.context.engine, request_of(sequence), message.bytes))
        self._transfer()
        self._report()

    @on(PagesRestored)
    def pages_restored(self, message: PagesRestored) -> None:
        self._reads += 1
        waited = self._disk.restored(message)
        if waited is not None and waited.admit is not None:
            self._admit(waited.admit, waited.start)
        if waited is not None:
            # Before what came behind them, which may release them.
            self._held_back.extendleft(reversed(waited.again))
            self._report()
        self._transfer()
        self._go_on()

    def _watch(self) -> None:
        if self._disk.reading and not self._watching:
            self._watching = True
            self.spawn(self._watch_reads)

    async def _watch_reads(self) -> None:
        """Nobody waits for a disk that does not answer."""
        while self._disk.reading:
            read = self._reads, self._resets
            await anyio.sleep(STALLED_SECONDS)
            if self._disk.reading and read == (self._reads, self._resets):
                log.warning("the disk with pages of conversations does not answer; serving goes on without")
                self._paused_until = time.monotonic() + PAUSE_SECONDS
                for cancel in self._disk.give_up_reading():
                    self.tell(self._executor, cancel)
        self._watching = False

    def _lacks_pages_of_disk(self, plan: Plan) -> bool:
        """Whether ``plan`` is to wait for pages that are on their way to the disk or from it, which takes no longer
        than a step. A row that finds none now would be preempted, or ended for length."""
        assert self._placement is not None
        if not self._disk.holding or not self._placement.lacks(plan):
            return False
        for cancel in self._disk.give_up():
            self.tell(self._executor, cancel)
        return self._disk.holding and self._placement.lacks(plan)

    def _go_on(self) -> None:
        """Handles what was held back, as far as there are pages now."""
        while self._held_back and not self._undescribed:
            first = self._held_back.popleft()
            if isinstance(first, Admit):
                self._admit_or_wait(first)
                continue
            releases, first = self._released(first)
            if self._lacks_pages_of_disk(first):
                self._held_back.appendleft(first)
                self._transfer()
                return
            self._place(first, releases)

    def _released(self, plan: Plan) -> tuple[bool, Plan]:
        """Takes back what the plan gives back; returns whether that was anything, and the plan without it."""
        assert self._placement is not None
        if not plan.releases:
            return False, plan
        for release in plan.releases:
            self._disk.cancel(release.sequence)
            self._misses.released(release)
        self._placement.release(plan.releases)
        return True, replace(plan, releases=[])

    def _admit_or_wait(self, message: Admit) -> None:
        self._admitted = True
        if time.monotonic() >= self._paused_until and self._disk.wait(message):
            self._watch()
            self._transfer()
        else:
            self._admit(message)

    def _admit(self, message: Admit, start: int | None = None) -> None:
        """``start``: how many tokens of its prefix did not come from the disk; None where none did."""
        assert self._placement is not None
        cached = self._placement.admit(message.sequence, message.tokens, reuse=message.reuse, adapters=message.adapters)
        now = self._placement.evictions.now = time.monotonic()
        miss = self._misses.admitted(message, cached, self._placement, now)
        restored = max(0, cached - start) if start is not None else 0
        self._disk.hit(restored)
        self.tell(
            self._scheduler, Admitted(message.sequence, cached, message.ticket, self._placement.room, restored, miss)
        )
        self._transfer()

    def _transfer(self) -> None:
        if self._placement is not None:
            if self._limit_waits and not self._disk.holding:
                self._follow_limit(self._limit)
                self._report()
            if (step := self._placement.sizing(self._epoch)) is not None:
                self.tell(self._executor, step)
        for command in self._disk.commands():
            self.tell(self._executor, command)

    def _report(self) -> None:
        if self._placement is None:
            return
        pages = self._placement
        self.tell(self._scheduler, KVStats(pages.held, pages.cached, pages.total, pages.room, self._disk.use))
        if self.telemetry.wants("kv"):
            self.telemetry.emit("kv", PagesChanged(self.context.engine, pages.held, pages.cached, pages.total))
