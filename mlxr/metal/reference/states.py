"""Where a step's sequences have their states."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import mlx.core as mx

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool


@dataclass(slots=True)
class SequenceState:
    """One sequence of a step. ``begin``, ``end``: its rows. ``state``: float32 ``[state_size]``, all zeros where the
    sequence begins; what is set is kept for its next step."""

    begin: int
    end: int
    state: mx.array


def sequence_states(batch: Batch, pool: Pool | None, layer: int, size: int) -> Iterator[SequenceState]:
    """Yields the sequences that have tokens in this step, in their order, and keeps their states once all are done.
    Without a pool, sequences begin and nothing is kept."""
    pages: list[int] = []
    done: list[SequenceState] = []
    for index in range(len(batch.context_lengths)):
        begin, end = int(batch.query_starts[index]), int(batch.query_starts[index + 1])
        if begin == end:
            continue
        state = mx.zeros(size)
        if pool is not None:
            pages.append(int(batch.groups[pool.group_of[layer]].block_tables[index, 0]))
            if batch.positions[begin]:
                state = pool.layers[layer][0][pages[-1]]
        done.append(SequenceState(begin, end, state))
        yield done[-1]
    if pool is not None and done:
        (states,) = pool.layers[layer]
        states[mx.array(pages)] = mx.stack([one.state for one in done])
        pool.layers[layer] = (states,)
