"""Rows of a matrix of affine codes, or of 16-bit floats: some that are looked up, and all of them as 16-bit floats.

``out[n, k] = codes[n, k] * scales[n, k / group] + biases[n, k / group]``, computed in float32.
"""

from __future__ import annotations

from mlxr.metal.gpu.kernel import Kernel, Launch

LOOKUP = Kernel("tables/lookup", ("tokens", "packed", "scales", "biases"), ("out",), ("tables/codes",))
"""``tokens`` int32 ``[rows]``; ``packed`` uint32 ``[N, K * bits / 32]`` with ``scales`` and ``biases`` float16
``[N, K / group]``, or float16 ``[N, K]``, for which these are not read. ``out`` float32 ``[rows, K]``, zeros for tokens
that the table lacks."""

DENSE = Kernel("tables/dense", ("packed", "scales", "biases"), ("out",), ("tables/codes",))
"""``out`` float16 ``[N, K]`` of codes as ``LOOKUP`` has them."""

BITS = (4, 8)
THREADS = 256
WORDS_EACH = 4
"""Words of codes that a thread of ``DENSE`` takes apart."""


def lookup(rows: int, entries: int, columns: int, bits: int, group: int) -> Launch:
    """``bits``: 16 for floats."""
    return Launch(
        template=(("BITS", bits), ("GROUP", group), ("COLUMNS", columns), ("ENTRIES", entries)),
        grid=(THREADS * rows, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((rows, columns),),
        dtypes=("float32",),
    )


def dense(outputs: int, columns: int, bits: int, group: int) -> Launch:
    words = outputs * columns * bits // 32
    return Launch(
        template=(("BITS", bits), ("GROUP", group), ("WORDS", words)),
        grid=(-(-words // (THREADS * WORDS_EACH)) * THREADS, 1, 1),
        threadgroup=(THREADS, 1, 1),
        shapes=((outputs, columns),),
        dtypes=("float16",),
    )
