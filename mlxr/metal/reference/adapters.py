"""Low-rank adapters in plain MLX operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import mlx.core as mx
import numpy as np

from mlxr.metal.adapted_rows import adapted_rows
from mlxr.metal.adapters import LowRank, Place
from mlxr.metal.batch import Batch

Part: TypeAlias = tuple[mx.array, mx.array]
"""``down`` transposed, ``[in, rank]``, and ``up`` transposed and scaled, ``[rank, out]``."""


def low_rank(part: LowRank, type: mx.Dtype = mx.float32) -> Part:
    return mx.array(part.down.T, type), mx.array(part.up.T * np.float32(part.scaling), type)


class StepAdapters:
    """The adapters of a step, whose rows are looked up once for all layers. An adapter is a mapping from places to
    ``Part``."""

    def __init__(self, batch: Batch | None = None) -> None:
        self._uses: list[tuple[Mapping[Place, Part], float, mx.array | None]] = []
        for one in adapted_rows(batch) if batch is not None else ():
            rows = None if batch is not None and len(one.rows) == batch.tokens else mx.array(one.rows)
            self._uses.append((one.use.adapter, one.use.scale, rows))

    def __bool__(self) -> bool:
        return bool(self._uses)

    def added(self, out: mx.array, x: mx.array, layer: int | None, role: str) -> mx.array:
        """Returns ``out`` ``[T, out]``, what a matrix makes of ``x`` ``[T, in]``, with what adapters add to it."""
        if layer is None:
            return out
        for parts, scale, rows in self._uses:
            if (part := parts.get((layer, role))) is None:
                continue
            down, up = part
            more = ((x if rows is None else x[rows]).astype(down.dtype) @ down * scale) @ up
            out = out + more.astype(out.dtype) if rows is None else out.at[rows].add(more.astype(out.dtype))
        return out


NO_ADAPTERS = StepAdapters()
