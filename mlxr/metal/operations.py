"""What a backend prepares: the types of operations, and the layout of a step that they take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool

if TYPE_CHECKING:
    import mlx.core as mx


class DeviceBatch(Protocol):
    """A step's ``Batch`` as its backend computes with it, made once a step for all layers."""

    @property
    def positions(self) -> mx.array:
        """Each token's position, int32 ``[T]``."""
        ...

    @property
    def segments(self) -> mx.array | None:
        """Each token's segment, int32 ``[T]``; None where all are of the first."""
        ...


RowOperation: TypeAlias = "Callable[[mx.array], mx.array]"
"""``x`` float32 ``[T, in]`` to ``[T, out]``, row by row."""

EmbeddingOperation: TypeAlias = "Callable[[mx.array], mx.array]"
"""Tokens int32 ``[T]`` to ``[T, features]``."""

MixerOperation: TypeAlias = "Callable[[mx.array, Any, Pool | None], mx.array]"
"""``x`` float32 ``[T, features]`` to the same, the residual included; with what the same backend's ``on_device``
returned."""

FeedForwardOperation: TypeAlias = "Callable[..., mx.array]"
"""``x`` float32 ``[T, features]`` and the step's ``DeviceBatch`` to the same as ``x``, the residual included. Without a
batch no row has an adapter."""

LayersOperation: TypeAlias = "Callable[[mx.array, Any, Pool | None], Iterator[mx.array]]"
"""Successive layers, of what a ``MixerOperation`` takes: yields what comes out of each, or of several at once."""

PlainLayer: TypeAlias = "tuple[MixerOperation | None, FeedForwardOperation | None]"
"""The operations of a layer's halves, None for one that it lacks."""


def one_by_one(layers: Sequence[PlainLayer], x: mx.array, step: Any, pool: Pool | None) -> Iterator[mx.array]:
    """Successive layers as a ``LayersOperation``, each by its own operations."""
    for mix, feed_forward in layers:
        x = x if mix is None else mix(x, step, pool)
        x = x if feed_forward is None else feed_forward(x, step)
        yield x


PerLayerEmbeddingOperation: TypeAlias = "Callable[[mx.array, mx.array], tuple[mx.array, Any]]"
"""Tokens int32 ``[T]`` and their embeddings ``[T, width]`` to the embeddings, and all layers' further inputs as
operations of the same backend take them."""

PerLayerInputOperation: TypeAlias = "Callable[[mx.array, Any], mx.array]"
"""``x`` float32 ``[T, width]`` to the same, the residual included; with the inputs that a
``PerLayerEmbeddingOperation`` made in the same step, whose embeddings ``x`` comes from."""


HeadOperation: TypeAlias = "Callable[[mx.array, mx.array], mx.array]"
"""``x`` float32 ``[T, features]`` and rows of it, int32 ``[R]``, to logits float32 ``[R, vocabulary]``."""

Layers: TypeAlias = "Callable[[mx.array, DeviceBatch, Pool | None], mx.array]"
"""A model's layers: tokens int32 ``[T]``, their layout and the pool, to hidden states float32 ``[T, width]``."""

Forward: TypeAlias = "Callable[[mx.array, Batch, Pool | None], mx.array]"
"""``Layers`` as the executor calls them, with the layout still on the host."""
