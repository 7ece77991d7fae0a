"""Products of up to 32 rows with a matrix of affine codes as MLX lays them out, on CUDA's tensor cores.

``out[m, n] = sum_k x[m, k] * (codes[n, k] * scales[n, k / 32] + biases[n, k / 32])``. A block of 8 warps has 16 rows of
the matrix and reads them once for all rows of ``x``; each warp has every eighth run of 128 columns, weights become
16-bit floats in registers, sums are float32. A row's sums are the same whatever rows are beside it.
"""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch

KERNEL = Kernel("affine_matmul/few_rows", ("x", "packed", "scales", "biases"), ("out",), ("affine_matmul/decode",))
"""``x`` float16 ``[rows, K]``; ``packed`` uint32 ``[N, K * bits / 32]``; ``scales`` and ``biases`` float16
``[N, K / 32]``. The matrix may also lie in parts of its columns, one behind the other, with a dimension more in front.
``out`` float16 ``[rows, N]``."""

BITS = (4, 8)
GROUP = 32
MOST_ROWS = 32
OUTPUTS = 16
"""Rows of the matrix that a block has; their number is a multiple of it."""
COLUMNS = 128
"""What warps take at once; the number of columns is a multiple of it."""
THREADS = 256
TILE = 8


def launch(rows: int, outputs: int, bits: int) -> Launch:
    assert 1 <= rows <= MOST_ROWS
    assert outputs % OUTPUTS == 0
    assert bits in BITS
    tiles = next(tiles for tiles in (1, 2, 4) if rows <= tiles * TILE)
    return Launch(
        template=(("BITS", bits), ("TILES", tiles)),
        grid=(THREADS * (outputs // OUTPUTS), 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, outputs),),
        dtypes=("float16",),
    )
