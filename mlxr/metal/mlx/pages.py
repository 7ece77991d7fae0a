"""Keys and values in the pool: how a step's are written to it and a sequence's read from it.

A layer's arrays are 16-bit ``[slots, kv_heads, head_dim]``. MLX has no operation that changes an array: a scatter makes
another one, and saves the copy only where nobody holds the first. While steps are queued behind one another the
GPU's own queue holds it, so that each layer of each step would copy the pool. Hence two small kernels for GPUs, which
write behind MLX's back: its graph knows of the writing by ``done`` alone, an array that every reader takes in too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import mlx.core as mx

from mlxr.metal.mlx.weights import HALF

VECTOR = 8
"""Numbers that a thread copies at once, 16 bytes."""

THREADS = 256


@dataclass(frozen=True, slots=True)
class Layer:
    """``done``: int32 ``[1]``, computed once all writes so far are; None where the arrays themselves are."""

    keys: mx.array
    values: mx.array
    done: mx.array | None = None

    @property
    def arrays(self) -> list[mx.array]:
        return [self.keys, self.values]

    @property
    def awaited(self) -> list[mx.array]:
        """What must be evaluated so that writes happen."""
        return self.arrays if self.done is None else [self.done]


class Pages(Protocol):
    """How pages are written and read."""

    def layer(self, slots: int, heads: int, dims: int) -> Layer:
        """An empty one."""
        ...

    def written(self, layer: Layer, slots: mx.array, keys: mx.array, values: mx.array) -> Layer:
        """With ``keys`` and ``values`` ``[T, heads, dims]`` at ``slots`` int32 ``[T]``. Nothing else may hold the
        arrays of ``layer``."""
        ...

    def read(self, layer: Layer, rows: mx.array) -> tuple[mx.array, mx.array]:
        """Keys and values at ``rows`` int32 ``[B, heads, S]`` (``slot * heads + head``): ``[B, heads, S, dims]``."""
        ...


class ScatteredPages:
    """By MLX's own scatter and gather."""

    def layer(self, slots: int, heads: int, dims: int) -> Layer:
        return Layer(mx.zeros((slots, heads, dims), HALF), mx.zeros((slots, heads, dims), HALF))

    def written(self, layer: Layer, slots: mx.array, keys: mx.array, values: mx.array) -> Layer:
        all_keys, all_values = layer.keys, layer.values
        all_keys[slots] = keys
        all_values[slots] = values
        return Layer(all_keys, all_values)

    def read(self, layer: Layer, rows: mx.array) -> tuple[mx.array, mx.array]:
        dims = layer.keys.shape[-1]
        return layer.keys.reshape(-1, dims)[rows], layer.values.reshape(-1, dims)[rows]


WRITE = """
    size_t at = THREAD;
    if (at >= size_t(keys_shape[0]) * HEADS * DIMS) return;
    int dim = at % DIMS, head = at / DIMS % HEADS, row = at / (DIMS * HEADS);
    size_t to = (size_t(slots[row]) * HEADS + head) * DIMS + dim;
    ((SPACE T*)all_keys)[to] = keys[row * keys_strides[0] + head * keys_strides[1] + dim * keys_strides[2]];
    ((SPACE T*)all_values)[to] = values[row * values_strides[0] + head * values_strides[1] + dim * values_strides[2]];
    if (at == 0) done[0] = 0;
"""

READ = """
    size_t at = THREAD;
    if (at >= size_t(rows_shape[0]) * rows_shape[1] * rows_shape[2] * (DIMS / VECTOR)) return;
    size_t row = at / (DIMS / VECTOR), part = at % (DIMS / VECTOR);
    size_t from = size_t(rows[row]) * DIMS / VECTOR + part;
    ((SPACE uint4*)keys)[at] = ((const SPACE uint4*)all_keys)[from];
    ((SPACE uint4*)values)[at] = ((const SPACE uint4*)all_values)[from];
"""


class InPlacePages:
    """By kernels that write to the pool's own arrays. ``heads * dims`` must be a multiple of 8."""

    def __init__(self, device: str) -> None:
        make: Callable[..., Any] = mx.fast.metal_kernel if device == "metal" else mx.fast.cuda_kernel
        self._write = make(
            "write_pages",
            ["keys", "values", "slots", "all_keys", "all_values", "before"],
            ["done"],
            source(WRITE, device),
            ensure_row_contiguous=False,
        )
        self._read = make(
            "read_pages",
            ["all_keys", "all_values", "rows", "before"],
            ["keys", "values"],
            source(READ, device),
            ensure_row_contiguous=False,
        )

    def layer(self, slots: int, heads: int, dims: int) -> Layer:
        return Layer(mx.zeros((slots, heads, dims), HALF), mx.zeros((slots, heads, dims), HALF), mx.zeros(1, mx.int32))

    def written(self, layer: Layer, slots: mx.array, keys: mx.array, values: mx.array) -> Layer:
        _, heads, dims = layer.keys.shape
        (done,) = self._write(
            inputs=[keys, values, slots, layer.keys, layer.values, layer.done],
            template=[("T", HALF), ("HEADS", heads), ("DIMS", dims)],
            grid=(keys.size, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[(1,)],
            output_dtypes=[mx.int32],
        )
        return Layer(layer.keys, layer.values, done)

    def read(self, layer: Layer, rows: mx.array) -> tuple[mx.array, mx.array]:
        dims = layer.keys.shape[-1]
        shape = (*rows.shape, dims)
        keys, values = self._read(
            inputs=[layer.keys, layer.values, rows, layer.done],
            template=[("DIMS", dims), ("VECTOR", VECTOR)],
            grid=(rows.size * dims // VECTOR, 1, 1),
            threadgroup=(THREADS, 1, 1),
            output_shapes=[shape, shape],
            output_dtypes=[HALF, HALF],
        )
        return keys, values


def fits(dims: int) -> bool:
    """Whether ``InPlacePages`` can copy heads of ``dims``."""
    return dims % VECTOR == 0


def source(body: str, device: str) -> str:
    """Returns a kernel's ``body`` as the device's language has it."""
    if device == "metal":
        words = {"THREAD": "thread_position_in_grid.x", "SPACE": "device"}
    else:
        words = {"THREAD": "cooperative_groups::this_grid().thread_rank()", "SPACE": ""}
    for word, meaning in words.items():
        body = body.replace(word, meaning)
    return body
