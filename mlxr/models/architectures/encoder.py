"""The one encoder: builds any ``EncoderSpec`` from a file's tensors and runs it. An input runs in one step.

A layer's tensors are taken over and its operations prepared before the next layer's are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxr.metal.backend import Backend
from mlxr.metal.operations import DeviceBatch, MixerOperation, RowOperation
from mlxr.metal.pool import Pool
from mlxr.metal.specs import NormKind
from mlxr.models.architectures.decoder import vocabulary_of
from mlxr.models.architectures.feed_forward import feed_forward_weights
from mlxr.models.architectures.mixers import MIXERS
from mlxr.models.architectures.spec import EncoderSpec, LayerSpec
from mlxr.models.architectures.tensors import NamedTensors

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.weights import Weight


class Encoder:
    """A model that makes embeddings or scores, on a backend."""

    def __init__(self, spec: EncoderSpec, tensors: NamedTensors, backend: Backend) -> None:
        import mlx.core as mx

        self.vocabulary, words, positions, segments = tables(spec, tensors)
        self._words = backend.embedding(words, spec.embedding_scale)
        self._positions = None if positions is None else backend.embedding(positions)
        self._segments = None if segments is None else backend.embedding(segments)
        self._first_segment: mx.array | None = None
        if self._segments is not None:
            self._first_segment = self._segments(mx.zeros(1, mx.int32))
            mx.eval(self._first_segment)
        self._first_position = spec.first_position
        self._norm = _layer_norm(spec, tensors, backend, "embedding_norm") if spec.embedding_norm else None
        self._layers = [
            _Layer(spec, layer, tensors.layer(number), backend, number) for number, layer in enumerate(spec.layers)
        ]
        self._final_norm: RowOperation | None = None
        if spec.final_norm is NormKind.RMS:
            self._final_norm = backend.rms_norm(tensors.norm("norm", spec.width), spec.norm_eps)
        elif spec.final_norm is NormKind.LAYER:
            self._final_norm = _layer_norm(spec, tensors, backend, "norm")

    def layers(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self._words(tokens)
        if self._positions is not None:
            at = batch.positions + self._first_position if self._first_position else batch.positions
            x = x + self._positions(at)
        if self._segments is not None and self._first_segment is not None:
            segments = batch.segments
            x = x + (self._first_segment if segments is None else self._segments(segments))
        if self._norm is not None:
            x = self._norm(x)
        for layer in self._layers:
            x = layer(x, batch)
        return x

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return hidden if self._final_norm is None else self._final_norm(hidden)


class _Layer:
    """A half, perhaps a layer norm, the other half, and perhaps a layer norm."""

    def __init__(
        self, spec: EncoderSpec, layer: LayerSpec, tensors: NamedTensors, backend: Backend, number: int
    ) -> None:
        assert layer.mixer is not None
        assert layer.feed_forward is not None
        kind = MIXERS[type(layer.mixer)]
        weights = kind.weights(layer, layer.mixer, spec.width, tensors)
        self._mix: MixerOperation = kind.prepare(backend, weights, layer.mixer, number)
        self._mixer_norm = self._feed_forward_norm = None
        if layer.norms.residual:
            self._mixer_norm = _layer_norm(spec, tensors, backend, "attention_norm")
            self._feed_forward_norm = _layer_norm(spec, tensors, backend, "feed_forward_norm")
        half = layer.feed_forward
        self._feed_forward: RowOperation = backend.feed_forward(
            feed_forward_weights(layer, half, spec.width, tensors), half.spec
        )

    def __call__(self, x: mx.array, batch: DeviceBatch) -> mx.array:
        x = self._mix(x, batch, None)
        x = x if self._mixer_norm is None else self._mixer_norm(x)
        x = self._feed_forward(x)
        return x if self._feed_forward_norm is None else self._feed_forward_norm(x)


def check_tensors(spec: EncoderSpec, tensors: NamedTensors) -> int:
    """Asks for every tensor as ``Encoder`` does, and makes nothing of them; returns the size of the vocabulary."""
    vocabulary, *_ = tables(spec, tensors)
    if spec.embedding_norm:
        layer_norm(spec, tensors, "embedding_norm")
    for number, layer in enumerate(spec.layers):
        assert layer.mixer is not None
        assert layer.feed_forward is not None
        own = tensors.layer(number)
        MIXERS[type(layer.mixer)].weights(layer, layer.mixer, spec.width, own)
        feed_forward_weights(layer, layer.feed_forward, spec.width, own)
        if layer.norms.residual:
            layer_norm(spec, own, "attention_norm")
            layer_norm(spec, own, "feed_forward_norm")
    if spec.final_norm is NormKind.RMS:
        tensors.norm("norm", spec.width)
    elif spec.final_norm is NormKind.LAYER:
        layer_norm(spec, tensors, "norm")
    return vocabulary


def tables(spec: EncoderSpec, tensors: NamedTensors) -> tuple[int, Weight, Weight | None, Weight | None]:
    """Returns the size of the vocabulary, and the tables of words, of positions and of segments."""
    vocabulary = spec.vocabulary or vocabulary_of(tensors)
    return (
        vocabulary,
        tensors.matrix("embedding", vocabulary, spec.width),
        tensors.matrix("positions", spec.positions, spec.width) if spec.positions else None,
        tensors.matrix("segments", spec.segments, spec.width) if spec.segments else None,
    )


def layer_norm(spec: EncoderSpec, tensors: NamedTensors, role: str) -> tuple[mx.array, mx.array | None]:
    """Returns a layer norm's weight and its bias, None where the family has none."""
    bias = f"{role}_bias"
    return tensors.vector(role, spec.width), tensors.vector(bias, spec.width) if tensors.named(bias) else None


def _layer_norm(spec: EncoderSpec, tensors: NamedTensors, backend: Backend, role: str) -> RowOperation:
    return backend.layer_norm(*layer_norm(spec, tensors, role), spec.norm_eps)
