"""What the executor keeps of each sequence between steps: its block table, its tokens, how it samples. NumPy only."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.batch import Batch
from mlxr.runtime.messages.common import Constraint, Sampling
from mlxr.runtime.messages.executor import Step, StepRow
from mlxr.runtime.messages.kv import RowSetup

UINT64 = (1 << 64) - 1


@dataclass(slots=True)
class Sequence:
    """``tokens``: prompt and output as far as the host knows. ``pages``: its block table."""

    id: int
    sampling: Sampling
    tokens: list[int]
    prompt_length: int
    constraint: Constraint | None
    normalize: bool
    pages: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))

    @classmethod
    def of(cls, id: int, setup: RowSetup) -> Sequence:
        return cls(id, setup.sampling, list(setup.tokens), setup.prompt_length, setup.constraint, setup.normalize)

    def place(self, first: int, pages: list[int]) -> None:
        """Entries from ``first`` on of the block table become ``pages``."""
        if pages:
            self.pages = np.concatenate([self.pages[:first], np.asarray(pages, np.int32)])

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
    """All sequences the executor knows in this epoch."""

    def __init__(self) -> None:
        self._sequences: dict[int, Sequence] = {}

    def __getitem__(self, id: int) -> Sequence:
        return self._sequences[id]

    def get(self, id: int) -> Sequence | None:
        return self._sequences.get(id)

    def apply(self, step: Step) -> list[int]:
        """Take in what ``step`` says of sequences; returns those it drops."""
        dropped = list(self._sequences) if step.reset else [id for id in step.forget if id in self._sequences]
        for id in dropped:
            del self._sequences[id]
        for fork in step.forks:
            if child := self._sequences.get(fork.child):
                child.place(0, fork.pages)
        for row in step.rows:
            if row.setup is not None:
                self._sequences[row.sequence] = Sequence.of(row.sequence, row.setup)
            for id, setup in row.register:
                self._sequences[id] = Sequence.of(id, setup)
            self._sequences[row.sequence].place(row.first_page, row.pages)
        return dropped


class Layout:
    """Lays out one step after another. Most are the step before moved on by one token, and are made from it: that is
    cheaper than anew, and costs the device's thread its time at every token."""

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self._batch: Batch | None = None
        self._next: list[tuple[int, int]] = []

    def of(self, rows: list[StepRow], table: SequenceTable) -> Batch:
        """As ``lay_out``."""
        starts = [(row.sequence, row.start) for row in rows]
        decodes = all(row.length == 1 for row in rows)
        follows = decodes and starts == self._next and not any(row.pages for row in rows)
        batch = self._moved_on() if follows else None
        if batch is None:
            batch = lay_out(rows, table, self._page_size)
        self._batch = batch
        self._next = [(sequence, start + 1) for sequence, start in starts] if decodes else []
        return batch

    def _moved_on(self) -> Batch | None:
        """The batch before, a token later; None where a sequence would enter another page."""
        before, size = self._batch, self._page_size
        if before is None or not size or any(start % size == 0 for _, start in self._next):
            return None
        return Batch(
            query_starts=before.query_starts,
            context_lengths=before.context_lengths + 1,
            positions=before.positions + 1,
            slots=before.slots + 1,
            block_tables=before.block_tables,
            page_size=size,
        )


def lay_out(rows: list[StepRow], table: SequenceTable, page_size: int) -> Batch:
    """The ragged batch of a step's rows; ``page_size`` 0 for a model that keeps nothing in pages."""
    starts, contexts = [0], list[int]()
    positions, slots = list[int](), list[int]()
    held = [table[row.sequence].pages for row in rows]
    for row, pages in zip(rows, held, strict=True):
        end = row.start + row.length
        starts.append(starts[-1] + row.length)
        contexts.append(end)
        if row.length == 1 and page_size:
            # A decode row costs more in NumPy than here, and there is one in nearly every step.
            positions.append(row.start)
            slots.append(int(pages[row.start // page_size]) * page_size + row.start % page_size)
            continue
        here = np.arange(row.start, end, dtype=np.int32)
        places = pages[here // page_size] * page_size + here % page_size if page_size else np.zeros_like(here)
        positions.extend(here.tolist())
        slots.extend(places.tolist())
    tables = np.zeros((len(rows), max([1, *map(len, held)])), np.int32)
    for index, pages in enumerate(held):
        tables[index, : len(pages)] = pages
    return Batch(
        query_starts=np.array(starts, np.int32),
        context_lengths=np.array(contexts, np.int32),
        positions=np.array(positions, np.int32),
        slots=np.array(slots, np.int32),
        block_tables=tables,
        # Without pages, every sequence counts as one page that holds all of it.
        page_size=page_size or max([1, *contexts]),
    )


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) with 24 random bits, a pure function of its arguments (SplitMix64, Steele et al. 2014)."""
    z = (seed + (position + 1) * 0x9E3779B97F4A7C15) & UINT64
    z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & UINT64
    z = ((z ^ z >> 27) * 0x94D049BB133111EB) & UINT64
    return float((z ^ z >> 31) >> 40) / float(1 << 24)
