"""What the host makes for a step, in the device's memory.

On CUDA MLX gives arrays of the host's in memory that both reach: the device reads it over the bus, or has it moved page
by page when it does. It keeps such memory for whatever has that size next, the copy that ``array | 0`` makes among it.
So the copy is made into an array of a size that nothing else has, which was never the host's.
"""

from __future__ import annotations

from functools import cache

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.gpu import staging
from mlxr.metal.gpu.kernel import Language, MadeKernel
from mlxr.metal.mlx import device

BLOCK_BYTES = 16_384
"""Sizes that MLX tells apart, from so many bytes on."""

OWN_BLOCKS = 37
"""An uncommon number of them; with more to copy 73, 145, ..."""


def staged(values: NDArray[np.int32]) -> mx.array:
    """``values`` ``[rows, width]`` on the device."""
    if device.kind() != "cuda":
        return mx.array(values) | 0
    rows, width = values.shape
    blocks = OWN_BLOCKS
    while blocks * BLOCK_BYTES < values.nbytes:
        blocks = 2 * blocks - 1
    (out,) = _kernel()([mx.array(values)], staging.copy(rows, width, max(rows, blocks * BLOCK_BYTES // (4 * width))))
    return out[:rows]


@cache
def _kernel() -> MadeKernel:
    return MadeKernel(staging.COPY, Language.CUDA)
