"""The pages of a model in the native module: what a pool's groups keep, and what they take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cache import NumberType
from mlxr.metal.cpu import _native
from mlxr.metal.pool import GroupSpec, Pool, PoolSpec
from mlxr.runtime.messages.kv import CacheKind

KINDS = (CacheKind.FULL, CacheKind.WINDOW, CacheKind.LATENT, CacheKind.STATE)
"""What a pool's pages may hold: keys, values and latents in half precision or as codes of 8 bits, states as float32
numbers."""


def allocate(spec: PoolSpec) -> _native.Pool:
    native = _native.Pool()
    for part in spec.groups:
        _add(native, part)
    return native


def _add(native: _native.Pool, part: GroupSpec) -> None:
    group, layers = part.group, list(part.group.layers)
    match group.kind:
        case CacheKind.STATE:
            native.add_states(layers=layers, pages=part.pages, numbers=group.state_size or 0)
        case CacheKind.LATENT:
            native.add_latents(
                layers=layers,
                pages=part.pages,
                page_size=part.page_size,
                numbers=group.kv_heads * group.head_dim,
                int8=group.keys is NumberType.INT8,
            )
        case CacheKind.FULL | CacheKind.WINDOW:
            native.add_keys_and_values(
                layers=layers,
                pages=part.pages,
                page_size=part.page_size,
                kv_heads=group.kv_heads,
                head_dim=group.head_dim,
                int8_keys=group.keys is NumberType.INT8,
                int8_values=group.values is NumberType.INT8,
            )


def page_bytes(pool: Pool, group: int) -> int:
    return sum(part.shape[1] for part in native_pool(pool).parts(group))


def read_pages(pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
    at, index = 0, np.asarray(pages)
    for part in native_pool(pool).parts(group):
        content[:, at : at + part.shape[1]] = part[index]
        at += part.shape[1]


def write_pages(pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
    at, index = 0, np.asarray(pages)
    for part in native_pool(pool).parts(group):
        part[index] = content[:, at : at + part.shape[1]]
        at += part.shape[1]


def pages_of(pool: Pool | None, layer: int) -> _native.Pool | None:
    return None if pool is None else pool.layers[layer]


def native_pool(pool: Pool) -> _native.Pool:
    """The one object that holds the pages of all layers."""
    native: _native.Pool = next(iter(pool.layers.values()))
    return native
