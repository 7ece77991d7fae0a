"""Recurrent mixers of plain MLX operations on the native module's pages.

Such a mixer runs while a step is built, once what is before it is computed: states are views of the pages themselves.
"""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import numpy as np

from mlxr.metal.batch import Batch
from mlxr.metal.cpu.pages import native_pool
from mlxr.metal.operations import RowOperation
from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.pool import Pool
from mlxr.metal.reference.states import SequenceState


def mixed(
    half: PlainRecurrence,
    norm: RowOperation,
    output: RowOperation,
    layer: int,
    x: mx.array,
    batch: Batch,
    pool: Pool | None,
) -> mx.array:
    """Returns the half of a layer for ``x`` ``[T, width]``, the residual included."""
    rows = half.project(norm(x))
    outs = []
    for one in sequence_states(batch, pool, layer, half.size):
        out, after = half.advance(rows[one.begin : one.end][None], one.state[None])
        outs.append(out[0])
        one.state = after[0]
        mx.eval(outs[-1], one.state)
    return x + output(mx.concatenate(outs))


def sequence_states(batch: Batch, pool: Pool | None, layer: int, size: int) -> Iterator[SequenceState]:
    """Yields the sequences that have tokens in this step, as the reference's does (``reference/states.py``)."""
    pages = None if pool is None else states_of(pool, layer)
    for index in range(len(batch.context_lengths)):
        begin, end = int(batch.query_starts[index]), int(batch.query_starts[index + 1])
        if begin == end:
            continue
        if pool is None or pages is None:
            yield SequenceState(begin, end, mx.zeros(size))
            continue
        page = int(batch.groups[pool.group_of[layer]].block_tables[index, 0])
        one = SequenceState(begin, end, mx.array(pages[page]) if batch.positions[begin] else mx.zeros(size))
        yield one
        pages[page] = np.array(one.state, copy=False)


def states_of(pool: Pool, layer: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Returns the layer's states, float32 ``[pages, size]``: the pool's own memory."""
    group = pool.group_of[layer]
    part = native_pool(pool).parts(group)[pool.spec.groups[group].group.layers.index(layer)]
    return part.view(np.float32)
