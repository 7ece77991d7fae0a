"""Products of rows with a quantized matrix, from ggml's blocks as they lie in the file.

``out[m, n] = sum_k x[m, k] * weight[n, k]``, in float32. Three kernels share the decoders of ``blocks.h``:

- ``vector``, up to 8 rows: a simdgroup has ``OUTPUTS`` rows of the matrix and reads each weight once for all rows of
  ``x``; a lane has every 32nd run of 32 weights. A row's sums are the same whatever rows are beside it.
- ``tiled``, more rows: a threadgroup makes a tile of 32 x 32 with simdgroup matrices, over weights that it decodes to
  float32 once for 32 rows. It sums in another order than the vector kernel, but in the same for every number of rows:
  whoever wants equal text alone and in company gives all rows to one of the two.
- ``grouped``, a mixture's experts: rows are sorted by expert, and a threadgroup's tile lies within one expert's rows.
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
"""``x`` float32 ``[rows, K]``; ``weight`` uint8 ``[N, bytes of a row]``; ``values`` uint8 ``[16]``, a codebook's.
``out`` float32 ``[rows, N]``. ``K`` is a multiple of 32, and of a block's weights."""
TILED = Kernel("matmul/tiled", ("x", "weight", "values"), ("out",), (BLOCKS_HEADER, "matmul/tile"))
"""As ``VECTOR``, for any number of rows."""
GROUPED = Kernel("matmul/grouped", ("x", "weight", "values", "starts"), ("out",), (BLOCKS_HEADER, "matmul/tile"))
"""As ``TILED`` with ``weight`` ``[experts, N, bytes of a row]`` and ``starts`` int32 ``[experts + 1]``: each
expert's first row, and the number of rows."""


def vector(rows: int, outputs: int, columns: int, number: int, at_once: int = OUTPUTS) -> Launch:
    """``at_once``: rows of the matrix that a simdgroup has."""
    assert 1 <= rows <= MOST_VECTOR_ROWS
    each = at_once * SIMDGROUPS
    return Launch(
        template=(("TYPE", number), ("M", rows), ("N", outputs), ("K", columns), ("OUTPUTS", at_once)),
        grid=(32 * SIMDGROUPS * -(-outputs // each), 1, 1),
        threadgroup=(32 * SIMDGROUPS, 1, 1),
        shapes=((rows, outputs),),
        dtypes=("float32",),
    )


def tiled(rows: int, outputs: int, columns: int, number: int) -> Launch:
    return Launch(
        template=(("TYPE", number), ("N", outputs), ("K", columns)),
        grid=(128 * -(-outputs // TILE), -(-rows // TILE), 1),
        threadgroup=(128, 1, 1),
        shapes=((rows, outputs),),
        dtypes=("float32",),
    )


def grouped(rows: int, experts: int, outputs: int, columns: int, number: int) -> Launch:
    """The grid has room for the tiles of any division of the rows among the experts."""
    return Launch(
        template=(("TYPE", number), ("N", outputs), ("K", columns), ("EXPERTS", experts)),
        grid=(128 * -(-outputs // TILE), rows // TILE + experts, 1),
        threadgroup=(128, 1, 1),
        shapes=((rows, outputs),),
        dtypes=("float32",),
    )


def block_of(number: int) -> tuple[int, int]:
    """Returns (weights, bytes) of a block."""
    if number == CODEBOOK:
        return 256, 148
    return BLOCKS[next(type for type, known in NUMBERS.items() if known == number)]
