"""Kernels that read states from the pool, and write them back in place.

A layer's array is float32 ``[pages, state_size]``.
"""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.gpu.metal_kernel import maker
from mlxr.metal.mlx.pages import THREADS, source
from mlxr.metal.mlx.pool_array import PoolArray

WRITE = """
    size_t at = THREAD;
    size_t size = states_shape[1];
    if (at >= size_t(states_shape[0]) * size) return;
    ((SPACE float*)all_states)[size_t(pages[at / size]) * size + at % size] = states[at];
    if (at == 0) done[0] = 0;
"""

READ = """
    size_t at = THREAD;
    size_t size = all_states_shape[1];
    if (at >= size_t(pages_shape[0]) * size) return;
    states[at] = all_states[size_t(pages[at / size]) * size + at % size];
"""


class InPlaceStates:
    """By kernels that write to the pool's own array."""

    def __init__(self, device: str) -> None:
        make = maker(device)
        self._write = make("write_states", ["states", "pages", "all_states", "before"], ["done"], source(WRITE, device))
        self._read = make("read_states", ["all_states", "pages", "before"], ["states"], source(READ, device))

    def layer(self, rows: int, numbers: int) -> PoolArray:
        return PoolArray(mx.zeros((rows, numbers)), mx.zeros(1, mx.int32))

    def written(self, layer: PoolArray, at: mx.array, values: mx.array) -> PoolArray:
        (done,) = self._write(
            inputs=[values, at, layer.values, layer.done],
            grid=(values.size, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(1,)],
            output_dtypes=[mx.int32],
        )
        return PoolArray(layer.values, done)

    def read(self, layer: PoolArray, at: mx.array) -> mx.array:
        size = layer.values.shape[1]
        (states,) = self._read(
            inputs=[layer.values, at, layer.done],
            grid=(at.size * size, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(at.size, size)],
            output_dtypes=[mx.float32],
        )
        out: mx.array = states
        return out
