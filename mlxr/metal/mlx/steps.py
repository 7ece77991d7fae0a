"""A step's layout on the device: made once for all layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.gpu.attention import StepShape
from mlxr.metal.mlx.staging import staged
from mlxr.metal.reference.adapters import StepAdapters
from mlxr.metal.reference.attention import temperatures
from mlxr.metal.specs import AttentionSpec, Rope, Temperature


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys that a run of sequences sees, S for each.

    ``rows`` int32 ``[B, kv_heads, S]``: where they are among all heads' keys. ``visible`` bool ``[B, 1, L, S]``; None
    where every query sees all of them, or all up to itself (``causal``).
    """

    length: int
    rows: mx.array | None
    visible: mx.array | None
    causal: bool


@dataclass(frozen=True, slots=True)
class StateRows:
    """Where a run's sequences have their states.

    ``pages`` int32 ``[B]``. ``begins`` bool ``[B]``: whether zeros stand for what is read there.
    """

    pages: mx.array
    begins: mx.array


@dataclass(frozen=True, slots=True)
class Run:
    """Sequences computed together: all that run one token in this step, or one that runs several.

    ``begin``: the first of its rows in the step, where they lie side by side; else ``rows`` tells them.
    """

    sequences: NDArray[np.intp]
    length: int
    begin: int | None
    rows: NDArray[np.int32]

    @property
    def count(self) -> int:
        return len(self.sequences)


def can_be_padded(batch: Batch) -> bool:
    """Whether ``padded`` leaves a step's results as they are: what is computed again has no states to begin from, and
    must give the very keys and values that the kernels for one token a sequence gave."""
    stateless = all(len(group.slots) for group in batch.groups)
    return stateless and bool((np.diff(batch.query_starts) <= 1).all())


def padded(batch: Batch, tokens: int) -> Batch:
    """Returns the batch, which ``can_be_padded``, with its last token computed again until there are so many: they
    write the keys and values that it writes."""
    more = tokens - batch.tokens
    if more <= 0:
        return batch
    last = int(np.flatnonzero(np.diff(batch.query_starts))[-1])
    return Batch(
        query_starts=np.concatenate([batch.query_starts, batch.tokens + 1 + np.arange(more, dtype=np.int32)]),
        context_lengths=np.concatenate([batch.context_lengths, np.repeat(batch.context_lengths[last], more)]),
        positions=np.concatenate([batch.positions, np.repeat(batch.positions[-1:], more)]),
        groups=tuple(_repeated(group, last, more) for group in batch.groups),
        adapters=batch.adapters + batch.adapters[last : last + 1] * more,
    )


def _repeated(group: GroupTables, last: int, more: int) -> GroupTables:
    """With the last token, which is of the sequence ``last``, there so many times more."""
    added = np.repeat(group.block_tables[last : last + 1], more, axis=0)
    tables = np.concatenate([group.block_tables, added])
    return GroupTables(np.concatenate([group.slots, np.repeat(group.slots[-1:], more)]), tables, group.page_size)


class Step:
    """One ``Batch`` with its arrays on the device. ``singles``: whether every sequence runs one token, its own row, and
    none has an adapter."""

    def __init__(self, batch: Batch) -> None:
        self.batch, self.tokens = batch, batch.tokens
        self.adapters = StepAdapters(batch)
        self.positions = mx.array(batch.positions)
        self._temperatures: dict[Temperature, mx.array] = {}
        self.segments = None if batch.segments is None else mx.array(batch.segments)
        self.runs = list(_runs(batch))
        self.order = self._order()
        self.tables = [DeviceTables(batch, group, self.runs) for group in batch.groups]
        in_place = self.order is None and not self.adapters and len(self.runs) == 1
        self.singles = in_place and self.runs[0].length == 1 and self.runs[0].count == len(batch.context_lengths)

    def temperatures(self, temperature: Temperature) -> mx.array:
        """Returns what each token's queries are multiplied by, float32 ``[T, 1, 1]``."""
        if temperature not in self._temperatures:
            self._temperatures[temperature] = temperatures(temperature, self.batch.positions)[:, None, None]
        return self._temperatures[temperature]

    def _order(self) -> mx.array | None:
        """Where each row of the step is among the runs' rows, one run after another; None if in place."""
        order = np.concatenate([run.rows for run in self.runs]) if self.runs else np.zeros(0, np.int32)
        if np.array_equal(order, np.arange(len(order))):
            return None
        return mx.array(np.argsort(order).astype(np.int32))


class DeviceTables:
    """Where one cache group keeps a step's keys and values, on the device."""

    def __init__(self, batch: Batch, group: GroupTables, runs: list[Run]) -> None:
        self.page_size = group.page_size
        self._slots: mx.array | None = None
        self._batch, self._group, self._runs = batch, group, runs
        self._tables: dict[int, tuple[mx.array, mx.array]] = {}
        self._keys: dict[tuple[int, int, bool, int], Keys] = {}
        self._states: dict[int, StateRows] = {}
        self._state_layouts: list[mx.array] = []
        self._splits: dict[tuple[int, bool, bool], int] = {}
        self._layouts: list[tuple[Rope | None, mx.array]] = []

    @property
    def slots(self) -> mx.array:
        """Where each token's keys and values are written, int32 ``[T]``."""
        if self._slots is None:
            self._slots = mx.array(self._group.slots)
        return self._slots

    def of(self, run: int) -> tuple[mx.array, mx.array]:
        """Block tables int32 ``[B, P]`` and context lengths int32 ``[B]`` of a run's sequences."""
        if run not in self._tables:
            sequences = self._runs[run].sequences
            tables, lengths = self._group.block_tables[sequences], self._batch.context_lengths[sequences]
            self._tables[run] = mx.array(tables), mx.array(lengths)
        return self._tables[run]

    def splits(
        self, shape: StepShape, count: Callable[[StepShape, NDArray[np.int32]], int], together: bool = False
    ) -> int:
        """Returns how many splits the sequence with most of them has, or all ``together``, in layers that ``STEP``
        computes."""
        known = shape.spec.window, shape.spec.chunked, together
        if known not in self._splits:
            self._splits[known] = count(shape, self._batch.context_lengths)
        return self._splits[known]

    def all_splits(self, shape: StepShape) -> int:
        """Returns how many splits all sequences have together, in layers that ``STEP`` computes on CUDA."""
        return self.splits(shape, _summed_splits, together=True)

    def layout(self, shape: StepShape) -> mx.array:
        """Returns the step's layout as ``STEP`` takes it, in layers that turn by the rope of ``shape``."""
        rope = shape.spec.rope
        for known, layout in self._layouts:  # one or two, the same objects at every layer
            if known is rope or known == rope:
                return layout
        batch, group, pairs = self._batch, self._group, shape.pairs
        made = np.empty((batch.tokens, 2 + 2 * pairs + group.block_tables.shape[1]), np.int32)
        made[:, 0], made[:, 1] = batch.context_lengths, group.slots
        if rope is not None:
            turns = batch.positions.astype(np.float64)[:, None] * np.array(rope.inverse_frequencies)
            angles = made[:, 2 : 2 + 2 * pairs].view(np.float32)
            angles[:, :pairs], angles[:, pairs:] = rope.magnitude * np.cos(turns), rope.magnitude * np.sin(turns)
        made[:, 2 + 2 * pairs :] = group.block_tables
        self._layouts.append((rope, staged(made)))
        return self._layouts[-1][1]

    def states(self, run: int) -> StateRows:
        """Returns where a run's sequences have their states, in a group of these."""
        if run not in self._states:
            sequences = self._runs[run].sequences
            pages = self._group.block_tables[sequences, 0]
            begins = self._batch.positions[self._batch.query_starts[sequences]] == 0
            self._states[run] = StateRows(mx.array(pages), mx.array(begins))
        return self._states[run]

    def state_layout(self, run: int) -> mx.array:
        """Returns the rows of a run's sequences and where they have their states, int32 ``[B, 4]`` as
        ``recurrence.STEP_CONVOLUTION`` takes them."""
        if not self._state_layouts:
            # All runs' at once: they may be as many as the sequences, each of which runs some tokens.
            made = staged(np.concatenate([self._made_state_layout(each) for each in self._runs]))
            ends = accumulate(each.count for each in self._runs)
            self._state_layouts = [made[end - each.count : end] for each, end in zip(self._runs, ends, strict=True)]
        return self._state_layouts[run]

    def _made_state_layout(self, run: Run) -> NDArray[np.int32]:
        pages = self._group.block_tables[run.sequences, 0]
        begins = self._batch.positions[self._batch.query_starts[run.sequences]] == 0
        made = np.empty((len(pages), 4), np.int32)
        made[:, 0] = np.arange(len(pages)) * run.length
        made[:, 1] = made[:, 0] + run.length
        made[:, 2], made[:, 3] = np.where(begins, -1, pages), pages
        return made

    def keys(self, run: int, spec: AttentionSpec) -> Keys:
        """Returns the keys in the pool that the queries of a run see, in layers of a ``spec``."""
        known = run, spec.window, spec.chunked, spec.kv_heads
        if known not in self._keys:
            self._keys[known] = self._seen(self._runs[run], spec)
        return self._keys[known]

    def _seen(self, run: Run, spec: AttentionSpec) -> Keys:
        size, contexts = self.page_size, self._batch.context_lengths[run.sequences]
        starts = contexts - run.length
        # The pages from the first key that the first query sees.
        first_pages = spec.first_key(starts) // size
        tables = [
            self._group.block_tables[sequence, first : -(-int(context) // size)]
            for sequence, first, context in zip(run.sequences, first_pages, contexts, strict=True)
        ]
        bases = first_pages * size
        lengths = contexts - bases
        if run.count == 1:
            return self._alone(tables[0], int(starts[0]), int(bases[0]), int(lengths[0]), run.length, spec)
        longest = int(lengths.max())
        padded = np.zeros((run.count, max(map(len, tables))), np.int32)
        for row, table in zip(padded, tables, strict=True):
            row[: len(table)] = table
        slots = _slots(padded, size)[:, :longest]
        ends = mx.array(lengths.astype(np.int32))[:, None]
        at = mx.arange(longest)[None]
        # Beyond a sequence's own keys stands its last one again: others' may not be finite, and zero times that must
        # stay zero.
        own = mx.take_along_axis(slots, ends - 1, axis=1)
        visible = at < ends
        slots = mx.where(visible, slots, own)
        if spec.window:
            firsts = spec.first_key(starts) - bases
            visible = visible & (at >= mx.array(firsts.astype(np.int32))[:, None])
        return Keys(longest, _rows(slots, spec.kv_heads), visible[:, None, None], False)

    def _alone(
        self, table: NDArray[np.int32], start: int, base: int, length: int, queries: int, spec: AttentionSpec
    ) -> Keys:
        size, skipped = self.page_size, 0
        visible, causal = None, queries > 1
        rows = np.arange(start, start + queries, dtype=np.int32)
        firsts = spec.first_key(rows) - base
        if queries == 1:
            skipped = max(0, int(firsts[0]))
        elif (firsts > 0).any():
            causal = False
            own = np.arange(length)
            visible = mx.array((own <= (rows - base)[:, None]) & (own >= firsts[:, None]))[None, None]
        slots = _slots(table[None], size)[:, skipped:length]
        return Keys(length - skipped, _rows(slots, spec.kv_heads), visible, causal)


def _summed_splits(shape: StepShape, lengths: NDArray[np.int32]) -> int:
    return int(shape.splits_each(lengths).sum())


def _slots(tables: NDArray[np.int32], size: int) -> mx.array:
    """Every slot of the pages of ``tables`` ``[B, P]``: int32 ``[B, P * size]``."""
    first = mx.array(np.ascontiguousarray(tables)) * size
    return (first[:, :, None] + mx.arange(size)).reshape(len(tables), -1)


def _rows(slots: mx.array, heads: int) -> mx.array:
    """``slots`` ``[B, S]`` among ``[slots * heads]`` rows: ``[B, heads, S]``."""
    return slots[:, None] * heads + mx.arange(heads)[:, None]


def _runs(batch: Batch) -> Iterator[Run]:
    lengths = np.diff(batch.query_starts)
    single = np.flatnonzero(lengths == 1)
    if len(single):
        rows = batch.query_starts[single].astype(np.int32)
        together = int(rows[-1]) - int(rows[0]) == len(rows) - 1
        yield Run(single, 1, int(rows[0]) if together else None, rows)
    for sequence in np.flatnonzero(lengths > 1):
        begin, length = int(batch.query_starts[sequence]), int(lengths[sequence])
        rows = np.arange(begin, begin + length, dtype=np.int32)
        yield Run(np.array([sequence]), length, begin, rows)
