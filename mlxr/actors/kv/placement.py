"""Where sequences live: block tables over the page pool, prefix reuse, copy-on-write forks.

Pages are given and taken back in the order of plans. A page may be given away while an earlier step that writes to
it is still queued on the device: the device runs steps in the same order, so the new owner writes later.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mlxr.actors.kv.pages import PagePool
from mlxr.actors.kv.prefix import page_addresses
from mlxr.runtime.messages.executor import ForkRow, Step, StepRow
from mlxr.runtime.messages.kv import Fork, Plan, PlanRow, Release
from mlxr.runtime.messages.scheduler import Deferred


@dataclass(slots=True)
class BlockTable:
    """One sequence's pages.

    ``filled``: how many of its tokens are in place, planned steps included.
    ``prompt``: what it was admitted with.
    ``published``: how many of its pages can be found by others.
    ``promised``: how many pages it was admitted for, of which it has some.
    """

    pages: list[int] = field(default_factory=list)
    filled: int = 0
    prompt: list[int] = field(default_factory=list)
    published: int = 0
    promised: int = 0

    @property
    def owed(self) -> int:
        """Pages that it was promised and has not got yet."""
        return max(0, self.promised - len(self.pages))


class Placement:
    """The KV manager's core: takes plans, gives steps. Owns all accounting of pages; holds no socket, tensor or
    clock."""

    def __init__(self, pages: int, page_size: int) -> None:
        self.pool = PagePool(pages)
        self.page_size = page_size
        self._tables: dict[int, BlockTable] = {}
        self._forget: list[int] = []
        self._reset = True

    def admit(self, sequence: int, tokens: list[int], *, reuse: bool = True) -> int:
        """Holds the longest cached prefix of ``tokens`` for ``sequence``, and promises it pages for the rest and for
        one token more; returns the prefix's length in tokens.

        At least the last token stays to be computed, since its logits are needed.
        """
        self._drop(sequence)
        table = BlockTable(prompt=tokens, promised=self._pages(len(tokens) + 1))
        if reuse:
            for address in page_addresses(tokens[:-1], self.page_size):
                page = self.pool.find(address)
                if page is None:
                    break
                table.pages.append(page)
        table.filled = len(table.pages) * self.page_size
        table.published = len(table.pages)
        self._tables[sequence] = table
        return table.filled

    @property
    def room(self) -> int:
        """Pages that nobody holds or was promised; 0 also where sequences that grew have taken others' promises."""
        return max(0, self.pool.available - sum(table.owed for table in self._tables.values()))

    def place(self, plan: Plan) -> tuple[Step | None, Deferred | None]:
        """Fill ``plan`` in with pages: the step (None when nothing is left to run), and which rows are not in it."""
        for release in plan.releases:
            self._release(release)
        forks = [self._fork(fork) for fork in plan.forks if self._filled(fork.parent) >= fork.length]
        rows: list[StepRow] = []
        copies: list[tuple[int, int]] = []
        deferred: list[int] = []
        unknown: list[int] = []
        lacking = 0
        for row in plan.rows:
            table = self._tables.get(row.sequence)
            if table is None:
                unknown.append(row.sequence)
                continue
            if table.filled != row.start:
                deferred.append(row.sequence)
                continue
            missing = self._missing(table, row)
            if missing > self.pool.available:
                deferred.append(row.sequence)
                lacking += missing - self.pool.available
                continue
            rows.append(self._fill(table, row, copies))
        left_out = Deferred(plan.step, deferred, lacking, unknown) if deferred or unknown else None
        if not rows and not forks:
            return None, left_out
        step = Step(plan.epoch, plan.step, rows, forks, copies, self._forget, self._reset)
        self._forget, self._reset = [], False
        return step, left_out

    def _pages(self, tokens: int) -> int:
        """Pages that so many tokens take."""
        return -(-tokens // self.page_size)

    def _filled(self, sequence: int) -> int:
        table = self._tables.get(sequence)
        return table.filled if table else -1

    def _missing(self, table: BlockTable, row: PlanRow) -> int:
        """Pages the row needs beyond those it has: new ones, and one more to copy a shared page it writes to."""
        needed = self._pages(row.start + row.length) - len(table.pages)
        return needed + (1 if self._writes_shared(table, row.start) else 0)

    def _writes_shared(self, table: BlockTable, start: int) -> bool:
        index = start // self.page_size
        return index < len(table.pages) and self.pool.shared(table.pages[index])

    def _fill(self, table: BlockTable, row: PlanRow, copies: list[tuple[int, int]]) -> StepRow:
        first = len(table.pages)
        if self._writes_shared(table, row.start):
            first = row.start // self.page_size
            old = table.pages[first]
            table.pages[first] = self._take()
            copies.append((old, table.pages[first]))
            self.pool.release(old)
        end = row.start + row.length
        while len(table.pages) * self.page_size < end:
            table.pages.append(self._take())
        table.filled = end
        if min(end, len(table.prompt)) // self.page_size > table.published:
            self._publish(table, table.prompt[:end])
        # An executor that is told of a sequence for the first time learns its whole table.
        if row.setup is not None:
            first = 0
        return StepRow.of(row, first, table.pages[first:])

    def _take(self) -> int:
        page = self.pool.allocate()
        assert page is not None, "availability was checked before"
        return page

    def _publish(self, table: BlockTable, tokens: list[int]) -> None:
        """Make the pages that ``tokens`` fill findable by later sequences."""
        full = len(tokens) // self.page_size
        if full <= table.published:
            return
        for index, address in enumerate(page_addresses(tokens, self.page_size)):
            if index >= table.published:
                self.pool.publish(table.pages[index], address)
        table.published = full

    def _fork(self, fork: Fork) -> ForkRow:
        parent = self._tables[fork.parent]
        self._drop(fork.child)
        pages = parent.pages[: self._pages(fork.length)]
        for page in pages:
            self.pool.retain(page)
        self._tables[fork.child] = BlockTable(list(pages), fork.length, parent.prompt, parent.published)
        return ForkRow(fork.child, list(pages))

    def _release(self, release: Release) -> None:
        table = self._tables.get(release.sequence)
        if table is not None and release.tokens:
            self._publish(table, release.tokens[: table.filled])
        self._drop(release.sequence)
        self._forget.append(release.sequence)

    def _drop(self, sequence: int) -> None:
        table = self._tables.pop(sequence, None)
        if table is not None:
            # Last page first: of one chain the tail is then evicted before the prefix that others may share.
            for page in reversed(table.pages):
                self.pool.release(page)
