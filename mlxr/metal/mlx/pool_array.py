"""A layer of the pool that is one array, of states or of latents: what is common to them.

Kernels write in place on GPUs, behind MLX's back, as with keys and values (``pages.py``); elsewhere MLX scatters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import mlx.core as mx

from mlxr.metal.resizing import resized


@dataclass(frozen=True, slots=True)
class PoolArray:
    """``done``: int32 ``[1]``, computed once all writes so far are; None where the array itself is."""

    values: mx.array
    done: mx.array | None = None

    @property
    def arrays(self) -> list[mx.array]:
        return [self.values]

    @property
    def awaited(self) -> list[mx.array]:
        """What must be evaluated so that writes happen."""
        return self.arrays if self.done is None else [self.done]

    def resized(self, rows: int) -> PoolArray:
        """With so many rows, all its writes done before."""
        return PoolArray(resized(self.values, rows), self.done)


class RowAccess(Protocol):
    """How rows of such an array are written and read."""

    def layer(self, rows: int, width: int) -> PoolArray:
        """Returns an empty layer of the pool."""
        ...

    def written(self, layer: PoolArray, at: mx.array, values: mx.array) -> PoolArray:
        """With ``values`` ``[N, width]`` in the rows ``at``, int32 ``[N]``, no two of them the same. Nothing else may
        hold the array of ``layer``."""
        ...

    def read(self, layer: PoolArray, at: mx.array) -> mx.array:
        """Returns the rows ``at``, ``[*at.shape, width]``: int32 ``[B]`` of states, ``[B, S]`` of latents."""
        ...


class Scattered:
    """By MLX's own scatter and gather."""

    def __init__(self, dtype: mx.Dtype) -> None:
        self._dtype = dtype

    def layer(self, rows: int, width: int) -> PoolArray:
        return PoolArray(mx.zeros((rows, width), self._dtype))

    def written(self, layer: PoolArray, at: mx.array, values: mx.array) -> PoolArray:
        array = layer.values
        array[at] = values
        return PoolArray(array)

    def read(self, layer: PoolArray, at: mx.array) -> mx.array:
        return layer.values[at]
