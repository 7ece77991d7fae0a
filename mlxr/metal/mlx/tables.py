"""Rows of matrices as floats, by kernels of our own (``mlxr.metal.gpu.tables``): a lookup takes some ten operations of
MLX's, each a kernel, and its dequantization moves a third of what memory does."""

from __future__ import annotations

from functools import cache

import mlx.core as mx
import numpy as np

from mlxr.metal.gpu import tables
from mlxr.metal.gpu.kernel import Kernel, Language, MadeKernel
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.matrix_forms import AFFINE, Blocks, Codes, Matrix, dequantized, rows_at

LEAST_DENSE = 33
"""Rows that no kernel of ours multiplies codes by. MLX has one for them, which takes it half a minute to compile."""


def embedded(matrix: Matrix, tokens: mx.array, ways: Ways) -> mx.array:
    """Returns the rows of ``tokens`` int32 ``[T]``, float32 ``[T, in]``; zeros for those that there are none for."""
    if ways.tables and _fits(matrix) and tokens.size:
        arrays = list(matrix.arrays) + list(matrix.arrays[:1]) * (3 - len(matrix.arrays))
        entries, width = matrix.arrays[0].shape
        bits, group = (matrix.bits, matrix.group) if isinstance(matrix, Codes) else (16, 32)
        launch = tables.lookup(tokens.size, entries, width * 32 // bits if bits < 16 else width, bits, group)
        return _kernel(tables.LOOKUP)([tokens, *arrays], launch)[0]
    # MLX does not check an index: one beyond the table would read whatever lies behind it.
    entries = matrix.arrays[0].shape[0]
    known = (tokens >= 0) & (tokens < entries)
    return mx.where(known[:, None], rows_at(matrix, mx.where(known, tokens, 0)), 0.0)


def dense_rows(codes: Codes, ways: Ways) -> int:
    """Returns from how many rows on a product has ``dense`` first."""
    return LEAST_DENSE if ways.tables and _fits(codes) else ways.dense_rows


def is_made_dense(matrix: Matrix, ways: Ways) -> bool:
    """Whether ``dense`` has a kernel for a matrix, or it has floats as it is."""
    if isinstance(matrix, Codes):
        return ways.tables and _fits(matrix)
    return not isinstance(matrix, Blocks)


def dense(codes: Codes, ways: Ways) -> mx.array:
    """Returns the whole matrix, 16-bit ``[out, in]``."""
    if not ways.tables or not _fits(codes):
        return dequantized(codes)
    outputs, words = codes.packed.shape
    launch = tables.dense(outputs, words * 32 // codes.bits, codes.bits, codes.group)
    return _kernel(tables.DENSE)(list(codes.arrays), launch)[0]


def _fits(matrix: Matrix) -> bool:
    if isinstance(matrix, Codes):
        return matrix.mode == AFFINE and matrix.bits in tables.BITS and matrix.packed.ndim == 2
    return matrix.arrays[0].dtype == mx.float16


class EveryRow:
    """Tells whether an index is of all rows in their order, as each step of single tokens has: to look them up a kernel
    would wait up to 70 us for the index, which the host has made. The same one comes again with most steps."""

    def __init__(self) -> None:
        self._known: tuple[int, mx.array] | None = None

    def of(self, count: int, rows: mx.array) -> bool:
        """``rows`` int32, computed."""
        if rows.size != count:
            return False
        if self._known is None or self._known[0] != count or self._known[1] is not rows:
            if not np.array_equal(np.array(rows), np.arange(count)):
                return False
            self._known = count, rows
        return True


@cache
def _kernel(kernel: Kernel) -> MadeKernel:
    return MadeKernel(kernel, Language.CUDA)
