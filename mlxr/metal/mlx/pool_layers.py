"""What a pool's layers are arrays of, and what is done with whole pages of a cache group: copied, read, written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.cache import NumberType
from mlxr.metal.mlx.latent_pages import InPlaceLatents
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.page_forms import Form
from mlxr.metal.mlx.pages import InPlacePages, Layer, Pages, ScatteredPages
from mlxr.metal.mlx.pool_array import PoolArray, RowAccess, Scattered
from mlxr.metal.mlx.states import InPlaceStates
from mlxr.metal.pool import GroupSpec, Pool, PoolSpec
from mlxr.runtime.messages.kv import CacheKind


class PoolAccess:
    """Reads and writes layers of each kind, in place or by scatters.

    Attributes:
        pages: keys and values.
        latents: by the type of their numbers.
        states: float32.
    """

    def __init__(self, device: str, in_place: bool) -> None:
        self.pages: Pages = InPlacePages(device) if in_place else ScatteredPages()
        self.states: RowAccess = InPlaceStates(device) if in_place else Scattered(mx.float32)
        self.latents: dict[NumberType, RowAccess] = {
            type: InPlaceLatents(device, dtype) if in_place else Scattered(dtype)
            for type, dtype in ((NumberType.HALF, HALF), (NumberType.INT8, mx.uint8))
        }

    def layers(self, spec: PoolSpec) -> dict[int, Layer | PoolArray]:
        """Returns new layers, by their numbers."""
        layers: dict[int, Layer | PoolArray] = {}
        for number, _, part in spec.layers():
            group = part.group
            match group.kind:
                case CacheKind.STATE:
                    layers[number] = self.states.layer(part.pages, group.state_size or 0)
                case CacheKind.LATENT:
                    (form,) = map(Form, group.vectors)
                    layers[number] = self.latents[form.type].layer(part.pages * part.page_size, form.width)
                case CacheKind.FULL | CacheKind.WINDOW:
                    keys, values = map(Form, group.vectors)
                    layers[number] = self.pages.layer(part.pages * part.page_size, group.kv_heads, (keys, values))
        return layers

    def copy(self, pool: Pool, group: int, pairs: Sequence[tuple[int, int]]) -> None:
        """As ``Backend.copy_pages``."""
        origin: dict[int, int] = {}
        for source, target in pairs:  # one after the other: a page copied to may be copied from
            origin[target] = origin.get(source, source)
        if not origin:
            return
        part = pool.spec.groups[group]
        sources, targets = (_rows(part, pages) for pages in (list(origin.values()), list(origin)))
        for number in part.group.layers:
            pool.layers[number] = self._copied(part, pool.layers[number], sources, targets)

    def write(self, pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
        """As ``Backend.write_pages``, but what it writes is not computed yet."""
        part = pool.spec.groups[group]
        at, to = 0, mx.array(_rows(part, pages))
        for number in part.group.layers:
            layer = pool.layers[number]
            values: list[mx.array] = []
            for array in layer.arrays:
                width = array.nbytes // part.pages
                rows = mx.array(np.ascontiguousarray(content[:, at : at + width])).view(array.dtype)
                values.append(rows.reshape(to.size, *array.shape[1:]))
                at += width
            pool.layers[number] = self._of(part).written(layer, to, *values)

    def _copied(self, part: GroupSpec, layer: Any, sources: NDArray[np.int32], targets: NDArray[np.int32]) -> Any:
        """Returns a layer of a cache group with what is at some slots, or states, copied to others."""
        to = mx.array(targets)
        match part.group.kind:
            case CacheKind.STATE:
                return self.states.written(layer, to, self.states.read(layer, mx.array(sources)))
            case CacheKind.LATENT:
                latents = self.latents[part.group.keys]
                return latents.written(layer, to, latents.read(layer, mx.array(sources)[None])[0])
            case CacheKind.FULL | CacheKind.WINDOW:
                heads = part.group.kv_heads
                rows = mx.array(sources[None, None] * heads + np.arange(heads, dtype=np.int32)[:, None])
                keys, values = (read[0].swapaxes(0, 1) for read in self.pages.read(layer, rows))
                return self.pages.written(layer, to, keys, values)

    def _of(self, part: GroupSpec) -> Any:
        match part.group.kind:
            case CacheKind.STATE:
                return self.states
            case CacheKind.LATENT:
                return self.latents[part.group.keys]
            case CacheKind.FULL | CacheKind.WINDOW:
                return self.pages


def page_bytes(pool: Pool, group: int) -> int:
    part = pool.spec.groups[group]
    layers = [pool.layers[number] for number in part.group.layers]
    return int(sum(array.nbytes for layer in layers for array in layer.arrays)) // part.pages


def read(pool: Pool, group: int, pages: Sequence[int], content: NDArray[np.uint8]) -> None:
    """As ``Backend.read_pages``."""
    at, index, part = 0, mx.array(list(pages)), pool.spec.groups[group]
    for number in part.group.layers:
        layer = pool.layers[number]
        for array in mx.depends(layer.arrays, layer.awaited):
            rows = array.reshape(part.pages, -1)[index].view(mx.uint8)
            content[:, at : at + rows.shape[1]] = np.array(rows)
            at += rows.shape[1]


def resize(pool: Pool, pages: Sequence[int]) -> None:
    """As ``Backend.resize``, but for ``pool.nbytes``."""
    spec = pool.spec.sized(pages)
    for number, _, part in spec.layers():
        rows = part.pages * (1 if part.group.kind is CacheKind.STATE else part.page_size)
        pool.layers[number] = pool.layers.pop(number).resized(rows)
    pool.spec = spec


def _rows(part: GroupSpec, pages: Sequence[int]) -> NDArray[np.int32]:
    """Returns where ``pages`` have their slots, or states."""
    size = 1 if part.group.kind is CacheKind.STATE else part.page_size
    slots = np.array(pages, np.int32)[:, None] * size + np.arange(size, dtype=np.int32)
    return slots.reshape(-1).astype(np.int32)
