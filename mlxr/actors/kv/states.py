"""A cache group that keeps one state of all tokens so far: its snapshots are what prefixes are found by."""

from __future__ import annotations

from collections.abc import Container

from mlxr.actors.kv.block_table import BlockTable, KeptPage, kept_pages, own_entry
from mlxr.actors.kv.pages import PagePool
from mlxr.actors.kv.prefix import PrefixChain
from mlxr.actors.kv.recent_prompts import EvictionLog
from mlxr.runtime.messages.executor import PageCopy
from mlxr.runtime.messages.kv import GroupPages


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
        return kept_pages(self.pool, chain, self.ends(position))

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
            copied = not writable and own_entry(self.pool, self._index, table, 0, copies)
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
