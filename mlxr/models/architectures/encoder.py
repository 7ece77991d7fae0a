"""The one encoder: builds any ``EncoderSpec`` from a file's tensors and runs it. An input runs in one step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxr.metal.backend import Backend, DeviceBatch, MixerOperation, RowOperation
from mlxr.metal.pool import Pool
from mlxr.metal.specs import MLPSpec
from mlxr.metal.weights import AttentionWeights, MLPWeights, Weight
from mlxr.models.architectures.spec import EncoderSpec
from mlxr.models.architectures.tensors import NamedTensors

if TYPE_CHECKING:
    import mlx.core as mx


class Encoder:
    """A model that makes embeddings, on a backend."""

    def __init__(self, spec: EncoderSpec, tensors: NamedTensors, backend: Backend) -> None:
        self.vocabulary = spec.vocabulary
        words, positions, self._segment = tables(spec, tensors)
        self._words, self._positions = backend.embedding(words), backend.embedding(positions)
        self._norm = backend.layer_norm(*layer_norm(spec, tensors, "norm"), spec.norm_eps)
        self._layers = [_Layer(spec, tensors.layer(number), backend, number) for number in range(spec.depth)]

    def layers(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        """Every token is of segment 0."""
        x = self._norm(self._words(tokens) + self._positions(batch.positions) + self._segment)
        for layer in self._layers:
            x = layer(x, batch)
        return x

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return hidden


class _Layer:
    """A half, its layer norm, the other half, and its layer norm."""

    def __init__(self, spec: EncoderSpec, tensors: NamedTensors, backend: Backend, number: int) -> None:
        attention = attention_weights(spec, tensors)
        self._attend: MixerOperation = backend.attention(attention, spec.attention, number)
        self._attention_norm = _layer_norm(spec, tensors, backend, "attention_norm")
        mlp = mlp_weights(spec, tensors)
        self._feed_forward: RowOperation = backend.feed_forward(mlp, MLPSpec(spec.activation))
        self._feed_forward_norm = _layer_norm(spec, tensors, backend, "feed_forward_norm")

    def __call__(self, x: mx.array, batch: DeviceBatch) -> mx.array:
        x = self._attention_norm(self._attend(x, batch, None))
        return self._feed_forward_norm(self._feed_forward(x))


def check_tensors(spec: EncoderSpec, tensors: NamedTensors) -> int:
    """Asks for every tensor as ``Encoder`` does, and makes nothing of them; returns the size of the vocabulary."""
    tables(spec, tensors)
    layer_norm(spec, tensors, "norm")
    for layer in map(tensors.layer, range(spec.depth)):
        attention_weights(spec, layer)
        mlp_weights(spec, layer)
        layer_norm(spec, layer, "attention_norm")
        layer_norm(spec, layer, "feed_forward_norm")
    return spec.vocabulary


def tables(spec: EncoderSpec, tensors: NamedTensors) -> tuple[Weight, Weight, mx.array]:
    """Returns the tables of words and of positions, and the vector of the first segment."""
    return (
        tensors.matrix("embedding", spec.vocabulary, spec.width),
        tensors.matrix("positions", spec.positions, spec.width),
        tensors.first_row("segments", spec.segments, spec.width),
    )


def attention_weights(spec: EncoderSpec, tensors: NamedTensors) -> AttentionWeights:
    width = spec.width
    return AttentionWeights(
        query=tensors.matrix("query", width, width, encoder=True),
        key=tensors.matrix("key", width, width, encoder=True),
        value=tensors.matrix("value", width, width, encoder=True),
        output=tensors.matrix("output", width, width, encoder=True),
        query_bias=tensors.vector("query_bias", width),
        key_bias=tensors.vector("key_bias", width),
        value_bias=tensors.vector("value_bias", width),
        output_bias=tensors.vector("output_bias", width),
    )


def mlp_weights(spec: EncoderSpec, tensors: NamedTensors) -> MLPWeights:
    return MLPWeights(
        up=tensors.matrix("up", spec.hidden, spec.width, encoder=True),
        down=tensors.matrix("down", spec.width, spec.hidden, encoder=True),
        up_bias=tensors.vector("up_bias", spec.hidden),
        down_bias=tensors.vector("down_bias", spec.width),
    )


def layer_norm(spec: EncoderSpec, tensors: NamedTensors, role: str) -> tuple[mx.array, mx.array]:
    return tensors.vector(role, spec.width), tensors.vector(f"{role}_bias", spec.width)


def _layer_norm(spec: EncoderSpec, tensors: NamedTensors, backend: Backend, role: str) -> RowOperation:
    return backend.layer_norm(*layer_norm(spec, tensors, role), spec.norm_eps)
