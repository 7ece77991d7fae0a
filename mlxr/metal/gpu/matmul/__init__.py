"""Products of rows with a quantized matrix, from ggml's blocks as they lie in the file: for types that MLX has no form
for, on Metal.

``out[m, n] = sum_k x[m, k] * weight[n, k]``, summed in float32. Four kernels share the decoders of ``blocks.h``:

- ``vector``, up to 8 rows: a simdgroup has ``OUTPUTS`` rows of the matrix and reads each weight once for all rows of
  ``x``; a lane has every 32nd run of 32 weights. A row's sums are the same whatever rows are beside it.
- ``tiled``, more rows: a threadgroup makes a tile of 32 x 32 with simdgroup matrices, over weights that it decodes to
  float32 once for 32 rows. It sums in another order than the vector kernel, but in the same for every number of rows:
  whoever wants equal text alone and in company gives all rows to one of the two.
- ``chosen``, a mixture's experts for few rows: each row by the matrix that it chose, as ``vector`` does for one row.
- ``grouped``, the same for more: rows are sorted by expert, and a threadgroup's tile lies within one expert's rows.
"""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch
from mlxr.metal.tensors import BLOCKS, TensorType

NUMBERS = {
    TensorType.Q4_0: 2,
    TensorType.Q4_1: 3,
    TensorType.Q5_0: 6,
    TensorType.Q5_1: 7,
    TensorType.Q8_0: 8,
    TensorType.Q2_K: 10,
    TensorType.Q3_K: 11,
    TensorType.Q4_K: 12,
    TensorType.Q5_K: 13,
    TensorType.Q6_K: 14,
    TensorType.Q8_K: 15,
    TensorType.IQ4_NL: 20,
    TensorType.IQ4_XS: 23,
    TensorType.MXFP4: 39,
    TensorType.Q1_0: 41,
    TensorType.Q2_0: 42,
}
"""ggml's numbers of the types that kernels read as they lie."""

CODEBOOK = 1000
"""Stands for a matrix of ``mlxr.metal.codebooks.BLOCK``."""

MOST_VECTOR_ROWS = 8
OUTPUTS = 4
SIMDGROUPS = 4
TILE = 32

BLOCKS_HEADER = "matmul/blocks"
VECTOR = Kernel("matmul/vector", ("x", "weight", "values"), ("out",), (BLOCKS_HEADER,))
"""``x`` ``[rows, K]``, float16 or float32; ``weight`` uint8 ``[N, bytes of a row]``; ``values`` uint8 ``[16]``, a
codebook's. ``out`` of the same type, ``[rows, N]``. ``K`` is a multiple of 32, and of a block's weights."""
TILED = Kernel("matmul/tiled", ("x", "weight", "values"), ("out",), (BLOCKS_HEADER, "matmul/tile"))
"""As ``VECTOR``, for any number of rows."""
CHOSEN = Kernel("matmul/chosen", ("x", "weight", "values", "chosen"), ("out",), (BLOCKS_HEADER,))
"""As ``VECTOR`` with ``weight`` ``[experts * N, bytes of a row]`` and ``chosen`` int32 ``[rows]``, each row's expert.
Rows of ``out`` may share one of ``x``, some neighbours each."""
GROUPED = Kernel("matmul/grouped", ("x", "weight", "values", "starts"), ("out",), (BLOCKS_HEADER, "matmul/tile"))
"""As ``TILED`` with ``weight`` ``[experts * N, bytes of a row]`` and ``starts`` int32 ``[experts + 1]``: each
expert's first row, and the number of rows."""


def vector(rows: int, outputs: int, columns: int, number: int, dtype: str = "float32") -> Launch:
    assert 1 <= rows <= MOST_VECTOR_ROWS
    each = OUTPUTS * SIMDGROUPS
    return Launch(
        template=(*_template(dtype, number, outputs, columns), ("M", rows), ("OUTPUTS", OUTPUTS)),
        grid=(32 * SIMDGROUPS * -(-outputs // each), 1, 1),
        threadgroup=(32 * SIMDGROUPS, 1, 1),
        shapes=((rows, outputs),),
        dtypes=(dtype,),
    )


def tiled(rows: int, outputs: int, columns: int, number: int, dtype: str = "float32") -> Launch:
    return Launch(
        template=_template(dtype, number, outputs, columns),
        grid=(128 * -(-outputs // TILE), -(-rows // TILE), 1),
        threadgroup=(128, 1, 1),
        shapes=((rows, outputs),),
        dtypes=(dtype,),
    )


def chosen(rows: int, sharing: int, outputs: int, columns: int, number: int, dtype: str = "float32") -> Launch:
    """``sharing``: how many rows of the result have one of ``x``."""
    each = OUTPUTS * SIMDGROUPS
    return Launch(
        template=(*_template(dtype, number, outputs, columns), ("SHARING", sharing)),
        grid=(32 * SIMDGROUPS * -(-outputs // each), rows, 1),
        threadgroup=(32 * SIMDGROUPS, 1, 1),
        shapes=((rows, outputs),),
        dtypes=(dtype,),
    )


def grouped(rows: int, experts: int, outputs: int, columns: int, number: int, dtype: str = "float32") -> Launch:
    """The grid has room for the tiles of any division of the rows among the experts."""
    return Launch(
        template=(*_template(dtype, number, outputs, columns), ("EXPERTS", experts)),
        grid=(128 * -(-outputs // TILE), rows // TILE + experts, 1),
        threadgroup=(128, 1, 1),
        shapes=((rows, outputs),),
        dtypes=(dtype,),
    )


def _template(dtype: str, number: int, outputs: int, columns: int) -> tuple[tuple[str, str | int | bool], ...]:
    return ("X", dtype), ("OUT", dtype), ("TYPE", number), ("N", outputs), ("K", columns)


def block_of(number: int) -> tuple[int, int]:
    """Returns (weights, bytes) of a block."""
    if number == CODEBOOK:
        return 256, 148
    return BLOCKS[next(type for type, known in NUMBERS.items() if known == number)]
