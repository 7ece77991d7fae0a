"""What every architecture offers to the executor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import mlx.core as mx

from mlxr.metal.backend import Pool
from mlxr.metal.layout import Batch, PoolSpec
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Hyperparameters


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Sizes a server needs to know. ``layers`` is 0 where nothing is kept in pages (encoders)."""

    layers: int
    kv_heads: int
    head_dim: int
    width: int
    vocab_size: int
    context_length: int

    def pool_spec(self, pages: int, page_size: int) -> PoolSpec:
        return PoolSpec(self.layers, pages, page_size, self.kv_heads, self.head_dim)


class Model(Protocol):
    """A model on a backend. ``generates`` is False where it only embeds."""

    shape: ModelShape
    generates: bool

    def __init__(self, parameters: Hyperparameters, weights: Weights) -> None: ...

    def forward(self, tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
        """Hidden states float32 ``[T, width]`` of ``tokens`` int32 ``[T]``; their keys and values go to the pool."""
        ...

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        """Float32 ``[R, vocab_size]`` for the rows (int32 ``[R]``) of ``hidden``."""
        ...

    def pooled(self, hidden: mx.array, spans: Sequence[tuple[int, int]]) -> mx.array:
        """Embeddings float32 ``[len(spans), width]``, not normalized, of the sequences at tokens ``start`` to ``end``
        of the step. A decoder looks at a last token only, so the others may have been in earlier steps."""
        ...
