"""The simulated engine with a simulated disk: what is written and read takes its time, fails and is lost, at random."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from mlxr.actors.kv.disk.tier import DiskTier
from mlxr.actors.kv.placement import Placement
from mlxr.actors.kv.prefix import chain_root
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.executor import CancelRestore, RestorePages, StartTransfers, StorePages
from mlxr.runtime.messages.kv import (
    Admit,
    CacheKind,
    DiskOpened,
    GroupPages,
    PagesRestored,
    PagesStored,
    PagesTaken,
    Plan,
    Reset,
    SegmentsFound,
    StoredSegment,
)
from mlxr.runtime.messages.scheduler import Admitted, Deferred, KVStats
from tests.actors.simulated_device import Device
from tests.actors.simulation import Engine

Content = list[tuple[int, int] | None]


@dataclass
class Disk:
    """Segments by name, with their pages' contents. ``chance``: of a thing going wrong."""

    quota: int = 1 << 30
    chance: float = 0.0
    files: dict[str, tuple[StoredSegment, list[Content]]] = field(default_factory=dict)


class DiskEngine(Engine):
    """The engine whose pages go to ``disk``, as ``KVActor`` and the executor do it.

    ``written``, ``restored``: bytes and tokens so far.
    """

    def __init__(
        self,
        limits: Limits,
        groups: list[GroupPages],
        disk: Disk,
        choose: Callable[[int], int] | None = None,
        random: random.Random = random.Random(0),  # noqa: B008
    ) -> None:
        self.disk = disk
        self.tier = DiskTier()
        self.from_executor: deque[bytes] = deque()
        self.work: deque[StorePages | RestorePages] = deque()
        self.writing: dict[str, tuple[StoredSegment, list[Content]]] = {}
        self._random = random
        self.hangs = False
        self.released = False
        self.held_back: deque[Admit | Plan] = deque()
        self.undescribed = False
        self.prefetches = 0.0
        """How often pages are read that nobody has asked for."""
        super().__init__(limits, 0, 0, choose, groups, on_disk=True)

    @property
    def written(self) -> int:
        return self.tier.counters.written_bytes

    @property
    def restored(self) -> int:
        return self.tier.counters.restored_tokens

    def ready(self) -> None:
        self.work.clear()
        self.writing.clear()
        super().ready()

    def lose_kv(self) -> None:
        self.held_back.clear()
        self.tier = DiskTier()
        super().lose_kv()

    def _describe(self) -> None:
        """Tells what lies on disk, one file at a time."""
        self._tell(DiskOpened(self.epoch, [page_bytes(group) for group in self.groups], self.disk.quota))
        for segment, _ in self.disk.files.values():
            self._tell(SegmentsFound(self.epoch, [segment]))
        self._tell(SegmentsFound(self.epoch, [], last=True))

    def restart(self) -> None:
        """kill -9 on every process: what is on disk is all that is left."""
        self.tier = DiskTier()
        for queue in (self.to_kv, self.to_executor, self.from_executor):
            queue.clear()
        self.held_back.clear()
        self.placement = None
        self.crash()

    def prefetch(self) -> None:
        self.tier.prefetch()
        for command in self.tier.commands():
            self.to_executor.append(msgspec.msgpack.encode(command))

    def move(self) -> bool:
        if self.prefetches and self._random.random() < self.prefetches:
            self.prefetch()
        if self.from_executor and self._random.random() < 0.5:
            self._kv(self.from_executor.popleft())
            return True
        if self.work and not self.hangs and self._random.random() < 0.3:
            self._serve_disk()
            return True
        return super().move() or self._drain()

    def _drain(self) -> bool:
        if self.from_executor:
            self._kv(self.from_executor.popleft())
            return True
        if self.work and not self.hangs:
            self._serve_disk()
            return True
        return False

    def _tell(self, message: DiskOpened | SegmentsFound | PagesTaken | PagesStored | PagesRestored) -> None:
        self.from_executor.append(msgspec.msgpack.encode(message))

    # The KV manager.

    def _kv(self, raw: bytes) -> None:
        message = self._kv_decoder.decode(raw)
        match message:
            case DiskOpened():
                self.tier.opened(message)
            case SegmentsFound():
                self.tier.found(message)
                # Whoever waits gives up after a while.
                if self.tier.described or self._fails():
                    self.undescribed = False
                    self._go_on()
            case PagesTaken():
                self.tier.taken(message)
            case PagesStored():
                self.tier.stored(message)
            case PagesRestored():
                waited = self.tier.restored(message)
                if waited is not None and waited.admit is not None:
                    self._admit(waited.admit, waited.start)
                if waited is not None:
                    self.held_back.extendleft(reversed(waited.again))
            case Reset():
                root = chain_root(*message.contents)
                self.placement = Placement(message.groups, message.longest_row, root, self.tier)
                self.held_back.clear()
                self.tier.reset(self.placement, message.epoch)
                self.undescribed = message.disk and not self.tier.described
                start = StartTransfers(message.epoch, describe=self.undescribed)
                self.to_executor.append(msgspec.msgpack.encode(start))
                self._answer_scheduler(self._stats())
            case Admit() if self.placement is not None:
                self._wait_or_admit(message)
            case Plan() if self.placement is not None and message.epoch == self.epoch:
                self.held_back.append(message)
                self._go_on(behind=len(self.held_back) > 1)
        if isinstance(message, PagesTaken | PagesRestored):
            self._go_on()
        for command in self.tier.commands():
            self.to_executor.append(msgspec.msgpack.encode(command))

    def _place(self, plan: Plan) -> None:
        assert self.placement is not None
        step, deferred = self.placement.place(plan)
        if step is not None:
            self.to_executor.append(msgspec.msgpack.encode(step))
        if deferred is not None:
            self._answer_scheduler(deferred)
        if self.released or deferred is not None:
            self.released = False
            self._answer_scheduler(self._stats())

    def _lacks_pages_of_disk(self, plan: Plan) -> bool:
        assert self.placement is not None
        if not self.tier.holding or not self.placement.lacks(plan):
            return False
        self.to_executor.extend(msgspec.msgpack.encode(cancel) for cancel in self.tier.give_up())
        return self.tier.holding and self.placement.lacks(plan)

    def _go_on(self, behind: bool = False) -> None:
        while self.held_back and not behind and not self.undescribed:
            assert self.placement is not None
            first = self.held_back.popleft()
            if isinstance(first, Plan):
                for release in first.releases:
                    self.tier.cancel(release.sequence)
                self.placement.release(first.releases)
                self.released = self.released or bool(first.releases)
                first = msgspec.structs.replace(first, releases=[])
                if self._lacks_pages_of_disk(first):
                    self.held_back.appendleft(first)
                    return
                self._place(first)
            elif not self.tier.wait(first):
                self._admit(first)

    def _wait_or_admit(self, admit: Admit) -> None:
        if self.held_back or self.undescribed:
            self.held_back.append(admit)
        elif not self.tier.wait(admit):
            self._admit(admit)

    def _admit(self, message: Admit, start: int | None = None) -> None:
        assert self.placement is not None
        cached = self.placement.admit(message.sequence, message.tokens, reuse=message.reuse, adapters=message.adapters)
        if start is not None:
            self.tier.hit(max(0, cached - start))
        self._answer_scheduler(Admitted(message.sequence, cached, message.ticket, self.placement.room))

    def _stats(self) -> KVStats:
        pages = self.placement
        assert pages is not None
        return KVStats(pages.held, pages.cached, pages.total, pages.room)

    def _answer_scheduler(self, message: Admitted | Deferred | KVStats) -> None:
        self.to_scheduler_from_kv.append(msgspec.msgpack.encode(message))

    # The executor.

    def _execute(self, raw: bytes) -> None:
        command = self._executor_decoder.decode(raw)
        if isinstance(command, StartTransfers):
            self.work = deque(work for work in self.work if isinstance(work, StorePages))
            if command.describe and command.epoch == self.epoch:
                self._describe()
        elif isinstance(command, StorePages) and command.epoch == self.epoch:
            segment = StoredSegment(command.name, command.group, command.stored)
            self.writing[command.name] = segment, [self._content(command.group, page) for page in command.pages]
            self._tell(PagesTaken(command.batch))
            self.work.append(command)
        elif isinstance(command, RestorePages) and command.epoch == self.epoch:
            self.work.append(command)
        elif isinstance(command, CancelRestore):
            if (found := next((work for work in self.work if work.batch == command.batch), None)) is not None:
                self.work.remove(found)
                self._tell(PagesRestored(command.batch, [], cancelled=True))
        elif not isinstance(command, StorePages | RestorePages):
            super()._execute(raw)

    def _serve_disk(self) -> None:
        at = self._random.randrange(len(self.work))
        command = self.work[at]
        del self.work[at]
        if isinstance(command, StorePages):
            file = self.writing.pop(command.name)
            if self._fails():
                self._tell(PagesStored(command.batch, writable=self._random.random() < 0.9))
                return
            size = len(command.pages) * page_bytes(self.groups[command.group])
            evicted: list[str] = []
            while self.disk.files and self._used() + size > self.disk.quota:
                evicted.append(next(iter(self.disk.files)))
                del self.disk.files[evicted[-1]]
            self.disk.files[command.name] = file
            self._tell(PagesStored(command.batch, size, evicted))
            return
        found = self.writing.get(command.name) or self.disk.files.get(command.name)
        if found is None or self._fails():
            self._tell(PagesRestored(command.batch, []))
            return
        segment, contents = found
        good: list[bool] = []
        for offset, (page, address) in enumerate(zip(command.pages, command.addresses, strict=True)):
            assert segment.pages[command.first + offset].address == address
            good.append(not self._fails())
            if good[-1]:
                self._restore(command.group, page, contents[command.first + offset])
        self._tell(PagesRestored(command.batch, good))

    def _used(self) -> int:
        return sum(
            len(contents) * page_bytes(self.groups[segment.group]) for segment, contents in self.disk.files.values()
        )

    def _fails(self) -> bool:
        return self._random.random() < self.disk.chance

    def _content(self, group: int, page: int) -> Content:
        assert isinstance(self.device, Device)
        size = places(self.groups[group])
        return [self.device.groups[group].places.get(page * size + offset) for offset in range(size)]

    def _restore(self, group: int, page: int, content: Content) -> None:
        assert isinstance(self.device, Device)
        for offset, place in enumerate(content):
            if place is not None:
                self.device.groups[group].places[page * places(self.groups[group]) + offset] = place


def places(group: GroupPages) -> int:
    return 1 if group.kind is CacheKind.STATE else group.page_size


def page_bytes(group: GroupPages) -> int:
    """Few go into a segment or a chunk."""
    return 3 << 20
