"""What the host makes for a step, in the device's memory.

On CUDA MLX gives arrays of the host's in memory that both reach, which moves page by page to whoever touches it: a
kernel waits 20 to 150 us for it. And MLX keeps such memory for whatever has that size next, arrays that kernels make
among it. So what the host writes lies in a few arrays that stay with it and are read over the bus, and the copy is made
into an array of a size that nothing else has, which was never the host's.
"""

from __future__ import annotations

import ctypes
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

SLOTS = 64
"""Copies on their way at most, and many times as many as two steps have: a step has one or two of each cache group."""
SLOT_NUMBERS = 16_384

PREFER, ACCESSED_BY, CPU = 3, 5, -1
"""Of ``cuMemAdvise``."""


def staged(values: NDArray[np.int32]) -> mx.array:
    """``values`` ``[rows, width]`` on the device."""
    if device.kind() != "cuda":
        return mx.array(values) | 0
    rows, width = values.shape
    blocks = OWN_BLOCKS
    while blocks * BLOCK_BYTES < values.nbytes:
        blocks = 2 * blocks - 1
    launch = staging.copy(rows, width, max(rows, blocks * BLOCK_BYTES // (4 * width)))
    slots = _slots()
    given = mx.array(values.reshape(-1)) if slots is None or values.size > SLOT_NUMBERS else slots.holding(values)
    (out,) = _kernel()([given], launch)
    return out[:rows]


class _Slots:
    """Arrays that stay in the host's memory, of which the device reads one after another. One that is written again has
    been read long since: SLOTS are more than steps in flight have."""

    def __init__(self) -> None:
        """Raises ``OSError`` where the driver does not do it."""
        driver = ctypes.CDLL(device.NVIDIA_LIBRARY)
        self._arrays = [mx.array(np.zeros(SLOT_NUMBERS, np.int32)) for _ in range(SLOTS)]
        mx.eval(self._arrays)
        self._views = [np.array(array, copy=False) for array in self._arrays]
        self._next = 0
        for view in self._views:
            for advice, where in ((PREFER, CPU), (ACCESSED_BY, 0)):
                at, size = ctypes.c_uint64(view.ctypes.data), ctypes.c_size_t(view.nbytes)
                if failed := driver.cuMemAdvise(at, size, advice, where):
                    raise OSError(f"the driver keeps no memory with the host ({failed})")

    def holding(self, values: NDArray[np.int32]) -> mx.array:
        """One with ``values`` at its begin."""
        at, self._next = self._next, (self._next + 1) % SLOTS
        self._views[at][: values.size] = values.reshape(-1)
        return self._arrays[at]


@cache
def _slots() -> _Slots | None:
    try:
        return _Slots()
    except (OSError, AttributeError):
        return None


@cache
def _kernel() -> MadeKernel:
    return MadeKernel(staging.COPY, Language.CUDA)
