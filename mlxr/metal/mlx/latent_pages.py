"""Kernels that write a step's latents to the pool in place, and read a sequence's from it.

A layer's array is ``[slots, width]``: rows of 16-bit numbers, or of bytes (``page_forms.py``).
"""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.gpu.metal_kernel import maker
from mlxr.metal.mlx.pages import THREADS, source
from mlxr.metal.mlx.pool_array import PoolArray

VECTOR_BYTES = 16
"""What a thread copies at once."""

WRITE = """
    size_t at = THREAD;
    if (at >= size_t(vectors_shape[0]) * (NUMBERS / VECTOR)) return;
    size_t row = at / (NUMBERS / VECTOR), part = at % (NUMBERS / VECTOR);
    ((SPACE uint4*)all_latents)[size_t(slots[row]) * (NUMBERS / VECTOR) + part] = ((const SPACE uint4*)vectors)[at];
    if (at == 0) done[0] = 0;
"""

READ = """
    size_t at = THREAD;
    if (at >= size_t(slots_shape[0]) * slots_shape[1] * (NUMBERS / VECTOR)) return;
    size_t row = at / (NUMBERS / VECTOR), part = at % (NUMBERS / VECTOR);
    ((SPACE uint4*)latents)[at] = ((const SPACE uint4*)all_latents)[size_t(slots[row]) * (NUMBERS / VECTOR) + part];
"""


class InPlaceLatents:
    """By kernels that write to the pool's own array, of elements of ``dtype``. A row has whole vectors of 16 bytes."""

    def __init__(self, device: str, dtype: mx.Dtype) -> None:
        self._dtype, self._vector = dtype, VECTOR_BYTES // dtype.size
        make = maker(device)
        inputs = ["vectors", "slots", "all_latents", "before"]
        self._write = make("write_latents", inputs, ["done"], source(WRITE, device))
        self._read = make("read_latents", ["all_latents", "slots", "before"], ["latents"], source(READ, device))

    def layer(self, rows: int, width: int) -> PoolArray:
        if width % self._vector:
            raise ValueError(f"the mlx backend keeps latents of a multiple of {self._vector} numbers, not {width}")
        return PoolArray(mx.zeros((rows, width), self._dtype), mx.zeros(1, mx.int32))

    def written(self, layer: PoolArray, at: mx.array, values: mx.array) -> PoolArray:
        (done,) = self._write(
            inputs=[values, at, layer.values, layer.done],
            template=[("NUMBERS", values.shape[1]), ("VECTOR", self._vector)],
            grid=(values.size // self._vector, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(1,)],
            output_dtypes=[mx.int32],
        )
        return PoolArray(layer.values, done)

    def read(self, layer: PoolArray, at: mx.array) -> mx.array:
        width = layer.values.shape[1]
        (latents,) = self._read(
            inputs=[layer.values, at, layer.done],
            template=[("NUMBERS", width), ("VECTOR", self._vector)],
            grid=(at.size * width // self._vector, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(*at.shape, width)],
            output_dtypes=[self._dtype],
        )
        out: mx.array = latents
        return out
