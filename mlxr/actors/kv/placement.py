"""Where sequences live: a block table for each cache group over that group's pages, prefix reuse, copy-on-write forks.

Pages are given and taken back in the order of plans. A page may be given away while an earlier step that uses it is
still queued on the device: the device runs steps in the same order, so the new owner writes later. What a step's own
rows see no more is given back only when all of them have their pages.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass
from typing import Protocol

from msgspec.structs import replace

from mlxr.actors.kv.disk.index import PageIndex
from mlxr.actors.kv.groups import BlockTable, Group, KeptPage, TokenPages, group_of
from mlxr.actors.kv.prefix import PrefixChain, TurnEnds, adapted_root
from mlxr.actors.kv.recent_prompts import Eviction, EvictionLog
from mlxr.runtime.messages.common import request_of
from mlxr.runtime.messages.executor import ForkRow, GroupSize, PageCopy, Step, StepRow
from mlxr.runtime.messages.kv import CacheKind, Fork, GroupPages, Plan, PlanRow, Release, snapshot_grid
from mlxr.runtime.messages.scheduler import Deferred
from mlxr.runtime.messages.token_ids import TokenIds

NO_STEP = -1
"""The number of steps that nobody has planned."""


@dataclass(slots=True)
class Placed:
    """One sequence.

    ``tables``: a block table for each group.
    ``chain``: addresses of what it was admitted with.
    ``prompt_length``: how many tokens that are.
    ``filled``: how many of its tokens are in place, planned steps included.
    ``drafted``: tokens behind these that are in place too, if the draft of its last row was right so far.
    ``row_start``: where that row begins, if it has a draft.
    ``may_end``: the first position at which it may turn out to have ended, beyond what steps in flight are for.
    ``moved``: pages of its have become others, of which the executor is still to be told.
    """

    tables: list[BlockTable]
    chain: PrefixChain
    prompt_length: int
    filled: int
    moved: bool = False
    drafted: int = 0
    row_start: int = 0
    may_end: int = 0


class LowerTier(Protocol):
    """What keeps pages beyond the pool."""

    def keep(self, sequence: int, groups: list[list[KeptPage]]) -> None:
        """These pages of a sequence, group by group, are to be kept. It may hold them until it has copied them."""
        ...


class Placement:
    """The KV manager's core: takes plans, gives steps. Owns all accounting of pages; holds no socket, tensor or
    clock.

    ``longest_row``: tokens of one sequence that a plan may hold. ``root``: the address of an empty prefix. ``lower``:
    where pages go that are to be kept beyond the pool.
    """

    def __init__(
        self, groups: list[GroupPages], longest_row: int, root: bytes = b"", lower: LowerTier | None = None
    ) -> None:
        self.evictions = EvictionLog()
        self.groups: list[Group] = [group_of(index, group, self.evictions) for index, group in enumerate(groups)]
        self._pool_bytes = sum(group.pages * group.page_bytes for group in groups)
        self._allowed = self._pool_bytes
        self._sizes: list[GroupSize] = []
        self._block = math.gcd(*(group.page_size for group in groups))
        self._root = root
        self._lower = lower
        self._set_aside = [group.set_aside(longest_row) for group in self.groups]
        windows = [(index, group) for index, group in enumerate(self.groups) if isinstance(group, TokenPages)]
        self._windows = [(index, group) for index, group in windows if group.spec.window is not None]
        self._sequences: dict[int, Placed] = {}
        self._grid = snapshot_grid(groups)
        # Without states, what is found ends with a page, and nobody need know where turns end.
        states = sum(group.pages for group in groups if group.kind is CacheKind.STATE)
        self._turn_ends = TurnEnds(most=states) if states else None
        self._has_states = bool(states)
        self._forget: list[int] = []
        self._reset = True

    @property
    def held(self) -> int:
        """Pages of all groups that sequences hold."""
        return sum(group.pool.held for group in self.groups)

    @property
    def cached(self) -> int:
        """Pages of all groups that are kept only for reuse."""
        return sum(group.pool.cached for group in self.groups)

    @property
    def total(self) -> int:
        """All pages of all groups that there may be now."""
        return sum(group.pool.limit for group in self.groups)

    @property
    def in_use(self) -> int:
        """Bytes of the pages that sequences hold or that are kept for reuse."""
        return sum((group.pool.held + group.pool.cached) * group.spec.page_bytes for group in self.groups)

    @property
    def over_limit(self) -> bool:
        """Whether pages may take more than is allowed, because sequences hold them."""
        return sum(group.pool.limit * group.spec.page_bytes for group in self.groups) > self._allowed

    @property
    def room(self) -> list[int]:
        """Pages of each group that nobody holds or was promised; 0 also where sequences that grew have taken others'
        promises."""
        owed = [
            sum(group.owed(placed.tables[index]) for placed in self._sequences.values())
            for index, group in enumerate(self.groups)
        ]
        return [
            max(0, group.pool.available - promised - aside)
            for group, promised, aside in zip(self.groups, owed, self._set_aside, strict=True)
        ]

    def limit(self, epoch: int, nbytes: int | None = None) -> Step | None:
        """Lets pages take ``nbytes`` from now on, None for what was said last: no more than all of the pool, and no
        less than what sequences hold and were promised. Returns the step that has the executor follow, which has no
        rows; None where nothing new was said and nothing changes.

        A sequence that has all there is to itself takes more when it needs it: none is cut short.
        """
        self._allowed = self._allowed if nbytes is None else min(nbytes, self._pool_bytes)
        self.evictions.request = 0
        copies: list[PageCopy] = []
        for index, group in enumerate(self.groups):
            owed = sum(group.owed(placed.tables[index]) for placed in self._sequences.values())
            share = group.spec.pages * self._allowed // self._pool_bytes if self._pool_bytes else group.spec.pages
            copies += self._resize(index, max(share, group.pool.held + owed + self._set_aside[index], 1))
        sizes = self._changed_sizes() or (self._sizes if nbytes is not None else [])
        return self._step(epoch, NO_STEP, [], [], copies, sizes) if sizes else None

    def sizing(self, epoch: int) -> Step | None:
        """Returns a step that has the executor make room for pages that were given out otherwise than to rows of a
        plan; None where there is room."""
        sizes = self._changed_sizes()
        return self._step(epoch, NO_STEP, [], [], [], sizes) if sizes else None

    def admit(self, sequence: int, tokens: TokenIds, *, reuse: bool = True, adapters: str = "") -> int:
        """Holds the longest cached prefix of ``tokens`` for ``sequence``, and promises it pages for the rest and for
        one token more; returns the prefix's length in tokens.

        At least the last token stays to be computed, since its logits are needed. ``adapters``: as in ``Admit``; pages
        are shared by sequences that have the same.
        """
        self._drop(sequence)
        chain = self.chain(tokens, adapters)
        found = self.longest_prefix(chain, len(tokens) - 1) if reuse else 0
        tables = [group.hold(chain, found) for group in self.groups]
        if found:
            self._keep(sequence, tables, chain, found)
        for group, table in zip(self.groups, tables, strict=True):
            table.promised = group.spec.promised(len(tokens))
        self._sequences[sequence] = Placed(tables, chain, len(tokens), found)
        return found

    def release(self, releases: list[Release]) -> None:
        """Takes back what sequences that are over hold."""
        for release in releases:
            self._release(release)

    def lacks(self, plan: Plan) -> bool:
        """Whether the rows of ``plan``, which gives nothing back, may not all find pages."""
        for index, group in enumerate(self.groups):
            needed = 0
            for row in plan.rows:
                if (placed := self._sequences.get(row.sequence)) is not None:
                    needed += max(0, group.missing(placed.tables[index], row.start, row.start + row.length))
            if needed > group.pool.available:
                return True
        return False

    def place(self, plan: Plan) -> tuple[Step | None, Deferred | None]:
        """Fills ``plan`` in with pages: the step (None when nothing is left to run), and which rows are not in it."""
        self.release(plan.releases)
        forks = [self._fork(fork) for fork in plan.forks if self._filled(fork.parent) == fork.length]
        rows: list[StepRow] = []
        copies: list[PageCopy] = []
        deferred: list[int] = []
        unknown: list[int] = []
        lacking = 0
        for row in plan.rows:
            placed = self._sequences.get(row.sequence)
            if placed is None:
                unknown.append(row.sequence)
                continue
            if not self._settle(placed, row.start):
                deferred.append(row.sequence)
                continue
            fitting, lacks = self._fitting(placed, row)
            if lacks and self._alone(placed):
                self._grow(placed, fitting)
                fitting, lacks = self._fitting(placed, row)
            if lacks:
                deferred.append(row.sequence)
                lacking += lacks
                continue
            rows.append(self._fill(placed, fitting, copies))
        for index, group in self._windows:
            for row in rows:
                placed = self._sequences[row.sequence]
                group.trim(placed.tables[index], placed.may_end)
        left_out = Deferred(plan.step, deferred, lacking, unknown) if deferred or unknown else None
        sizes = self._changed_sizes()
        if not rows and not forks and not sizes:
            return None, left_out
        return self._step(plan.epoch, plan.step, rows, forks, copies, sizes), left_out

    def _step(
        self,
        epoch: int,
        step: int,
        rows: list[StepRow],
        forks: list[ForkRow],
        copies: list[PageCopy],
        sizes: list[GroupSize],
    ) -> Step:
        forget, reset = self._forget, self._reset
        self._forget, self._reset = [], False
        return Step(epoch, step, rows, forks, copies, forget, reset, sizes)

    # The pool's size.

    def _changed_sizes(self) -> list[GroupSize]:
        """Returns how large the groups' parts are; empty where the executor knows."""
        sizes = [GroupSize(group.pool.size, group.pool.limit) for group in self.groups]
        if sizes == self._sizes:
            return []
        self._sizes = sizes
        return sizes

    def _resize(self, index: int, limit: int) -> list[PageCopy]:
        """Returns the copies that put pages where there is memory."""
        moved = dict(self.groups[index].pool.resize(limit))
        if moved:
            for placed in self._sequences.values():
                table = placed.tables[index]
                placed.moved |= not moved.keys().isdisjoint(table.pages)
                table.pages[:] = [moved.get(page, page) for page in table.pages]
                if table.kept is not None:
                    table.kept = moved.get(table.kept, table.kept)
        return [PageCopy(index, source, target) for source, target in moved.items()]

    def _alone(self, placed: Placed) -> bool:
        """Whether nobody else holds pages."""
        return not any(other is not placed and any(t.pages for t in other.tables) for other in self._sequences.values())

    def _grow(self, placed: Placed, row: PlanRow) -> None:
        """Lets there be the pages that the row needs, as far as the pool ever has them."""
        for group, table in zip(self.groups, placed.tables, strict=True):
            missing = group.missing(table, row.start, row.start + row.length) - group.pool.available
            if missing > 0:
                group.pool.resize(group.pool.limit + missing)

    # Prefixes.

    @property
    def block(self) -> int:
        """Tokens from one address to the next."""
        return self._block

    def evicted(self, tokens: TokenIds, adapters: str, found: int) -> Eviction | None:
        """What became of the first block of a prompt that is not among the ``found`` tokens in the pool, if it was
        evicted lately."""
        end = found - found % self._block + self._block
        return self.evictions.of(self.chain(tokens, adapters).at(end)) if end <= len(tokens) else None

    def chain(self, tokens: TokenIds, adapters: str) -> PrefixChain:
        """Addresses of a sequence's prefixes."""
        return PrefixChain(tokens, self._block, adapted_root(self._root, adapters))

    def longest_prefix(self, chain: PrefixChain, limit: int, index: PageIndex | None = None) -> int:
        """The longest prefix, at most ``limit`` tokens, at which there is what every group needs: in the pool, or also
        in ``index``."""
        known: list[Container[bytes]] = [
            group.pool if index is None else _Either(group.pool, index.group(number))
            for number, group in enumerate(self.groups)
        ]
        reach = min(group.reach(chain, limit, part) for group, part in zip(self.groups, known, strict=True))
        position = reach - reach % self._block
        while position or self._turn_ends is not None:
            for length in self._tails(chain.at(position), index):
                whole = position + length
                if whole <= limit and self._usable(chain, whole, known) == whole:
                    return whole
            usable = self._usable(chain, position, known)
            if usable == position:
                return position
            position = usable - usable % self._block
        return 0

    def turn_ended(self, address: bytes, length: int) -> None:
        """A turn ended ``length`` tokens behind the block that ends with ``address``; 0 where it ended with that."""
        if self._turn_ends is not None and length:
            self._turn_ends.note(address, length)

    def _usable(self, chain: PrefixChain, position: int, known: list[Container[bytes]]) -> int:
        return min(group.usable(chain, position, part) for group, part in zip(self.groups, known, strict=True))

    def _tails(self, address: bytes, index: PageIndex | None) -> list[int]:
        """Lengths behind a block at which turns ended, the longest first."""
        if self._turn_ends is None:
            return []
        here = self._turn_ends.behind(address)
        return here if index is None else sorted({*here, *index.tails(address)}, reverse=True)

    def _keep(self, sequence: int, tables: list[BlockTable], chain: PrefixChain, position: int) -> None:
        """What can be found of the first ``position`` tokens is kept beyond the pool."""
        if self._lower is not None:
            groups = zip(self.groups, tables, strict=True)
            self._lower.keep(sequence, [group.kept(table, chain, position) for group, table in groups])

    def _publish(self, placed: Placed, end: int, turn_ends: bool) -> None:
        """Makes what the first ``end`` tokens fill findable by later sequences, with states where they are to be
        kept."""
        chain, filled = placed.chain, placed.filled
        for group, table in zip(self.groups, placed.tables, strict=True):
            group.publish(table, chain, end)
        if self._grid is None or self._turn_ends is None or not filled or filled != end:
            return
        if not turn_ends and filled % self._grid:
            return
        for group, table in zip(self.groups, placed.tables, strict=True):
            group.snapshot(table, chain, filled)
        self.turn_ended(*chain.parent(filled))

    # Rows.

    def _filled(self, sequence: int) -> int:
        placed = self._sequences.get(sequence)
        return placed.filled if placed else -1

    def _settle(self, placed: Placed, position: int) -> bool:
        """Returns whether the sequence can go on from ``position``. If its last row had a draft, that says how much of
        it was right."""
        if not placed.drafted:
            return placed.filled == position
        end = placed.filled + placed.drafted
        partly = not self._has_states and placed.filled <= position <= end
        if not partly and position not in (placed.row_start, end):
            return False
        for group, table in zip(self.groups, placed.tables, strict=True):
            group.settle(table, accepted=position == end)
        placed.filled, placed.drafted = position, 0
        return True

    def _fitting(self, placed: Placed, row: PlanRow) -> tuple[PlanRow, int]:
        """Returns the row, without its draft where there are no pages for that, and how many pages it lacks still."""
        if row.draft and not self._has_spare(placed, row):
            known = row.length - row.draft
            tokens = row.tokens[:known] if row.tokens is not None else None
            row = replace(row, length=known, tokens=tokens, draft=0)
        return row, self._lacks(placed, row)

    def _has_spare(self, placed: Placed, row: PlanRow) -> bool:
        """Tells whether there are pages for a row with a draft beside those that others were promised."""
        for index, (group, table) in enumerate(zip(self.groups, placed.tables, strict=True)):
            missing = group.missing(table, row.start, row.start + row.length, draft=True)
            if missing > 0:
                others = (other for other in self._sequences.values() if other is not placed)
                owed = sum(group.owed(other.tables[index]) for other in others)
                if missing > group.pool.available - owed:
                    return False
        return True

    def _lacks(self, placed: Placed, row: PlanRow) -> int:
        """Pages that the row needs and that are not to be had, of all groups together."""
        end, lacking = row.start + row.length, 0
        for group, table in zip(self.groups, placed.tables, strict=True):
            missing = group.missing(table, row.start, end, draft=row.draft > 0)
            if missing > 0:
                lacking += max(0, missing - group.pool.available)
        return lacking

    def _fill(self, placed: Placed, row: PlanRow, copies: list[PageCopy]) -> StepRow:
        end = row.start + row.length
        self.evictions.request = request_of(row.sequence)
        changed = [
            group.fill(table, row.start, end, copies, draft=row.draft > 0)
            for group, table in zip(self.groups, placed.tables, strict=True)
        ]
        # A stop may show only later within what was accepted of the draft before.
        placed.may_end = placed.row_start if placed.row_start else row.start if row.draft else end
        placed.filled, placed.drafted, placed.row_start = end - row.draft, row.draft, row.start if row.draft else 0
        if row.start < placed.prompt_length:
            self._publish(placed, min(end, placed.prompt_length), turn_ends=end == placed.prompt_length)
        if row.setup is not None or placed.moved:
            # An executor that is told of a sequence for the first time learns its whole tables.
            changed = [0] * len(changed)
            placed.moved = False
        if changed.count(None) == len(changed):
            return StepRow.of(row, [])
        tables = zip(placed.tables, changed, strict=True)
        return StepRow.of(row, [table.entries(table.end if first is None else first) for table, first in tables])

    def _fork(self, fork: Fork) -> ForkRow:
        parent = self._sequences[fork.parent]
        self._drop(fork.child)
        tables = [group.fork(table, fork.length) for group, table in zip(self.groups, parent.tables, strict=True)]
        self._sequences[fork.child] = Placed(tables, parent.chain.branch(), parent.prompt_length, fork.length)
        return ForkRow(fork.child, [table.entries(0) for table in tables])

    def _release(self, release: Release) -> None:
        placed = self._sequences.get(release.sequence)
        if placed is not None and release.tokens:
            placed.chain.tokens = release.tokens
            end = min(len(release.tokens), placed.filled + placed.drafted)
            if placed.drafted and not self._settle(placed, end):
                placed.filled = 0  # There is no state of any position that is known.
            self._publish(placed, end, turn_ends=True)
            if release.turn_ended:
                self._keep(release.sequence, placed.tables, placed.chain, end)
        self._drop(release.sequence)
        self._forget.append(release.sequence)

    def _drop(self, sequence: int) -> None:
        placed = self._sequences.pop(sequence, None)
        if placed is not None:
            for group, table in zip(self.groups, placed.tables, strict=True):
                group.drop(table)


@dataclass(frozen=True, slots=True)
class _Either:
    """Addresses that are in one of two places."""

    one: Container[bytes]
    other: Container[bytes]

    def __contains__(self, address: object) -> bool:
        return address in self.one or address in self.other
