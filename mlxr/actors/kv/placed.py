"""One sequence's pages: a block table in each cache group, how far they are filled, and the draft of its last row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from mlxr.actors.kv.block_table import BlockTable
from mlxr.actors.kv.groups import Group
from mlxr.actors.kv.prefix import PrefixChain
from mlxr.runtime.messages.executor import ForkRow, PageCopy
from mlxr.runtime.messages.kv import CacheKind, PlanRow


@dataclass(slots=True)
class Placed:
    """One sequence.

    ``groups``: the cache groups of the pool.
    ``tables``: a block table for each group.
    ``chain``: addresses of what it was admitted with.
    ``prompt_length``: how many tokens that are.
    ``filled``: how many of its tokens are in place, planned steps included.
    ``drafted``: tokens behind these that are in place too, if the draft of its last row was right so far.
    ``row_start``: where that row begins, if it has a draft.
    ``may_end``: the first position at which it may turn out to have ended, beyond what steps in flight are for.
    ``moved``: pages of its have become others, of which the executor is still to be told.
    """

    groups: Sequence[Group]
    tables: list[BlockTable]
    chain: PrefixChain
    prompt_length: int
    filled: int
    moved: bool = False
    drafted: int = 0
    row_start: int = 0
    may_end: int = 0

    @property
    def holds_pages(self) -> bool:
        return any(table.pages for table in self.tables)

    def settle(self, position: int) -> bool:
        """Returns whether the sequence can go on from ``position``. If its last row had a draft, that says how much of
        it was right: anything, but all or nothing where a group keeps states."""
        if not self.drafted:
            return self.filled == position
        end = self.filled + self.drafted
        partly = self.filled <= position <= end and not self._has_states
        if not partly and position not in (self.row_start, end):
            return False
        for group, table in zip(self.groups, self.tables, strict=True):
            group.settle(table, accepted=position == end)
        self.filled, self.drafted = position, 0
        return True

    def go_on(self, row: PlanRow) -> bool:
        """Takes the row if it is right behind the one before and has no draft, and the sequence has all pages for it.
        Returns whether it was such a one, which goes on as it came."""
        if self.drafted or row.draft or row.start != self.filled or row.setup is not None or self.moved:
            return False
        end = row.start + row.length
        for group, table in zip(self.groups, self.tables, strict=True):
            if not group.holds(table, row.start, end):
                return False
        self.may_end = self.row_start or end
        self.filled, self.row_start = end, 0
        return True

    def lacks(self, row: PlanRow) -> int:
        """Returns how many pages the row needs that are not to be had, of all groups together."""
        end, lacking = row.start + row.length, 0
        for group, table in zip(self.groups, self.tables, strict=True):
            missing = group.missing(table, row.start, end, draft=row.draft > 0)
            if missing > 0:
                lacking += max(0, missing - group.pool.available)
        return lacking

    def fill(self, row: PlanRow, copies: list[PageCopy]) -> PlanRow:
        """Takes the pages that the row needs, which are there; returns the row with them. ``copies``: where it says
        which pages are to be copied before."""
        end = row.start + row.length
        changed = [
            group.fill(table, row.start, end, copies, draft=row.draft > 0)
            for group, table in zip(self.groups, self.tables, strict=True)
        ]
        # A stop may show only later within what was accepted of the draft before.
        self.may_end = self.row_start if self.row_start else row.start if row.draft else end
        self.filled, self.drafted, self.row_start = end - row.draft, row.draft, row.start if row.draft else 0
        if row.setup is not None or self.moved:
            # An executor that is told of a sequence for the first time learns its whole tables.
            changed = [0] * len(changed)
            self.moved = False
        if changed.count(None) == len(changed):
            return row
        tables = zip(self.tables, changed, strict=True)
        return replace(row, tables=[table.entries(table.end if first is None else first) for table, first in tables])

    def publish(self, end: int, *, snapshot: bool) -> None:
        """Makes what the first ``end`` tokens fill findable. ``snapshot``: also what they fill in part, and states
        where it stands."""
        for group, table in zip(self.groups, self.tables, strict=True):
            group.publish(table, self.chain, end)
        if snapshot:
            for group, table in zip(self.groups, self.tables, strict=True):
                group.snapshot(table, self.chain, end)

    def follow(self, index: int, moved: dict[int, int]) -> None:
        """Pages of the group with this ``index`` have become others. ``moved``: from which to which."""
        table, gone = self.tables[index], moved.keys()
        self.moved |= not gone.isdisjoint(table.pages)
        table.pages[:] = [moved.get(page, page) for page in table.pages]
        if table.kept is not None:
            table.kept = moved.get(table.kept, table.kept)

    def fork(self, child: int, length: int) -> tuple[Placed, ForkRow]:
        """Returns a sequence that shares the first ``length`` tokens, and what the executor is told of that."""
        tables = [group.fork(table, length) for group, table in zip(self.groups, self.tables, strict=True)]
        placed = Placed(self.groups, tables, self.chain.branch(), self.prompt_length, length)
        return placed, ForkRow(child, [table.entries(0) for table in tables])

    def drop(self) -> None:
        """Gives all pages back."""
        for group, table in zip(self.groups, self.tables, strict=True):
            group.drop(table)

    @property
    def _has_states(self) -> bool:
        return any(group.spec.kind is CacheKind.STATE and group.spec.pages for group in self.groups)
