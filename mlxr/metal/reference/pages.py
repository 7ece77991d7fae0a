"""A layer of the reference backend's pool: its arrays, and how vectors of tokens are written to and read from them.

Each of the group's ``Vectors`` is one float32 array ``[pages, page_size, count, dims]``, or, of the type ``int8``, two:
codes, int8 of that shape, and 16-bit scales ``[pages, page_size, count, scales]``.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from mlxr.metal.batch import GroupTables
from mlxr.metal.cache import MOST_CODE, CacheGroup, NumberType
from mlxr.metal.pool import GroupSpec, Pool

Arrays = tuple[mx.array, ...]

MOST_HALF = 65504.0


@dataclass(frozen=True, slots=True)
class Codes:
    """Vectors of the type ``int8``."""

    codes: mx.array
    scales: mx.array
    block: int

    def __getitem__(self, pages: mx.array) -> mx.array:
        """Returns the numbers of ``pages``, float32."""
        return dequantized(self.codes[pages], self.scales[pages], self.block)


Kept = mx.array | Codes
"""Vectors of all pages; ``[pages]`` of it are float32 numbers ``[*pages.shape, page_size, count, dims]``."""


def empty_layer(part: GroupSpec) -> Arrays:
    """Returns the arrays of one layer, of zeros."""
    if part.group.state_size is not None:
        return (mx.zeros((part.pages, part.group.state_size)),)
    arrays: list[mx.array] = []
    for kept in part.group.vectors:
        shape = (part.pages, part.page_size, kept.count)
        if kept.type is NumberType.INT8:
            arrays += [mx.zeros((*shape, kept.dims), mx.int8), mx.zeros((*shape, kept.scales), mx.float16)]
        else:
            arrays.append(mx.zeros((*shape, kept.dims)))
    return tuple(arrays)


def write(pool: Pool, layer: int, tables: GroupTables, *vectors: mx.array) -> None:
    """Puts the step's vectors, ``[T, count, dims]`` each, into their slots: in place, while the pool alone holds the
    arrays."""
    pages, offsets = (mx.array(part.astype(np.int32)) for part in np.divmod(tables.slots, tables.page_size))
    new: list[mx.array] = []
    for kept, numbers in zip(_group(pool, layer).vectors, vectors, strict=True):
        new += quantized(numbers, kept.block) if kept.type is NumberType.INT8 else [numbers]
    for array, values in zip(pool.layers[layer], new, strict=True):
        array[pages, offsets] = values


def kept(pool: Pool, layer: int) -> list[Kept]:
    """Returns what a layer keeps: keys and values, or latents."""
    arrays = iter(pool.layers[layer])
    return [
        Codes(next(arrays), next(arrays), vectors.block) if vectors.type is NumberType.INT8 else next(arrays)
        for vectors in _group(pool, layer).vectors
    ]


def quantized(x: mx.array, block: int) -> list[mx.array]:
    """Returns codes, int8 as ``x`` ``[..., dims]``, and scales of each ``block`` of them, 16-bit ``[..., blocks]``."""
    dims = x.shape[-1]
    blocks = -(-dims // block)
    parts = mx.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, blocks * block - dims)])
    parts = parts.reshape(*x.shape[:-1], blocks, block)
    scales = mx.minimum(mx.abs(parts).max(axis=-1) / MOST_CODE, MOST_HALF).astype(mx.float16)
    wide = scales.astype(mx.float32)[..., None]
    codes = mx.round(parts * mx.where(wide > 0, 1 / wide, 0.0))
    codes = mx.clip(codes, -MOST_CODE, MOST_CODE).astype(mx.int8)
    return [codes.reshape(*x.shape[:-1], -1)[..., :dims], scales]


def dequantized(codes: mx.array, scales: mx.array, block: int) -> mx.array:
    """Returns the numbers that ``quantized`` made these of, as far as they hold them: float32."""
    wide = mx.repeat(scales.astype(mx.float32), block, axis=-1)[..., : codes.shape[-1]]
    return codes.astype(mx.float32) * wide


def _group(pool: Pool, layer: int) -> CacheGroup:
    return pool.spec.groups[pool.group_of[layer]].group
