"""The one decoder: builds any ``DecoderSpec`` from a file's tensors and runs it.

A layer's tensors are taken over and its operations prepared before the next layer's are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeAlias

from mlxr.metal.adapters import Place, Shape, adaptable
from mlxr.metal.backend import Backend
from mlxr.metal.operations import (
    DeviceBatch,
    FeedForwardOperation,
    MixerOperation,
    PerLayerEmbeddingOperation,
    PerLayerInputOperation,
)
from mlxr.metal.pool import Pool
from mlxr.metal.specs import ExpertsSpec, FeedForwardSpec, MLPSpec, NormKind
from mlxr.metal.weights import MLPWeights, SeparateExpertsWeights, Weight
from mlxr.models.architectures import alternating, per_layer
from mlxr.models.architectures.feed_forward import HalfWeights, half_weights
from mlxr.models.architectures.mixers import MIXERS
from mlxr.models.architectures.sizes import MAX_VOCABULARY
from mlxr.models.architectures.spec import MLP, Alternating, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import NamedTensors

if TYPE_CHECKING:
    import mlx.core as mx

    from mlxr.metal.alternating import AlternatingLayer, AlternatingStreams


Prepared: TypeAlias = "tuple[MixerOperation | None, FeedForwardOperation | None, PerLayerInputOperation | None]"
"""A layer's operations, None for one that it lacks."""


class Decoder:
    """A causal model on a backend.

    ``embed``: looks tokens up. ``output_projection``: the matrix that makes logits. ``depth``: how many layers it has.
    """

    def __init__(self, spec: DecoderSpec, tensors: NamedTensors, backend: Backend) -> None:
        self.vocabulary, self.depth = vocabulary_of(tensors), len(spec.layers)
        table = tensors.matrix("embedding", self.vocabulary, spec.width)
        self.embed = backend.embedding(table, spec.embedding_scale)
        self._per_layer: PerLayerEmbeddingOperation | None = None
        if spec.per_layer is not None:
            further = per_layer.embedding_weights(spec.per_layer, spec.width, tensors)
            self._per_layer = backend.per_layer_embedding(further, spec.per_layer)
        self._alternating: AlternatingStreams | None = None
        if spec.alternating is not None:
            from mlxr.metal.alternating import AlternatingStreams  # with MLX, which readers of headers do without

            weights = alternating.model_weights(spec.alternating.spec, spec.width, tensors)
            self._alternating = AlternatingStreams(backend, weights, spec.alternating.spec)
        self._layers: list[Prepared] = []
        self._alternating_layers: list[AlternatingLayer] = []
        for number, layer in enumerate(spec.layers):
            own = tensors.layer(number)
            prepared = prepared_layer(layer, number, spec, own, backend)
            if spec.alternating is None:
                self._layers.append(prepared)
            else:
                self._alternating_layers.append(
                    _alternating(prepared, spec.alternating, number, spec.width, own, backend)
                )
        plain = spec.alternating is None and spec.per_layer is None
        self._joined = backend.joined([(mix, half) for mix, half, _ in self._layers]) if plain else None
        norm, norm_bias, bias = (tensors.norm("norm", spec.width), *head_biases(spec, self.vocabulary, tensors))
        if spec.norm is NormKind.LAYER:
            self._norm = backend.layer_norm(norm, norm_bias, spec.norm_eps)
        else:
            self._norm = backend.rms_norm(norm, spec.norm_eps)
        self.output_projection, scale = output_projection(spec, table, tensors), spec.logit_scale
        self._head = backend.head(
            self.output_projection,
            norm if scale == 1.0 else norm * scale,
            spec.norm_eps,
            spec.softcap,
            kind=spec.norm,
            norm_bias=norm_bias if norm_bias is None else norm_bias * scale,
            bias=bias if bias is None else bias * scale,
        )

    def layers(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        for hidden in self.by_layer(tokens, batch, pool):  # noqa: B007 (a list would hold what each layer gives)
            pass
        return hidden

    def by_layer(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> Iterator[mx.array]:
        """Yields what goes into the first layer, then what comes out of each, or of several at once; last of all the
        hidden states."""
        x = self.embed(tokens)
        if self._alternating is not None:
            streams, further = self._alternating.spread(tokens, x)
            for layer in self._alternating_layers:
                yield streams
                streams = layer(streams, further, batch, pool)
            yield self._alternating.joined(streams)
            return
        if self._joined is not None:
            yield x
            yield from self._joined(x, batch, pool)
            return
        inputs = None
        if self._per_layer is not None:
            x, inputs = self._per_layer(tokens, x)
        for mix, feed_forward, add_input in self._layers:
            yield x
            x = x if mix is None else mix(x, batch, pool)
            x = x if feed_forward is None else feed_forward(x, batch)
            x = x if add_input is None else add_input(x, inputs)
        yield x

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        return self._head(hidden, rows)

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return self._norm(hidden)


def prepared_layer(
    layer: LayerSpec, number: int, spec: DecoderSpec, tensors: NamedTensors, backend: Backend
) -> Prepared:
    """Returns the operations of a layer's halves and its further input, None for one that it lacks."""
    width = spec.width
    mix: MixerOperation | None = None
    feed_forward: FeedForwardOperation | None = None
    add_input: PerLayerInputOperation | None = None
    if layer.mixer is not None:
        kind = MIXERS[type(layer.mixer)]
        mix = kind.prepare(backend, kind.weights(layer, layer.mixer, width, tensors), layer.mixer, number)
    if layer.feed_forward is not None:
        weights = half_weights(layer, layer.feed_forward, width, tensors)
        if layer.parallel and mix is not None and not isinstance(weights, SeparateExpertsWeights):
            return backend.parallel(mix, weights, layer.feed_forward.spec, number), None, None
        feed_forward = _feed_forward(backend, weights, layer.feed_forward.spec, number)
    if layer.per_layer is not None and spec.per_layer is not None:
        further = per_layer.input_weights(spec.per_layer.size, width, tensors)
        add_input = backend.per_layer_input(further, layer.per_layer, number)
    return mix, feed_forward, add_input


def _feed_forward(backend: Backend, weights: HalfWeights, spec: FeedForwardSpec, number: int) -> FeedForwardOperation:
    """Returns the operation of a half, which is the backend's own but where plain operations are all that there is."""
    if isinstance(spec, MLPSpec) and spec.xielu is not None and isinstance(weights, MLPWeights):
        from mlxr.metal.plain_feed_forward import XieluMLP  # with MLX, which readers of headers do without

        return XieluMLP(backend, weights, spec)
    if isinstance(weights, SeparateExpertsWeights):
        assert isinstance(spec, ExpertsSpec)
        from mlxr.metal.plain_feed_forward import SparseMixer

        return SparseMixer(backend, weights, spec)
    return backend.feed_forward(weights, spec, number)


def _alternating(
    prepared: Prepared, spec: Alternating, number: int, width: int, tensors: NamedTensors, backend: Backend
) -> AlternatingLayer:
    """Returns the operation of a layer that updates streams, from those of its halves."""
    mix, feed_forward, _ = prepared
    assert mix is not None
    assert feed_forward is not None
    from mlxr.metal.alternating import AlternatingLayer

    weights = alternating.layer_weights(spec, width, tensors)
    return AlternatingLayer(backend, weights, spec.spec, (mix, feed_forward), number)


def check_tensors(spec: DecoderSpec, tensors: NamedTensors) -> int:
    """Asks for every tensor as ``Decoder`` does, and makes nothing of them; returns the size of the vocabulary."""
    vocabulary = vocabulary_of(tensors)
    table = tensors.matrix("embedding", vocabulary, spec.width)
    if spec.per_layer is not None:
        per_layer.embedding_weights(spec.per_layer, spec.width, tensors)
    if spec.alternating is not None:
        alternating.model_weights(spec.alternating.spec, spec.width, tensors)
    for number, layer in enumerate(spec.layers):
        mixer, half, own = layer.mixer, layer.feed_forward, tensors.layer(number)
        if mixer is not None:
            MIXERS[type(mixer)].weights(layer, mixer, spec.width, own)
        if half is not None:
            half_weights(layer, half, spec.width, own)
        if layer.per_layer is not None and spec.per_layer is not None:
            per_layer.input_weights(spec.per_layer.size, spec.width, own)
        if spec.alternating is not None:
            alternating.layer_weights(spec.alternating, spec.width, own)
    tensors.norm("norm", spec.width)
    head_biases(spec, vocabulary, tensors)
    output_projection(spec, table, tensors)
    return vocabulary


def adaptable_places(spec: DecoderSpec, tensors: NamedTensors) -> dict[Place, Shape]:
    """Returns the matrices that adapters can be for."""
    places: dict[Place, Shape] = {}
    for number, layer in enumerate(spec.layers):
        mixer, half, own = layer.mixer, layer.feed_forward, tensors.layer(number)
        if mixer is not None:
            places |= adaptable(number, MIXERS[type(mixer)].weights(layer, mixer, spec.width, own))
        plain = isinstance(half, MLP) and (half.spec.sparsity is not None or half.spec.xielu is not None)
        if half is not None and not plain:
            places |= adaptable(number, half_weights(layer, half, spec.width, own))
    return places


def vocabulary_of(tensors: NamedTensors) -> int:
    return tensors.rows("embedding", MAX_VOCABULARY)


def head_biases(spec: DecoderSpec, vocabulary: int, tensors: NamedTensors) -> tuple[mx.array | None, mx.array | None]:
    """Returns those of the final norm and of the output projection, where a file has any."""
    return tensors.bias("norm_bias", spec.width, ()), tensors.bias("head_bias", vocabulary, ())


def output_projection(spec: DecoderSpec, table: Weight, tensors: NamedTensors) -> Weight:
    tied = "head" not in tensors if spec.tied is None else spec.tied
    return table if tied else tensors.matrix("head", *table.shape)
