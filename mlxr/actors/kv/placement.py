"""Where sequences live: plans get pages, and become steps; prefixes that are there are held, and forks share pages.

Pages are given and taken back in the order of plans. A page may be given away while an earlier step that uses it is
still queued on the device: the device runs steps in the same order, so the new owner writes later. What a step's own
rows see no more is given back only when all of them have their pages.
"""

from __future__ import annotations

from typing import Protocol

from msgspec.structs import replace

from mlxr.actors.kv.block_table import KeptPage
from mlxr.actors.kv.groups import Group, group_of
from mlxr.actors.kv.placed import Placed
from mlxr.actors.kv.pool_limit import PoolLimit
from mlxr.actors.kv.prefix_lookup import PrefixLookup
from mlxr.actors.kv.recent_prompts import Eviction, EvictionLog
from mlxr.actors.kv.token_pages import TokenPages
from mlxr.runtime.messages.common import request_of
from mlxr.runtime.messages.executor import ForkRow, GroupSize, PageCopy, Step
from mlxr.runtime.messages.kv import Fork, GroupPages, Plan, PlanRow, Release, StoredPage
from mlxr.runtime.messages.scheduler import Deferred
from mlxr.runtime.messages.token_ids import TokenIds

NO_STEP = -1
"""The number of steps that nobody has planned."""


class LowerTier(Protocol):
    """What keeps pages beyond the pool."""

    def keep(self, sequence: int, groups: list[list[KeptPage]]) -> None:
        """These pages of a sequence, group by group, are to be kept. It may hold them until it has copied them."""
        ...


class Placement:
    """The KV manager's core: takes plans, gives steps. Owns the sequences and all accounting of pages; holds no socket,
    tensor or clock.

    ``longest_row``: tokens of one sequence that a plan may hold. ``root``: the address of an empty prefix. ``lower``:
    where pages go that are to be kept beyond the pool.
    """

    def __init__(
        self, groups: list[GroupPages], longest_row: int, root: bytes = b"", lower: LowerTier | None = None
    ) -> None:
        self.evictions = EvictionLog()
        self.groups: list[Group] = [group_of(index, group, self.evictions) for index, group in enumerate(groups)]
        self.prefixes = PrefixLookup(self.groups, root)
        self._limit = PoolLimit(self.groups)
        self._lower = lower
        self._set_aside = [group.set_aside(longest_row) for group in self.groups]
        windows = [(index, group) for index, group in enumerate(self.groups) if isinstance(group, TokenPages)]
        self._windows = [(index, group) for index, group in windows if group.spec.window is not None]
        self._sequences: dict[int, Placed] = {}
        self._forget: list[int] = []
        self._reset = True

    # What there is.

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
        return self._limit.exceeded

    @property
    def room(self) -> list[int]:
        """Pages of each group that nobody holds or was promised; 0 also where sequences that grew have taken others'
        promises."""
        return [
            max(0, group.pool.available - self._owed(index) - aside)
            for index, (group, aside) in enumerate(zip(self.groups, self._set_aside, strict=True))
        ]

    def evicted(self, tokens: TokenIds, adapters: str, found: int) -> Eviction | None:
        """Returns what became of the first block of a prompt that is not among the ``found`` tokens in the pool, if it
        was evicted lately."""
        block = self.prefixes.block
        end = found - found % block + block
        return self.evictions.of(self.prefixes.chain(tokens, adapters).at(end)) if end <= len(tokens) else None

    def adopt(self, index: int, pages: list[int], contents: list[StoredPage]) -> None:
        """Takes pages of a group, which nobody has used so far, for cached: they have these ``contents`` already."""
        group = self.groups[index]
        group.pool.adopt(
            {page: (content.address, group.filled(content.tail)) for page, content in zip(pages, contents, strict=True)}
        )
        for content in contents:
            self.prefixes.turn_ended(content.parent, content.tail)

    # The pool's size.

    def limit(self, epoch: int, nbytes: int | None = None) -> Step | None:
        """Lets pages take ``nbytes`` from now on, None for what was said last: no more than all of the pool, and no
        less than what sequences hold and were promised. Returns the step that has the executor follow, which has no
        rows; None where nothing new was said and nothing changes.

        A sequence that has all there is to itself takes more when it needs it: none is cut short.
        """
        if nbytes is not None:
            self._limit.allow(nbytes)
        self.evictions.request = 0
        copies: list[PageCopy] = []
        for index, group in enumerate(self.groups):
            moved = self._limit.resize(index, group.pool.held + self._owed(index) + self._set_aside[index])
            if moved:
                for placed in self._sequences.values():
                    placed.follow(index, moved)
            copies += [PageCopy(index, source, target) for source, target in moved.items()]
        sizes = self._limit.changed() or (self._limit.known if nbytes is not None else [])
        return self._step(epoch, NO_STEP, [], [], copies, sizes) if sizes else None

    def sizing(self, epoch: int) -> Step | None:
        """Returns a step that has the executor make room for pages that were given out otherwise than to rows of a
        plan; None where there is room."""
        sizes = self._limit.changed()
        return self._step(epoch, NO_STEP, [], [], [], sizes) if sizes else None

    # Sequences.

    def admit(self, sequence: int, tokens: TokenIds, *, reuse: bool = True, adapters: str = "") -> int:
        """Holds the longest cached prefix of ``tokens`` for ``sequence``, and promises it pages for the rest and for
        one token more; returns the prefix's length in tokens.

        At least the last token stays to be computed, since its logits are needed. ``adapters``: as in ``Admit``; pages
        are shared by sequences that have the same.
        """
        self._drop(sequence)
        chain = self.prefixes.chain(tokens, adapters)
        found = self.prefixes.longest(chain, len(tokens) - 1) if reuse else 0
        placed = Placed(self.groups, [group.hold(chain, found) for group in self.groups], chain, len(tokens), found)
        if found:
            self._keep(sequence, placed, found)
        for group, table in zip(self.groups, placed.tables, strict=True):
            table.promised = group.spec.promised(len(tokens))
        self._sequences[sequence] = placed
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
        rows: list[PlanRow] = []
        copies: list[PageCopy] = []
        deferred: list[int] = []
        unknown: list[int] = []
        lacking = 0
        for row in plan.rows:
            placed = self._sequences.get(row.sequence)
            if placed is None:
                unknown.append(row.sequence)
                continue
            if row.start >= placed.prompt_length and placed.go_on(row):
                rows.append(row)
                continue
            if not placed.settle(row.start):
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
        sizes = self._limit.changed()
        if not rows and not forks and not sizes:
            return None, left_out
        awaited = plan.awaited and left_out is None
        return self._step(plan.epoch, plan.step, rows, forks, copies, sizes, awaited=awaited), left_out

    def _step(
        self,
        epoch: int,
        step: int,
        rows: list[PlanRow],
        forks: list[ForkRow],
        copies: list[PageCopy],
        sizes: list[GroupSize],
        *,
        awaited: bool = False,
    ) -> Step:
        forget, reset = self._forget, self._reset
        self._forget, self._reset = [], False
        return Step(epoch, step, rows, forks, copies, forget, reset, sizes, awaited)

    # Pages for rows.

    def _owed(self, index: int, but: Placed | None = None) -> int:
        """Pages of a group that sequences were promised and have not got yet. ``but``: one that does not count."""
        owed = self.groups[index].owed
        return sum([owed(placed.tables[index]) for placed in self._sequences.values() if placed is not but])

    def _fitting(self, placed: Placed, row: PlanRow) -> tuple[PlanRow, int]:
        """Returns the row, without its draft where there are no pages for that, and how many pages it lacks still."""
        if row.draft and not self._has_spare(placed, row):
            known = row.length - row.draft
            tokens = row.tokens[:known] if row.tokens is not None else None
            row = replace(row, length=known, tokens=tokens, draft=0, wanted=0)
        return row, placed.lacks(row)

    def _has_spare(self, placed: Placed, row: PlanRow) -> bool:
        """Tells whether there are pages for a row with a draft beside those that others were promised."""
        for index, (group, table) in enumerate(zip(self.groups, placed.tables, strict=True)):
            missing = group.missing(table, row.start, row.start + row.length, draft=True)
            if missing > 0 and missing > group.pool.available - self._owed(index, but=placed):
                return False
        return True

    def _alone(self, placed: Placed) -> bool:
        """Whether nobody else holds pages."""
        return not any(other is not placed and other.holds_pages for other in self._sequences.values())

    def _grow(self, placed: Placed, row: PlanRow) -> None:
        """Lets there be the pages that the row needs, as far as the pool ever has them."""
        for group, table in zip(self.groups, placed.tables, strict=True):
            missing = group.missing(table, row.start, row.start + row.length) - group.pool.available
            if missing > 0:
                group.pool.resize(group.pool.limit + missing)

    def _fill(self, placed: Placed, row: PlanRow, copies: list[PageCopy]) -> PlanRow:
        end = row.start + row.length
        self.evictions.request = request_of(row.sequence)
        filled = placed.fill(row, copies)
        if row.start < placed.prompt_length:
            self._publish(placed, min(end, placed.prompt_length), turn_ends=end == placed.prompt_length)
        return filled

    # What others find.

    def _publish(self, placed: Placed, end: int, turn_ends: bool) -> None:
        """Makes what the first ``end`` tokens fill findable by later sequences, with states where they are to be
        kept."""
        snapshot = placed.filled == end and self.prefixes.keeps_states(end, turn_ends=turn_ends)
        placed.publish(end, snapshot=snapshot)
        if snapshot:
            self.prefixes.turn_ended(*placed.chain.parent(end))

    def _keep(self, sequence: int, placed: Placed, position: int) -> None:
        """What can be found of the first ``position`` tokens is kept beyond the pool."""
        if self._lower is not None:
            groups = zip(self.groups, placed.tables, strict=True)
            self._lower.keep(sequence, [group.kept(table, placed.chain, position) for group, table in groups])

    # Beginnings and ends.

    def _filled(self, sequence: int) -> int:
        placed = self._sequences.get(sequence)
        return placed.filled if placed else -1

    def _fork(self, fork: Fork) -> ForkRow:
        self._drop(fork.child)
        self._sequences[fork.child], row = self._sequences[fork.parent].fork(fork.child, fork.length)
        return row

    def _release(self, release: Release) -> None:
        placed = self._sequences.get(release.sequence)
        if placed is not None and release.tokens:
            placed.chain.tokens = release.tokens
            end = min(len(release.tokens), placed.filled + placed.drafted)
            if placed.drafted and not placed.settle(end):
                placed.filled = 0  # There is no state of any position that is known.
            self._publish(placed, end, turn_ends=True)
            if release.turn_ended:
                self._keep(release.sequence, placed, end)
        self._drop(release.sequence)
        self._forget.append(release.sequence)

    def _drop(self, sequence: int) -> None:
        placed = self._sequences.pop(sequence, None)
        if placed is not None:
            placed.drop()
