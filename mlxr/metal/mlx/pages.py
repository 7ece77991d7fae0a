"""Keys and values in the pool: how a step's are written to it and a sequence's read from it.

A layer's arrays are ``[slots, kv_heads, width]``, of rows as its forms have them (``page_forms.py``). MLX has no
operation that changes an array: a scatter makes another one, and saves the copy only where nobody holds the first.
While steps are queued behind one another the GPU's own queue holds it, so that each layer of each step would copy the
pool. Hence two small kernels for GPUs, which write behind MLX's back: its graph knows of the writing by ``done`` alone,
an array that every reader takes in too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import mlx.core as mx

from mlxr.metal.cache import NumberType
from mlxr.metal.gpu.metal_kernel import maker
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.page_forms import Form
from mlxr.metal.resizing import resized

VECTOR = 8
"""Numbers that a thread copies at once, 16 bytes."""

THREADS = 256

TICKETS = 16_384
"""Rows times heads of a step of one token a sequence: as many as count at a time."""


@dataclass(frozen=True, slots=True)
class Layer:
    """``forms``: of the rows of keys and of values.
    ``done``: int32, computed once all writes so far are; None where the arrays themselves are.
    ``tickets``: uint32 ``[TICKETS]``, zeros between steps: what threadgroups of ``attention/step`` count by. They come
    with the pool, since a step that broke may leave others; None where no kernel writes in place."""

    keys: mx.array
    values: mx.array
    forms: tuple[Form, Form]
    done: mx.array | None = None
    tickets: mx.array | None = None

    @property
    def arrays(self) -> list[mx.array]:
        return [self.keys, self.values]

    @property
    def awaited(self) -> list[mx.array]:
        """What must be evaluated so that writes happen."""
        return self.arrays if self.done is None else [self.done]

    @property
    def is_half(self) -> bool:
        """Whether all rows are 16-bit numbers."""
        keys, values = self.forms
        return keys.type is NumberType.HALF and values.type is NumberType.HALF

    @property
    def blocks(self) -> tuple[int, int]:
        """Numbers of keys and of values that share a scale; 0 where they are 16-bit."""
        keys, values = self.forms
        return keys.block, values.block

    def packed(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Returns the rows of ``keys`` and ``values``, 16-bit ``[..., dims]``."""
        return self.forms[0].packed(keys), self.forms[1].packed(values)

    def unpacked(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Returns the numbers of rows of keys and of values, 16-bit ``[..., dims]``."""
        return self.forms[0].unpacked(keys), self.forms[1].unpacked(values)

    def resized(self, slots: int) -> Layer:
        """With so many slots, all its writes done before."""
        keys, values = resized(self.keys, slots), resized(self.values, slots)
        return replace(self, keys=keys, values=values)


class Pages(Protocol):
    """How rows of pages are written and read."""

    def layer(self, slots: int, heads: int, forms: tuple[Form, Form]) -> Layer:
        """Returns an empty layer of the pool."""
        ...

    def written(self, layer: Layer, slots: mx.array, keys: mx.array, values: mx.array) -> Layer:
        """With rows ``keys`` and ``values`` ``[T, heads, width]`` at ``slots`` int32 ``[T]``. Nothing else may hold the
        arrays of ``layer``."""
        ...

    def read(self, layer: Layer, rows: mx.array) -> tuple[mx.array, mx.array]:
        """Rows of keys and values at ``rows`` int32 ``[B, heads, S]`` (``slot * heads + head``): ``[B, heads, S,
        width]``."""
        ...


class ScatteredPages:
    """By MLX's own scatter and gather."""

    def layer(self, slots: int, heads: int, forms: tuple[Form, Form]) -> Layer:
        return Layer(*_empty(slots, heads, forms), forms)

    def written(self, layer: Layer, slots: mx.array, keys: mx.array, values: mx.array) -> Layer:
        all_keys, all_values = layer.keys, layer.values
        all_keys[slots] = keys
        all_values[slots] = values
        return Layer(all_keys, all_values, layer.forms)

    def read(self, layer: Layer, rows: mx.array) -> tuple[mx.array, mx.array]:
        keys, values = (array.reshape(-1, array.shape[-1])[rows] for array in layer.arrays)
        return keys, values


def _empty(slots: int, heads: int, forms: tuple[Form, Form]) -> tuple[mx.array, mx.array]:
    keys, values = (mx.zeros((slots, heads, form.width), form.dtype) for form in forms)
    return keys, values


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
    """By kernels that write to the pool's own arrays, two of one form at once. A head's row has whole vectors of 16
    bytes."""

    def __init__(self, device: str) -> None:
        make = maker(device)
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

    def layer(self, slots: int, heads: int, forms: tuple[Form, Form]) -> Layer:
        return Layer(*_empty(slots, heads, forms), forms, mx.zeros(1, mx.int32), mx.zeros(TICKETS, mx.uint32))

    def written(self, layer: Layer, slots: mx.array, keys: mx.array, values: mx.array) -> Layer:
        done = layer.done
        for all_keys, all_values, *both in _of_one_form(layer, keys, values):
            _, heads, width = all_keys.shape
            (done,) = self._write(
                inputs=[*both, slots, all_keys, all_values, done],
                template=[("T", all_keys.dtype), ("HEADS", heads), ("DIMS", width)],
                grid=(both[0].size, 1, 1),
                threadgroup=(THREADS, 1, 1),
                output_shapes=[(1,)],
                output_dtypes=[mx.int32],
            )
        return replace(layer, done=done)

    def read(self, layer: Layer, rows: mx.array) -> tuple[mx.array, mx.array]:
        found: list[mx.array] = []
        for arrays in _of_one_form(layer):
            width, dtype = arrays[0].shape[-1], arrays[0].dtype
            halves = width * dtype.size // HALF.size  # a vector is 8 of them
            found = found[:1] + self._read(
                inputs=[*arrays, rows, layer.done],
                template=[("DIMS", halves), ("VECTOR", VECTOR)],
                grid=(rows.size * halves // VECTOR, 1, 1),
                threadgroup=(THREADS, 1, 1),
                output_shapes=[(*rows.shape, width)] * 2,
                output_dtypes=[dtype] * 2,
            )
        return found[0], found[-1]


def _of_one_form(layer: Layer, *new: mx.array) -> list[list[mx.array]]:
    """Returns a layer's two arrays, and two of ``new`` rows, as far as given: together where their rows are alike, else
    either twice."""
    if layer.keys.dtype == layer.values.dtype and layer.keys.shape == layer.values.shape:
        return [[*layer.arrays, *new]]
    return [[array, array, *new[at : at + 1] * 2] for at, array in enumerate(layer.arrays)]


def fits(dims: int) -> bool:
    """Whether ``InPlacePages`` can copy heads of ``dims``."""
    return dims % VECTOR == 0


def source(body: str, device: str) -> str:
    """Returns a kernel's ``body`` as the device's language has it."""
    if device == "metal":
        words = {"THREAD": "thread_position_in_grid.x", "SPACE": "device"}
    else:
        words = {"THREAD": "(size_t(blockIdx.x) * blockDim.x + threadIdx.x)", "SPACE": ""}
    for word, meaning in words.items():
        body = body.replace(word, meaning)
    return body
