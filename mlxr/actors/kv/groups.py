"""What one cache group keeps of each sequence: its block table, and which pages a step needs, writes to and gives back.

A page that others can find, or hold too, is never written to: its holder takes a copy. That alone makes forks share,
and it makes a state group's snapshots. Its table has one entry, the state after all tokens so far; once that is
published it is a snapshot, and the sequence's next row has it copied to another page and goes on there.

Rejected tokens of a draft need nothing where pages hold something of each token: later ones are written over them. A
state that has taken them in is of no use any more, so a row with a draft leaves the one before it as it is, and works
on a copy.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from mlxr.actors.kv.pages import PagePool
from mlxr.actors.kv.prefix import PrefixChain
from mlxr.actors.kv.recent_prompts import EvictionLog
from mlxr.runtime.messages.executor import PageCopy
from mlxr.runtime.messages.kv import CacheKind, GroupPages, StoredPage, TableEntries


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page that can be found, and what it would be found by on disk."""

    page: int
    stored: StoredPage


@dataclass(slots=True)
class BlockTable:
    """One sequence's pages in one group.

    ``pages``: entries ``first`` and up of its block table; those before have been given back.
    ``first``: the first entry that it holds.
    ``published``: up to which entry its pages can be found by others.
    ``promised``: how many pages it was admitted for, of which it has some.
    ``kept``: of a ``state`` group, the state to go back to if a draft turns out to be wrong.
    ``stale``: the executor has other entries than these.
    """

    pages: list[int] = field(default_factory=list)
    first: int = 0
    published: int = 0
    promised: int = 0
    kept: int | None = None
    stale: bool = False

    @property
    def end(self) -> int:
        return self.first + len(self.pages)

    def entries(self, first: int) -> TableEntries:
        """Those from ``first`` on, as far as it holds them."""
        first = max(first, self.first)
        return TableEntries(first, self.pages[first - self.first :])


class TokenPages:
    """A group whose pages hold something of every token: ``full``, ``latent`` and, with a window, ``window``."""

    def __init__(self, index: int, spec: GroupPages, evictions: EvictionLog) -> None:
        self.pool = PagePool(spec.pages, spec.extent, evictions)
        self._index = index
        self.spec = spec
        self._size = spec.page_size

    # Prefixes.

    def reach(self, chain: PrefixChain, limit: int, known: Container[bytes]) -> int:
        """Up to which position, at most ``limit``, there may be something to reuse, of what has ``known`` addresses."""
        if self.spec.window is not None:
            return limit
        position = 0
        while position + self._size <= limit and chain.at(position + self._size) in known:
            position += self._size
        return position

    def usable(self, chain: PrefixChain, position: int, known: Container[bytes]) -> int:
        """The longest prefix, at most ``position`` tokens, of which all that a sequence needs of this group to go on
        behind it may be ``known``; it is for sure if that is ``position`` itself."""
        whole = position - position % self._size
        if whole < position and chain.at(position) not in known:
            return whole
        for entry in range(whole // self._size - 1, self._first_seen(position) - 1, -1):
            if chain.at((entry + 1) * self._size) not in known:
                return entry * self._size
        return position

    def ends(self, position: int) -> list[int]:
        """Where the pages end that a sequence needs to go on behind ``position``."""
        first, whole = self._first_seen(position), position // self._size
        ends = [(entry + 1) * self._size for entry in range(first, whole)]
        return [*ends, position] if position % self._size else ends

    def filled(self, end: int) -> int:
        """How many places of a page are filled that ends at ``end``."""
        return end % self._size or self._size

    def kept(self, table: BlockTable, chain: PrefixChain, position: int) -> list[KeptPage]:
        """What can be found of the first ``position`` tokens, as far as the table has it."""
        ends = range((table.first + 1) * self._size, position + 1, self._size)
        return _kept(self.pool, chain, [*ends, position] if position % self._size else ends)

    def hold(self, chain: PrefixChain, position: int) -> BlockTable:
        """A table with what there is of the first ``position`` tokens, all of which is ``usable``."""
        table = BlockTable(first=self._first_seen(position), published=position // self._size)
        for end in self.ends(position):
            page = self.pool.find(chain.at(end))
            assert page is not None, "usability was checked before"
            table.pages.append(page)
        return table

    # Steps.

    def holds(self, table: BlockTable, start: int, end: int) -> bool:
        """Whether a row of tokens ``start`` to ``end`` without a draft finds all its pages in the table, and may write
        to them."""
        first, pages = table.first, table.pages
        entry, offset = divmod(start, self._size)
        return end <= (first + len(pages)) * self._size and self.pool.writable(pages[entry - first], offset)

    def missing(self, table: BlockTable, start: int, end: int, *, draft: bool = False) -> int:
        """Pages that a row of tokens ``start`` to ``end`` can't do without beyond those it has: new ones, and one more
        to copy a page that others hold too and that it writes to. ``draft``: it ends with a draft."""
        first, pages, entry = table.first, table.pages, start // self._size
        shares = entry < first + len(pages) and self.pool.shared(pages[entry - first])
        return -(-end // self._size) - first - len(pages) + shares

    def fill(
        self, table: BlockTable, start: int, end: int, copies: list[PageCopy], *, draft: bool = False
    ) -> int | None:
        """Gives the table the pages for such a row; returns the first entry that has changed, None if none has."""
        before, changed = table.end, None
        wanted = -(-end // self._size)
        if before < wanted:
            changed = before
            table.pages += [self._take() for _ in range(wanted - before)]
        written, offset = divmod(start, self._size)
        if written < before and not self.pool.writable(table.pages[written - table.first], offset):
            return written if _own(self.pool, self._index, table, written, copies) else changed
        return changed

    def settle(self, table: BlockTable, *, accepted: bool) -> None:
        """Learns whether a row's draft was ``accepted`` as a whole. What lies behind the accepted part is written
        over."""

    def publish(self, table: BlockTable, chain: PrefixChain, end: int) -> None:
        """Makes the pages that the first ``end`` tokens fill findable."""
        for entry in range(max(table.published, table.first), min(end // self._size, table.end)):
            page = table.pages[entry - table.first]
            self.pool.publish(page, chain.at((entry + 1) * self._size), self._size)
        table.published = max(table.published, end // self._size)

    def snapshot(self, table: BlockTable, chain: PrefixChain, filled: int) -> None:
        """Makes the page that the first ``filled`` tokens fill in part findable, too."""
        entry, part = divmod(filled, self._size)
        if part:
            self.pool.publish(table.pages[entry - table.first], chain.at(filled), part)

    def trim(self, table: BlockTable, filled: int) -> None:
        """Gives back pages that no query behind the first ``filled`` tokens can see, or any behind a shorter prefix at
        which the sequence may turn out to have ended."""
        gone = min(self._first_kept(filled), table.end) - table.first
        if gone > 0:
            for page in table.pages[:gone]:
                self.pool.release(page, passed=True)
            del table.pages[:gone]
            table.first += gone

    def fork(self, table: BlockTable, length: int) -> BlockTable:
        """A table that shares the pages of the first ``length`` tokens."""
        pages = table.pages[: -(-length // self._size) - table.first]
        for page in pages:
            self.pool.retain(page)
        return BlockTable(pages, table.first, table.published)

    def drop(self, table: BlockTable) -> None:
        # Last page first: of one chain the tail is then evicted before the prefix that others may share.
        for page in reversed(table.pages):
            self.pool.release(page)
        table.pages.clear()

    # Room.

    def owed(self, table: BlockTable) -> int:
        """Pages that the sequence was promised and has not got yet."""
        return max(0, table.promised - len(table.pages))

    def set_aside(self, longest_row: int) -> int:
        """Returns how many pages are never promised: a window holds more while a prompt's row is computed."""
        return -(-longest_row // self._size) if self.spec.window is not None else 0

    def _take(self) -> int:
        page = self.pool.allocate()
        assert page is not None, "availability was checked before"
        return page

    def _first_seen(self, position: int) -> int:
        """The first entry that a query at ``position`` sees."""
        window = self.spec.window
        return 0 if window is None else max(0, position - window + 1) // self._size

    def _first_kept(self, filled: int) -> int:
        return self._first_seen(self.spec.least_kept(filled))


class States:
    """A group whose pages are states of sequences, at whatever position each is."""

    def __init__(self, index: int, spec: GroupPages, evictions: EvictionLog) -> None:
        self.pool = PagePool(spec.pages, spec.extent, evictions)
        self._index = index
        self.spec = spec

    # Prefixes.

    def reach(self, chain: PrefixChain, limit: int, known: Container[bytes]) -> int:
        return limit

    def usable(self, chain: PrefixChain, position: int, known: Container[bytes]) -> int:
        return position if position == 0 or chain.at(position) in known else position - 1

    def ends(self, position: int) -> list[int]:
        return [position] if position else []

    def filled(self, end: int) -> int:
        return 1

    def kept(self, table: BlockTable, chain: PrefixChain, position: int) -> list[KeptPage]:
        return _kept(self.pool, chain, self.ends(position))

    def hold(self, chain: PrefixChain, position: int) -> BlockTable:
        table = BlockTable()
        if position:
            page = self.pool.find(chain.at(position))
            assert page is not None, "usability was checked before"
            table.pages.append(page)
        return table

    # Steps.

    def holds(self, table: BlockTable, start: int, end: int) -> bool:
        return bool(table.pages) and not table.stale and self.pool.writable(table.pages[0], 0)

    def missing(self, table: BlockTable, start: int, end: int, *, draft: bool = False) -> int:
        return 1 if draft or not table.pages or self.pool.shared(table.pages[0]) else 0

    def fill(
        self, table: BlockTable, start: int, end: int, copies: list[PageCopy], *, draft: bool = False
    ) -> int | None:
        stale, table.stale = table.stale, False
        if table.pages and not draft:
            writable = self.pool.writable(table.pages[0], 0)
            copied = not writable and _own(self.pool, self._index, table, 0, copies)
            return 0 if copied or stale else None
        page = self.pool.allocate()
        assert page is not None, "availability was checked before"
        if table.pages:
            table.kept = table.pages.pop()
            copies.append(PageCopy(self._index, table.kept, page))
        table.pages.append(page)
        return 0

    def settle(self, table: BlockTable, *, accepted: bool) -> None:
        """Learns whether a row's draft was ``accepted`` as a whole; else the state is again the one before the row."""
        if table.kept is None:
            return
        if accepted:
            self.pool.release(table.kept)
        else:
            self.pool.release(table.pages[0])
            table.pages[0], table.stale = table.kept, True
        table.kept = None

    def publish(self, table: BlockTable, chain: PrefixChain, end: int) -> None:
        """There is only the state where the sequence stands, of which ``snapshot`` is told."""

    def snapshot(self, table: BlockTable, chain: PrefixChain, filled: int) -> None:
        """Makes the state after the first ``filled`` tokens findable, which is all that there are."""
        self.pool.publish(table.pages[0], chain.at(filled), 1)

    def fork(self, table: BlockTable, length: int) -> BlockTable:
        """The table stands at ``length``, too."""
        for page in table.pages:
            self.pool.retain(page)
        return BlockTable(list(table.pages))

    def drop(self, table: BlockTable) -> None:
        self.settle(table, accepted=True)
        for page in table.pages:
            self.pool.release(page)
        table.pages.clear()

    # Room.

    def owed(self, table: BlockTable) -> int:
        """A state that others hold too is none of its own yet."""
        owns = bool(table.pages) and not self.pool.shared(table.pages[0])
        return 0 if owns else table.promised

    def set_aside(self, longest_row: int) -> int:
        return 0


Group = TokenPages | States


def group_of(index: int, spec: GroupPages, evictions: EvictionLog) -> Group:
    """``evictions``: where it notes what it evicts."""
    return States(index, spec, evictions) if spec.kind is CacheKind.STATE else TokenPages(index, spec, evictions)


def _kept(pool: PagePool, chain: PrefixChain, ends: Iterable[int]) -> list[KeptPage]:
    """Those pages that end at ``ends`` and can be found."""
    kept: list[KeptPage] = []
    for end in ends:
        page = pool.at(chain.at(end))
        if page is not None:
            kept.append(KeptPage(page, StoredPage(chain.at(end), *chain.parent(end))))
    return kept


def _own(pool: PagePool, index: int, table: BlockTable, entry: int, copies: list[PageCopy]) -> bool:
    """Makes the entry, whose page is not writable, one that its sequence may write to; returns whether it is another
    page. Where none is left for a copy, what nobody else holds is no longer to be found.
    """
    old = table.pages[entry - table.first]
    new = pool.allocate()
    if new is None:
        assert not pool.shared(old), "availability was checked before"
        pool.unpublish(old)
        return False
    table.pages[entry - table.first] = new
    copies.append(PageCopy(index, old, new))
    pool.release(old)
    return True
