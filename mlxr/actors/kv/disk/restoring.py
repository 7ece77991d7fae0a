"""Prefixes that lie on disk: who waits for one, and what is read for it, chunk by chunk.

A restored page becomes one that is kept for reuse, and whoever waited is admitted as if it had never left. So nothing
else knows of the disk, and what can't be read is computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mlxr.actors.kv.disk.costs import Costs
from mlxr.actors.kv.disk.index import PageIndex
from mlxr.actors.kv.groups import Group
from mlxr.actors.kv.placement import Placement
from mlxr.actors.kv.prefix import PrefixChain
from mlxr.runtime.messages.executor import CancelRestore, RestorePages
from mlxr.runtime.messages.kv import Admit, PagesRestored

CHUNK_BYTES = 8 << 20
"""Read, checked and copied into the pool at once."""

PREFETCHED_BYTES = 2 << 30
PREFETCHED_SHARE = 2
"""At most so many bytes, and one part in so many of the pool, are read before anybody asks."""

PREFETCHED_AT_ONCE = 2
"""Chunks, so that whoever comes meanwhile hardly waits for them."""

CHUNKS_IN_FLIGHT = 8
"""One is read, one copied, and the others wait: on a busy machine the next command takes as long as some chunks."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """A page that is on disk and not in the pool. ``filled``: how much of it the address stands for. ``parent``,
    ``tail``: as in ``StoredPage``."""

    group: int
    address: bytes
    filled: int
    parent: bytes
    tail: int


@dataclass(slots=True)
class _Chunk:
    """Pages that lie side by side in a segment, from its ``first`` on."""

    name: str
    group: int
    first: int
    missing: list[_Missing]
    pages: list[int]


@dataclass(slots=True)
class _Restore:
    """One prefix.

    admit: who waits for it; None once it has gone.
    start: how many tokens of it are in the pool.
    position: how many there will be.
    size: bytes of what is read.
    given_up: its pages are needed.
    prefetch: nobody has asked for it.
    held: pages of the pool that must stay, and those that were read into, each with its group.
    followers: others that need the same pages, and will be looked at again.
    """

    admit: Admit | None
    start: int
    position: int
    held: list[tuple[int, int]]
    chunks: deque[_Chunk]
    size: int
    in_flight: dict[int, _Chunk] = field(default_factory=dict)
    followers: list[Admit] = field(default_factory=list)
    given_up: bool = False
    prefetch: bool = False

    def includes(self, wanted: set[tuple[int, bytes]]) -> bool:
        """Whether any of these pages is still to be read."""
        waiting = [*self.chunks, *self.in_flight.values()]
        return any((chunk.group, missing.address) in wanted for chunk in waiting for missing in chunk.missing)


@dataclass(frozen=True, slots=True)
class Waited:
    """Whose wait is over: ``admit`` is admitted now, ``again`` are looked at anew. ``start``: how many of its tokens
    did not come from the disk."""

    admit: Admit | None
    start: int
    again: list[Admit]


class Restores:
    """Owns the admissions that wait for the disk, and the pages that are read into.

    ``batches``: makes the number of a batch.
    """

    def __init__(
        self,
        placement: Placement,
        page_bytes: Sequence[int],
        index: PageIndex,
        costs: Costs,
        batches: Callable[[], int],
    ) -> None:
        self._placement = placement
        self._page_bytes = page_bytes
        self._index = index
        self._costs = costs
        self._batches = batches
        self._restores: list[_Restore] = []

    def begin(self, admit: Admit) -> bool:
        """Whether ``admit`` waits from now on, since more of its prefix is on disk than in the pool."""
        if not self._index.segments:
            return False
        prefixes = self._placement.prefixes
        chain, limit = prefixes.chain(admit.tokens, admit.adapters), len(admit.tokens) - 1
        start = prefixes.longest(chain, limit)
        position = prefixes.longest(chain, limit, self._index)
        while position > start:
            missing = self._missing(chain, position)
            if other := self._restoring(missing):
                other.followers.append(admit)
                return True
            beyond = self._beyond_room(chain, position)
            if not beyond:
                break
            position = prefixes.longest(chain, max(0, position - beyond), self._index)
        else:
            return False
        size = sum(self._page_bytes[page.group] for page in missing)
        if not missing or not self._costs.restoring_pays(size, position - start):
            return False
        held = self._hold(chain, position)
        self._restores.append(_Restore(admit, start, position, held, deque(self._chunks(missing)), size))
        return True

    def prefetch(self) -> None:
        """What was used last is read into pages that nobody has, so that who comes back finds it in the pool."""
        groups = self._placement.groups
        parts = zip(groups, self._placement.room, strict=True)
        left = [min(group.spec.pages // PREFETCHED_SHARE, room) for group, room in parts]
        missing: list[_Missing] = []
        size, seen = 0, set[tuple[int, bytes]]()
        for number, page in self._index.in_order():
            there = page.address in groups[number].pool or self._index.place(number, page.address) is None
            if there or (number, page.address) in seen:
                continue
            seen.add((number, page.address))
            size, left[number] = size + self._page_bytes[number], left[number] - 1
            if size > PREFETCHED_BYTES or left[number] < 0:
                break
            filled = groups[number].filled(page.tail)
            missing.append(_Missing(number, page.address, filled, page.parent, page.tail))
        if missing:
            self._restores.append(_Restore(None, 0, 0, [], deque(self._chunks(missing)), size, prefetch=True))

    def stop_prefetching(self) -> None:
        """Somebody has come, who may want other pages: only those that are read at this moment stay held."""
        for restore in [restore for restore in self._restores if restore.prefetch]:
            self._drop_chunks(restore)
            self._release(restore)
            if not restore.in_flight:
                self._restores.remove(restore)

    def commands(self, epoch: int) -> list[RestorePages]:
        """Returns what is to be read now."""
        out: list[RestorePages] = []
        for restore in self._restores:
            most = PREFETCHED_AT_ONCE if restore.prefetch else CHUNKS_IN_FLIGHT
            while restore.chunks and len(restore.in_flight) < most:
                chunk, number = restore.chunks.popleft(), self._batches()
                restore.in_flight[number] = chunk
                addresses = [page.address for page in chunk.missing]
                out.append(
                    RestorePages(epoch, number, chunk.name, chunk.group, chunk.first, list(chunk.pages), addresses)
                )
        return out

    def restored(self, event: PagesRestored) -> Waited | None:
        """A chunk is there, or is not; returns whose wait is over with it."""
        restore = next((each for each in self._restores if event.batch in each.in_flight), None)
        if restore is None:
            return None
        chunk = restore.in_flight.pop(event.batch)
        if not event.cancelled:
            self._costs.note(event.bytes, event.seconds, event.prefill_rate)
            self._publish(chunk, event.good)
        restore.held += [(chunk.group, page) for page in chunk.pages]
        if not all(event.good) or not event.good or self._too_slow(restore):
            self._drop_chunks(restore)
        if restore.given_up:
            self._release(restore)
        if restore.chunks or restore.in_flight:
            return None
        self._restores.remove(restore)
        self._release(restore)
        return Waited(restore.admit, restore.start, restore.followers)

    @property
    def holding(self) -> bool:
        """Whether pages are held for what is read."""
        return bool(self._restores)

    def give_up(self, epoch: int) -> list[CancelRestore]:
        """Lets go of what it can, since somebody needs pages; returns what is to be told of the rest. Whoever waits is
        admitted with what there is then."""
        cancels: list[CancelRestore] = []
        for restore in self._restores:
            self._drop_chunks(restore)
            self._release(restore)
            if not restore.given_up:
                cancels += [CancelRestore(epoch, batch) for batch in restore.in_flight]
            restore.given_up = True
        return cancels

    def cancel(self, sequence: int) -> None:
        """Nobody waits for this sequence any more."""
        for restore in self._restores:
            restore.followers = [admit for admit in restore.followers if admit.sequence != sequence]
            if restore.admit is not None and restore.admit.sequence == sequence:
                restore.admit = None
                self._drop_chunks(restore)

    # Pages.

    def _drop_chunks(self, restore: _Restore) -> None:
        """What has not been asked for will not be read."""
        for chunk in restore.chunks:
            for page in chunk.pages:
                self._group(chunk.group).pool.release(page)
        restore.chunks.clear()

    def _release(self, restore: _Restore) -> None:
        # The last first: of one chain the tail is then evicted before the prefix that others may share.
        for group, page in reversed(restore.held):
            self._group(group).pool.release(page)
        restore.held.clear()

    def _missing(self, chain: PrefixChain, position: int) -> list[_Missing]:
        found: list[_Missing] = []
        for number, group in enumerate(self._placement.groups):
            for end in group.ends(position):
                address = chain.at(end)
                if address not in group.pool:
                    found.append(_Missing(number, address, group.filled(end), *chain.parent(end)))
        return found

    def _restoring(self, missing: list[_Missing]) -> _Restore | None:
        wanted = {(page.group, page.address) for page in missing}
        return next((restore for restore in self._restores if restore.includes(wanted)), None)

    def _beyond_room(self, chain: PrefixChain, position: int) -> int:
        """Returns by how many tokens the prefix must be shorter at least, so that its pages have room: those to be read
        and those that nobody holds so far."""
        beyond = 0
        for group, room in zip(self._placement.groups, self._placement.room, strict=True):
            pages = [group.pool.at(chain.at(end)) for end in group.ends(position)]
            over = sum(page is None or not group.pool.is_held(page) for page in pages) - room
            if over > 0:
                beyond = max(beyond, over * group.spec.page_size)
        return beyond

    def _hold(self, chain: PrefixChain, position: int) -> list[tuple[int, int]]:
        """Holds what the pool has of the prefix; returns these pages."""
        held: list[tuple[int, int]] = []
        for number, group in enumerate(self._placement.groups):
            for end in group.ends(position):
                page = group.pool.at(chain.at(end))
                if page is not None:
                    group.pool.retain(page)
                    held.append((number, page))
        return held

    def _chunks(self, missing: list[_Missing]) -> list[_Chunk]:
        """Gives each its page, and puts together what lies side by side."""
        chunks: list[_Chunk] = []
        for one in missing:
            place = self._index.place(one.group, one.address)
            page = self._group(one.group).pool.allocate()
            assert place is not None, "it was looked up before"
            assert page is not None, "room was looked at before"
            last = chunks[-1] if chunks else None
            if (
                last is not None
                and (last.name, last.group, last.first + len(last.pages)) == (place.segment, one.group, place.number)
                and (len(last.pages) + 1) * self._page_bytes[one.group] <= CHUNK_BYTES
            ):
                last.missing.append(one)
                last.pages.append(page)
            else:
                chunks.append(_Chunk(place.segment, one.group, place.number, [one], [page]))
        return chunks

    def _publish(self, chunk: _Chunk, good: list[bool]) -> None:
        """Makes restored pages findable, and forgets what is not on disk after all."""
        pool = self._group(chunk.group).pool
        for missing, page, is_good in zip(chunk.missing, chunk.pages, good, strict=False):
            if is_good:
                pool.publish(page, missing.address, missing.filled)
                self._placement.prefixes.turn_ended(missing.parent, missing.tail)
            else:
                self._index.remove(chunk.group, missing.address, chunk.name)
        if not good:
            self._index.forget(chunk.name)

    def _too_slow(self, restore: _Restore) -> bool:
        """Whether what is left to read would be computed sooner."""
        if restore.prefetch:
            return False
        left = sum(len(chunk.pages) * self._page_bytes[chunk.group] for chunk in restore.chunks)
        tokens = (restore.position - restore.start) * left // restore.size
        return left > 0 and not self._costs.restoring_pays(left, tokens)

    def _group(self, number: int) -> Group:
        return self._placement.groups[number]
