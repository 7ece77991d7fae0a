"""A cache group of which each page keeps something of its tokens: keys and values, or latents."""

from __future__ import annotations

from collections.abc import Container

from mlxr.actors.kv.block_table import BlockTable, KeptPage, kept_pages, own_entry
from mlxr.actors.kv.pages import PagePool
from mlxr.actors.kv.prefix import PrefixChain
from mlxr.actors.kv.recent_prompts import EvictionLog
from mlxr.runtime.messages.executor import PageCopy
from mlxr.runtime.messages.kv import GroupPages


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
        """Returns an upper bound, at most ``position`` tokens, on the prefix that this group can resume from with the
        pages in ``known``. A result equal to ``position`` is exact."""
        whole = position - position % self._size
        if whole < position and chain.at(position) not in known:
            return whole
        for entry in range(whole // self._size - 1, self._first_seen(position) - 1, -1):
            if chain.at((entry + 1) * self._size) not in known:
                return entry * self._size
        return position

    def ends(self, position: int) -> list[int]:
        """Returns where the pages end that a sequence needs to go on behind ``position``."""
        first, whole = self._first_seen(position), position // self._size
        ends = [(entry + 1) * self._size for entry in range(first, whole)]
        return [*ends, position] if position % self._size else ends

    def filled(self, end: int) -> int:
        """Returns how many places of a page are filled that ends at ``end``."""
        return end % self._size or self._size

    def kept(self, table: BlockTable, chain: PrefixChain, position: int) -> list[KeptPage]:
        """Returns what can be found of the first ``position`` tokens, as far as the table has it."""
        ends = range((table.first + 1) * self._size, position + 1, self._size)
        return kept_pages(self.pool, chain, [*ends, position] if position % self._size else ends)

    def hold(self, chain: PrefixChain, position: int) -> BlockTable:
        """Returns a table with what there is of the first ``position`` tokens, all of which is ``usable``."""
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
        """Returns how many pages a row of tokens ``start`` to ``end`` can't do without beyond those it has: new ones,
        and one more to copy a page that others hold too and that it writes to. ``draft``: it ends with a draft."""
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
            return written if own_entry(self.pool, self._index, table, written, copies) else changed
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
        """Returns a table that shares the pages of the first ``length`` tokens."""
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
        """Returns how many pages the sequence was promised and has not got yet."""
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
