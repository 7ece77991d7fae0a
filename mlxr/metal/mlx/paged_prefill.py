"""Attention of prompts straight from the pool by a kernel of our own (``mlxr.metal.gpu.attention``), for layers with a
soft cap: MLX's kernels have none, and plain operations make all scores of a prompt at once, in float32."""

from __future__ import annotations

from functools import cache

import mlx.core as mx
import numpy as np

from mlxr.metal.gpu import attention
from mlxr.metal.gpu.attention import TILE, Heads
from mlxr.metal.gpu.kernel import Language, MadeKernel
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.pages import Layer
from mlxr.metal.specs import AttentionSpec


class PagedPrefill:
    """For layers of one ``AttentionSpec``; see ``fits``."""

    def __init__(self, spec: AttentionSpec, sinks: mx.array | None) -> None:
        self._heads = attention.of_attention(spec)
        self._scaling = mx.array([spec.scale, spec.softcap], mx.float32)
        self._sinks = mx.full((spec.heads,), -mx.inf) if sinks is None else sinks.astype(mx.float32)

    @staticmethod
    def fits(spec: AttentionSpec) -> bool:
        """Whether the kernel computes such layers, and plain operations would instead."""
        return bool(spec.softcap) and spec.causal and not spec.alibi and spec.heads // spec.kv_heads <= TILE

    def __call__(
        self, queries: mx.array, stored: Layer, tables: mx.array, lengths: mx.array, page_size: int
    ) -> mx.array:
        """``queries`` ``[L, heads, head_dim]`` of one sequence, the last of its context; ``tables`` int32 ``[1, P]``,
        ``lengths`` int32 ``[1]``: 16-bit ``[L, heads * head_dim]``."""
        rows = queries.shape[0]
        positions = mx.arange(rows, dtype=mx.int32) + (lengths - rows)
        tiles = _tiles(rows, self._heads)
        launch = attention.prefill(rows, self._heads, page_size, len(tiles))
        sequences = mx.zeros(rows, mx.int32)
        # The pool's arrays change behind MLX's back; `done` is when they have.
        pages = mx.depends(stored.arrays, stored.awaited)
        given = [queries.astype(mx.float32), *pages, tables, sequences, positions]
        (out,) = _kernel()([*given, self._scaling, self._sinks, mx.array(tiles)], launch)
        return out.reshape(rows, -1).astype(HALF)


def _tiles(rows: int, heads: Heads) -> np.ndarray:
    begins = np.arange(0, rows, heads.tokens_at_once, dtype=np.int32)
    return np.stack([begins, np.minimum(rows - begins, heads.tokens_at_once)], axis=1).astype(np.int32)


@cache
def _kernel() -> MadeKernel:
    return MadeKernel(attention.PREFILL, Language.METAL)
