"""Latents in the pool: how a step's are written to it and a sequence's read from it.

A layer's array is 16-bit ``[slots, numbers]``. As with keys and values (``pages.py``), kernels write in place on GPUs,
behind MLX's back; elsewhere MLX scatters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import mlx.core as mx

from mlxr.metal.mlx.pages import THREADS, VECTOR, source
from mlxr.metal.mlx.weights import HALF


@dataclass(frozen=True, slots=True)
class Latents:
    """``done``: int32 ``[1]``, computed once all writes so far are; None where the array itself is."""

    values: mx.array
    done: mx.array | None = None

    @property
    def arrays(self) -> list[mx.array]:
        return [self.values]

    @property
    def awaited(self) -> list[mx.array]:
        """What must be evaluated so that writes happen."""
        return self.arrays if self.done is None else [self.done]


class LatentPages(Protocol):
    """How latents are written and read."""

    def layer(self, slots: int, numbers: int) -> Latents:
        """An empty one."""
        ...

    def written(self, layer: Latents, slots: mx.array, vectors: mx.array) -> Latents:
        """With ``vectors`` ``[T, numbers]`` at ``slots`` int32 ``[T]``. Nothing else may hold the array of
        ``layer``."""
        ...

    def read(self, layer: Latents, slots: mx.array) -> mx.array:
        """Returns the vectors at ``slots`` int32 ``[B, S]``: ``[B, S, numbers]``."""
        ...


class ScatteredLatents:
    """By MLX's own scatter and gather."""

    def layer(self, slots: int, numbers: int) -> Latents:
        return Latents(mx.zeros((slots, numbers), HALF))

    def written(self, layer: Latents, slots: mx.array, vectors: mx.array) -> Latents:
        values = layer.values
        values[slots] = vectors
        return Latents(values)

    def read(self, layer: Latents, slots: mx.array) -> mx.array:
        return layer.values[slots]


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
    """By kernels that write to the pool's own array. A token's numbers are a multiple of 8."""

    def __init__(self, device: str) -> None:
        make: Callable[..., Any] = mx.fast.metal_kernel if device == "metal" else mx.fast.cuda_kernel
        inputs = ["vectors", "slots", "all_latents", "before"]
        self._write = make("write_latents", inputs, ["done"], source(WRITE, device))
        self._read = make("read_latents", ["all_latents", "slots", "before"], ["latents"], source(READ, device))

    def layer(self, slots: int, numbers: int) -> Latents:
        if numbers % VECTOR:
            raise ValueError(f"the mlx backend keeps latents of a multiple of {VECTOR} numbers, not {numbers}")
        return Latents(mx.zeros((slots, numbers), HALF), mx.zeros(1, mx.int32))

    def written(self, layer: Latents, slots: mx.array, vectors: mx.array) -> Latents:
        (done,) = self._write(
            inputs=[vectors, slots, layer.values, layer.done],
            template=[("NUMBERS", vectors.shape[1]), ("VECTOR", VECTOR)],
            grid=(vectors.size // VECTOR, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(1,)],
            output_dtypes=[mx.int32],
        )
        return Latents(layer.values, done)

    def read(self, layer: Latents, slots: mx.array) -> mx.array:
        numbers = layer.values.shape[1]
        (latents,) = self._read(
            inputs=[layer.values, slots, layer.done],
            template=[("NUMBERS", numbers), ("VECTOR", VECTOR)],
            grid=(slots.size * numbers // VECTOR, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(*slots.shape, numbers)],
            output_dtypes=[HALF],
        )
        out: mx.array = latents
        return out
