"""The disk as a tier below the pool: what the KV manager asks of it, and what it has to say to the executor. No file is
touched here."""

from __future__ import annotations

import itertools
import secrets
import time
from dataclasses import asdict, dataclass

from mlxr.actors.kv.block_table import KeptPage
from mlxr.actors.kv.disk.costs import Costs
from mlxr.actors.kv.disk.index import PageIndex
from mlxr.actors.kv.disk.restoring import Restores, Waited
from mlxr.actors.kv.disk.saving import Saves
from mlxr.actors.kv.placement import Placement
from mlxr.runtime.messages.common import DiskUse
from mlxr.runtime.messages.executor import CancelRestore, RestorePages, StorePages
from mlxr.runtime.messages.kv import Admit, DiskOpened, PagesRestored, PagesStored, PagesTaken, SegmentsFound

SHARE = 0.75
"""Of the quota, that one conversation may have: the end of a longer one would drive its own beginning out."""


@dataclass(slots=True)
class DiskCounters:
    """Totals since the KV manager started, as in ``DiskUse``."""

    written_bytes: int = 0
    read_bytes: int = 0
    hits: int = 0
    restored_tokens: int = 0
    evicted: int = 0
    failed: int = 0
    damaged: int = 0


class DiskTier:
    """Owns the index of what is on disk, and what goes there and comes from there. Without an executor that has a disk
    it does nothing."""

    def __init__(self) -> None:
        self.counters = DiskCounters()
        self._costs = Costs()
        self._epoch = -1
        self._index = PageIndex()
        self._opened: DiskOpened | None = None
        self._writable = self._described = False
        self._kept = 0
        self._placement: Placement | None = None
        self._saves: Saves | None = None
        self._restores: Restores | None = None
        # Numbers count up from the time, so that answers to a predecessor match nothing here.
        self._numbers = itertools.count(time.time_ns())

    # The executor's word.

    def opened(self, event: DiskOpened) -> None:
        if self._opened is None or event.epoch != self._opened.epoch:
            self._index, self._costs, self._described = PageIndex(), Costs(), False
        self._opened, self._writable, self._kept = event, event.writable, event.kept
        if self._saves is None:
            self._start()

    def found(self, event: SegmentsFound) -> None:
        if self._opened is not None and event.epoch == self._opened.epoch:
            for name in event.gone:
                self._index.forget(name)
            for segment in event.segments:
                self._index.add(segment)
            self._described = self._described or event.last

    def taken(self, event: PagesTaken) -> None:
        if self._saves is not None:
            self._saves.taken(event.batch)

    def stored(self, event: PagesStored) -> int | None:
        """Returns the sequence whose pages these were."""
        self._writable, self._kept = event.writable, event.kept
        self.counters.failed += not event.bytes
        if self._saves is None:
            return None
        for name in event.evicted:
            self._index.forget(name)
        self.counters.evicted += len(event.evicted)
        self.counters.written_bytes += event.bytes
        if not self._writable:
            self._saves.give_up()
        return self._saves.stored(event)

    def restored(self, event: PagesRestored) -> Waited | None:
        """Returns whose wait is over."""
        self.counters.read_bytes += event.bytes
        self.counters.damaged += not event.cancelled and (not event.good or not all(event.good))
        return self._restores.restored(event) if self._restores is not None else None

    def hit(self, tokens: int) -> None:
        """So many of a prompt's tokens need no computing, since they were read."""
        self.counters.hits += tokens > 0
        self.counters.restored_tokens += tokens

    @property
    def use(self) -> DiskUse | None:
        """What there is to say of the disk; None where there is none."""
        if self._opened is None:
            return None
        quota, rate = self._opened.quota, self._costs.read
        return DiskUse(self._kept, quota, self._writable, read_rate=rate, **asdict(self.counters))

    # The KV manager's.

    def reset(self, placement: Placement, epoch: int) -> None:
        """The pool is another one, and empty."""
        if self._saves is not None:
            self._saves.forget()
        self._placement, self._epoch = placement, epoch
        self._start()

    @property
    def described(self) -> bool:
        """Whether all is known that lay on disk when the executor of this pool looked."""
        return self._opened is not None and self._opened.epoch == self._epoch and self._described

    def wait(self, admit: Admit) -> bool:
        """Whether ``admit`` waits until its prefix has been read."""
        if self._restores is None:
            return False
        self._restores.stop_prefetching()
        return admit.reuse and self._restores.begin(admit)

    def prefetch(self) -> None:
        """Nobody has come so far: what was used last is read."""
        if self._restores is not None:
            self._restores.prefetch()

    @property
    def reading(self) -> bool:
        """Whether pages are read, or wait for that."""
        return self._restores is not None and self._restores.holding

    def give_up_reading(self) -> list[CancelRestore]:
        """Lets those go on who wait for pages; returns what the executor is to be told."""
        return self._restores.give_up(self._epoch) if self._restores is not None else []

    def cancel(self, sequence: int) -> None:
        if self._restores is not None:
            self._restores.cancel(sequence)

    def keep(self, sequence: int, groups: list[list[KeptPage]]) -> None:
        """Queues pages of a sequence for the disk, group by group from the first on."""
        if self._saves is None or self._opened is None or not self._writable:
            return
        left = int(self._opened.quota * SHARE)
        for number, pages in enumerate(groups):
            fits = left // self._opened.page_bytes[number]
            self._saves.queue(sequence, number, pages[:fits])
            left -= len(pages[:fits]) * self._opened.page_bytes[number]

    @property
    def holding(self) -> bool:
        """Whether pages are held, that will be free before long."""
        saves, restores = self._saves, self._restores
        return (saves is not None and saves.holding) or (restores is not None and restores.holding)

    def give_up(self) -> list[CancelRestore]:
        """Lets go of pages, since somebody needs them, as far as that goes at once; returns what the executor is to be
        told of the rest."""
        if self._saves is not None:
            self._saves.give_up()
        return self.give_up_reading()

    def commands(self) -> list[StorePages | RestorePages]:
        """Returns what the executor is to be told."""
        if self._saves is None or self._restores is None:
            return []
        return [*self._restores.commands(self._epoch), *self._saves.commands(self._epoch)]

    def _start(self) -> None:
        """Begins anew once both the pool and the disk are there."""
        opened, placement = self._opened, self._placement
        self._saves, self._restores = None, None
        if opened is None or placement is None or opened.epoch != self._epoch:
            return
        if len(opened.page_bytes) != len(placement.groups):
            return
        pools = [group.pool for group in placement.groups]
        self._saves = Saves(pools, opened.page_bytes, self._index, _name, self._number)
        self._restores = Restores(placement, opened.page_bytes, self._index, self._costs, self._number)

    def _number(self) -> int:
        return next(self._numbers)


def _name() -> str:
    return secrets.token_hex(8)
