"""A pool's array with more or fewer rows: MLX has none that grow, so that what is kept is copied."""

from __future__ import annotations

import mlx.core as mx

WHOLE = {1: mx.uint8, 2: mx.uint16, 4: mx.uint32}
"""Types of whole numbers by their bytes."""


def resized(array: mx.array, rows: int) -> mx.array:
    """Returns ``array`` ``[R, ...]`` as ``[rows, ...]``: cut, or filled up with zeros. What it had more is free as soon
    as nobody holds ``array``."""
    before = array.shape[0]
    if rows == before:
        return array
    if rows < before:
        # A mere slice would hold on to all of the memory; and numbers need not stay the same to the bit.
        new = (array[:rows].view(WHOLE[array.itemsize]) | 0).view(array.dtype)
    else:
        new = mx.concatenate([array, mx.zeros((rows - before, *array.shape[1:]), array.dtype)])
    mx.eval(new)
    return new
