"""Products with matrices, which somebody may watch: all of the reference's products are made here."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import Weight

Floats = NDArray[np.float32]
Note = Callable[[Tensor, Floats, int], None]
"""Hears of rows float32 ``[rows, in]`` that a matrix is multiplied by, and of which expert's it is: 0 where there are
none."""


Product = Callable[[mx.array, mx.array], mx.array]


class Watched:
    """A matrix as its file has it, which is decoded for each product and tells of what it is multiplied by.

    tensor: ``(outputs, inputs)``, of all experts or heads above one another.
    note: is told.
    decode: makes float32 ``[rows, inputs]`` of a tensor.
    """

    __slots__ = ("_decode", "_note", "tensor")

    def __init__(self, tensor: Tensor, note: Note, decode: Callable[[Tensor], Floats]) -> None:
        self.tensor, self._note, self._decode = tensor, note, decode

    def multiplied(self, x: mx.array) -> mx.array:
        rows = np.array(x, np.float32)
        self._note(self.tensor, rows.reshape(-1, rows.shape[-1]), 0)
        return mx.array(rows @ self._decode(self.tensor).T)

    def by_head(self, x: mx.array, heads: int) -> mx.array:
        matrices = self._apart(heads)
        return mx.array(np.einsum("thi,hoi->tho", np.array(x, np.float32), matrices, optimize=True))

    def by_expert(self, rows: mx.array, chosen: mx.array, count: int) -> mx.array:
        given, used = np.array(rows, np.float32), np.array(chosen)
        given = np.broadcast_to(given, (*used.shape, given.shape[-1]))
        matrices = self._apart(count)
        out = np.empty((*used.shape, matrices.shape[1]), np.float32)
        for expert in np.unique(used).tolist():
            own = used == expert
            self._note(self.tensor, given[own], expert)
            out[own] = given[own] @ matrices[expert].T
        return mx.array(out)

    def _apart(self, count: int) -> Floats:
        values = self._decode(self.tensor)
        return values.reshape(count, -1, values.shape[-1])


def beside(weight: Weight) -> Product:
    """Returns how a layer multiplies arrays that are no weights: as MLX does it, or where its matrices are watched by
    NumPy, whose products take a tenth of the time of MLX's on a CPU."""
    return _by_numpy if isinstance(weight.handle, Watched) else mx.matmul


def _by_numpy(first: mx.array, second: mx.array) -> mx.array:
    return mx.array(np.matmul(np.array(first, np.float32), np.array(second, np.float32)))


def multiplied(x: mx.array, weight: Weight) -> mx.array:
    """Returns ``x`` ``[T, in]`` times the matrix, ``[T, out]``."""
    if isinstance(weight.handle, Watched):
        return weight.handle.multiplied(x)
    out: mx.array = x @ weight.handle.T
    return out


def by_head(x: mx.array, weight: Weight, heads: int) -> mx.array:
    """Returns ``x`` ``[T, heads, in]`` times each head's own matrix, ``[T, heads, out]``."""
    if isinstance(weight.handle, Watched):
        return weight.handle.by_head(x, heads)
    matrices = weight.handle.reshape(heads, -1, weight.shape[1])
    out: mx.array = x.swapaxes(0, 1) @ matrices.swapaxes(1, 2)
    return out.swapaxes(0, 1)


def by_expert(rows: mx.array, weight: Weight, chosen: mx.array, count: int) -> mx.array:
    """Returns rows ``[T, 1 or used, in]`` times the matrices of the experts ``[T, used]`` that each token uses."""
    if isinstance(weight.handle, Watched):
        return weight.handle.by_expert(rows, chosen, count)
    matrices = weight.handle.reshape(count, -1, weight.shape[1]).swapaxes(-1, -2)
    out: mx.array = mx.gather_mm(rows[:, :, None], matrices, rhs_indices=chosen)[:, :, 0]
    return out
