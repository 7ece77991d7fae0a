"""Numbers of adapters as the native module keeps them in half precision: 11 bits each, behind a power of two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST = 13
"""Bits of the largest number before the point, behind the power of two: near the end of half precision's range, which
leaves the others the most of it, and one short of it, for what is rounded up."""


def in_halves(matrix: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the matrix with its numbers rounded to what half precision holds behind one power of two for all, so that
    the native module keeps it in half the memory; as it is where a number is none.

    What was bfloat16 or half is as it was. What was float32 loses less than the base's own products do, whose inputs
    have 8 bits or 16; every other backend keeps adapters so, too.
    """
    most = float(np.abs(matrix).max(initial=0.0))
    if not most or not np.isfinite(most):
        return np.ascontiguousarray(matrix)
    shift = int(np.clip(MOST - np.frexp(most)[1] + 1, -100, 100))
    halves = np.ldexp(matrix, shift).astype(np.float16)
    return np.ascontiguousarray(np.ldexp(halves.astype(np.float32), -shift))
