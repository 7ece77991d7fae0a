"""What goes to the disk: pages of turns that have ended and pages that were used again, until they are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mlxr.actors.kv.block_table import KeptPage
from mlxr.actors.kv.disk.index import PageIndex
from mlxr.actors.kv.pages import PagePool
from mlxr.runtime.messages.executor import StorePages
from mlxr.runtime.messages.kv import PagesStored, StoredSegment

SEGMENT_BYTES = 16 << 20
"""Of one file: large enough to be read as fast as the disk can, and small enough to be copied between two steps."""

IN_FLIGHT_BYTES = 16 << 20
"""On their way to the disk at once, beyond which no more is sent."""

COPIED_BYTES = IN_FLIGHT_BYTES + SEGMENT_BYTES
"""What is at most in memory twice, in the pool and on its way to the disk: one more file may join those in flight."""


@dataclass(slots=True)
class _Turn:
    """Pages of one group that are written one behind another. ``used``: segments with pages before those."""

    sequence: int
    group: int
    pages: deque[KeptPage]
    used: list[str]


@dataclass(slots=True)
class _Batch:
    name: str
    sequence: int
    group: int
    bytes: int
    pages: list[int] = field(default_factory=list)


class Saves:
    """Owns what is queued for the disk and what is on its way. A page is held, so that nothing replaces it, from when
    it is queued until it is copied; it can be found on disk from when its command goes out.

    ``names``: makes the name of a file. ``batches``: makes the number of a batch.
    """

    def __init__(
        self,
        pools: Sequence[PagePool],
        page_bytes: Sequence[int],
        index: PageIndex,
        names: Callable[[], str],
        batches: Callable[[], int],
    ) -> None:
        self._pools = pools
        self._page_bytes = page_bytes
        self._index = index
        self._names = names
        self._batches = batches
        self._queue: deque[_Turn] = deque()
        self._queued: set[tuple[int, bytes]] = set()
        self._in_flight: dict[int, _Batch] = {}

    @property
    def in_flight_bytes(self) -> int:
        return sum(batch.bytes for batch in self._in_flight.values())

    @property
    def holding(self) -> bool:
        """Whether pages are held for the disk."""
        return bool(self._queue) or any(batch.pages for batch in self._in_flight.values())

    def queue(self, sequence: int, group: int, pages: Iterable[KeptPage]) -> None:
        """Those of ``pages``, in their order, that are not on disk and not on their way go there."""
        missing: deque[KeptPage] = deque()
        used: dict[str, None] = {}
        for kept in pages:
            address = kept.stored.address
            if (place := self._index.place(group, address)) is not None:
                used[place.segment] = None
            elif (group, address) not in self._queued:
                self._queued.add((group, address))
                self._pools[group].retain(kept.page)
                missing.append(kept)
        if missing:
            # The first last: of one chain its beginning, which others may share, is used latest.
            self._queue.append(_Turn(sequence, group, missing, list(reversed(used))))

    def commands(self, epoch: int) -> list[StorePages]:
        """Returns what may go out now."""
        out: list[StorePages] = []
        while self._queue and (not self._in_flight or self.in_flight_bytes < IN_FLIGHT_BYTES):
            turn = self._queue[0]
            size = self._page_bytes[turn.group]
            count = min(len(turn.pages), max(1, SEGMENT_BYTES // size))
            taken = [turn.pages.popleft() for _ in range(count)]
            if not turn.pages:
                self._queue.popleft()
            out.append(self._command(epoch, turn, taken, size * count))
            turn.used = []
        return out

    def taken(self, batch: int) -> None:
        """The batch is copied."""
        if found := self._in_flight.get(batch):
            self._unpin(found.group, found.pages)
            found.pages = []

    def stored(self, event: PagesStored) -> int | None:
        """The batch is on disk, or failed. Returns the sequence whose turn it was of; None for an unknown batch."""
        found = self._in_flight.pop(event.batch, None)
        if found is None:
            return None
        self._unpin(found.group, found.pages)
        if not event.bytes:
            self._index.forget(found.name)
        return found.sequence

    def give_up(self) -> None:
        """Lets go of what is queued, since somebody needs pages."""
        for turn in self._queue:
            self._unpin(turn.group, [kept.page for kept in turn.pages])
            self._queued -= {(turn.group, kept.stored.address) for kept in turn.pages}
        self._queue.clear()

    def forget(self) -> None:
        """The pool is gone. What was on its way may or may not get there."""
        for batch in self._in_flight.values():
            self._index.forget(batch.name)
        self._queue.clear()
        self._queued.clear()
        self._in_flight.clear()

    def _command(self, epoch: int, turn: _Turn, taken: list[KeptPage], size: int) -> StorePages:
        number, name = self._batches(), self._names()
        pages, stored = [kept.page for kept in taken], [kept.stored for kept in taken]
        self._in_flight[number] = _Batch(name, turn.sequence, turn.group, size, list(pages))
        self._index.add(StoredSegment(name, turn.group, stored))
        self._queued -= {(turn.group, page.address) for page in stored}
        return StorePages(epoch, number, name, turn.group, pages, stored, turn.used)

    def _unpin(self, group: int, pages: Iterable[int]) -> None:
        # The last first: of one chain the tail is then evicted before the prefix that others may share.
        for page in reversed(list(pages)):
            self._pools[group].release(page)
