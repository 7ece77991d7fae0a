"""What the executor keeps of each sequence between steps: its block table, its tokens, how it samples. NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.adapters import AdapterStack
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.messages.common import Adapter, Constraint, Sampling
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.kv import CacheKind, PlanRow, RowSetup, TableEntries

UINT64 = (1 << 64) - 1

PageSizes: TypeAlias = tuple[int | None, ...]
"""Tokens a page of each cache group, None where a page is a state; empty for a model that keeps nothing."""


def page_sizes(spec: PoolSpec | None) -> PageSizes:
    groups = spec.groups if spec is not None else ()
    return tuple(None if part.group.kind is CacheKind.STATE else part.page_size for part in groups)


@dataclass(slots=True)
class Sequence:
    """``tokens``: prompt and output as far as the host knows. ``tables``: its block tables, one for each cache
    group. ``adapters``: what is added to the model for it. ``segment_start``: as in ``Submit``.
    ``foretell``, ``section_end``: as in ``RowSetup``."""

    id: int
    sampling: Sampling
    tokens: list[int]
    prompt_length: int
    constraint: Constraint | None
    normalize: bool
    tables: list[NDArray[np.int32]] = field(default_factory=list)
    adapters: AdapterStack = ()
    segment_start: int | None = None
    foretell: bool = False
    section_end: int | None = None

    @classmethod
    def of(cls, id: int, setup: RowSetup, adapters: AdapterStack = ()) -> Sequence:
        tokens = setup.tokens.list()
        sequence = cls(id, setup.sampling, tokens, setup.prompt_length, setup.constraint, setup.normalize)
        sequence.adapters = adapters
        sequence.segment_start = setup.segment_start
        sequence.foretell = setup.foretell
        sequence.section_end = setup.section_end
        return sequence

    def place(self, changes: list[TableEntries]) -> None:
        """Takes in what changes in its block tables."""
        if not self.tables:
            self.tables = [np.zeros(0, np.int32) for _ in changes]
        for index, change in enumerate(changes):
            if change.pages:
                before = self.tables[index][: change.first]
                # Entries that were given back before the executor heard of the sequence are read by nobody.
                unknown = np.zeros(change.first - len(before), np.int32)
                self.tables[index] = np.concatenate([before, unknown, np.asarray(change.pages, np.int32)])

    @property
    def penalised(self) -> bool:
        """Whether its tokens so far change what comes next."""
        s = self.sampling
        return s.repetition_penalty != 1.0 or s.presence_penalty != 0.0 or s.frequency_penalty != 0.0

    @property
    def needs_history(self) -> bool:
        """Whether sampling needs the tokens before, and so can't be queued before they are known."""
        return self.constraint is not None or self.penalised


class SequenceTable:
    """All sequences the executor knows in this epoch. ``adapters``: looks up what is loaded."""

    def __init__(self, adapters: Callable[[list[Adapter]], AdapterStack] = lambda adapters: ()) -> None:
        self._sequences: dict[int, Sequence] = {}
        self._adapters = adapters

    def __getitem__(self, id: int) -> Sequence:
        return self._sequences[id]

    def get(self, id: int) -> Sequence | None:
        return self._sequences.get(id)

    def apply(self, step: Step) -> list[int]:
        """Takes in what ``step`` says of sequences; returns those it drops."""
        dropped = list(self._sequences) if step.reset else [id for id in step.forget if id in self._sequences]
        for id in dropped:
            del self._sequences[id]
        for fork in step.forks:
            if child := self._sequences.get(fork.child):
                child.place(fork.tables)
        for row in step.rows:
            if row.setup is not None:
                self._sequences[row.sequence] = self._made(row.sequence, row.setup)
            for id, setup in row.register:
                self._sequences[id] = self._made(id, setup)
            self._sequences[row.sequence].place(row.tables)
        return dropped

    def _made(self, id: int, setup: RowSetup) -> Sequence:
        return Sequence.of(id, setup, self._adapters(setup.adapters))


class Layout:
    """Lays out one step after another. Most are the step before moved on by one token, and are made from it: that is
    cheaper than anew, and costs the device's thread its time at every token."""

    def __init__(self, page_sizes: PageSizes) -> None:
        self._page_sizes = page_sizes
        self._token_pages = {size for size in page_sizes if size is not None}
        self._batch: Batch | None = None
        self._next: list[tuple[int, int]] = []

    def of(self, rows: list[PlanRow], table: SequenceTable) -> Batch:
        """As ``lay_out``."""
        starts = [(row.sequence, row.start) for row in rows]
        decodes = all(row.length == 1 for row in rows)
        follows = decodes and starts == self._next and not any(row.tables for row in rows)
        batch = self._moved_on() if follows else None
        if batch is None:
            batch = lay_out(rows, table, self._page_sizes)
        self._batch = batch
        self._next = [(sequence, start + 1) for sequence, start in starts] if decodes else []
        return batch

    def _moved_on(self) -> Batch | None:
        """The batch before, a token later; None where a sequence would enter another page."""
        before = self._batch
        if before is None or not self._page_sizes:
            return None
        if any(start % size == 0 for size in self._token_pages for _, start in self._next):
            return None
        groups = [GroupTables(group.slots + 1, group.block_tables, group.page_size) for group in before.groups]
        contexts, positions = before.context_lengths + 1, before.positions + 1
        return Batch(before.query_starts, contexts, positions, tuple(groups), before.adapters)


def lay_out(rows: list[PlanRow], table: SequenceTable, page_sizes: PageSizes) -> Batch:
    """Returns the ragged batch of a step's rows."""
    starts, contexts, positions = [0], list[int](), list[int]()
    for row in rows:
        starts.append(starts[-1] + row.length)
        contexts.append(row.start + row.length)
        positions.extend(range(row.start, row.start + row.length))
    tables = [table[row.sequence].tables for row in rows]
    groups = [_group(rows, [own[index] for own in tables], size) for index, size in enumerate(page_sizes)]
    adapters = tuple(table[row.sequence].adapters for row in rows)
    return Batch(
        query_starts=np.array(starts, np.int32),
        context_lengths=np.array(contexts, np.int32),
        positions=np.array(positions, np.int32),
        # Without pages, every sequence counts as one page that holds all of it.
        groups=tuple(groups) or (_pageless(len(positions), contexts),),
        adapters=adapters if any(adapters) else (),
        segments=_segments(rows, table, positions),
    )


def _segments(rows: list[PlanRow], table: SequenceTable, positions: list[int]) -> NDArray[np.int32] | None:
    """The segment of each token; None where all are of the first."""
    starts = [table[row.sequence].segment_start for row in rows]
    if all(start is None for start in starts):
        return None
    never = 1 << 30
    lengths = [row.length for row in rows]
    return (np.array(positions) >= np.repeat([never if at is None else at for at in starts], lengths)).astype(np.int32)


def _group(rows: list[PlanRow], held: list[NDArray[np.int32]], page_size: int | None) -> GroupTables:
    """Tables of one group, of which each row's sequence has the pages ``held``."""
    slots: list[int] = []
    for row, pages in zip(rows, held, strict=True):
        if page_size is None:
            continue
        if row.length == 1:
            # A decode row costs more in NumPy than here, and there is one in nearly every step.
            slots.append(int(pages[row.start // page_size]) * page_size + row.start % page_size)
            continue
        here = np.arange(row.start, row.start + row.length, dtype=np.int32)
        slots.extend((pages[here // page_size] * page_size + here % page_size).tolist())
    tables = np.zeros((len(rows), max([1, *map(len, held)])), np.int32)
    for index, pages in enumerate(held):
        tables[index, : len(pages)] = pages
    return GroupTables(np.array(slots, np.int32), tables, page_size or 1)


def _pageless(tokens: int, contexts: list[int]) -> GroupTables:
    return GroupTables(np.zeros(tokens, np.int32), np.zeros((len(contexts), 1), np.int32), max([1, *contexts]))


def uniform(seed: int, position: int) -> float:
    """Returns a number in [0, 1) with 24 random bits, a pure function of its arguments (SplitMix64, Steele et al.
    2014)."""
    z = (seed + (position + 1) * 0x9E3779B97F4A7C15) & UINT64
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & UINT64
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & UINT64
    return float((z ^ z >> 31) >> 40) / float(1 << 24)
