"""The one decoder: builds any ``DecoderSpec`` from a file's tensors and runs it.

A layer's tensors are taken over and its operations prepared before the next layer's are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxr.metal.adapters import Place, Shape, adaptable
from mlxr.metal.backend import Backend, DeviceBatch, FeedForwardOperation, MixerOperation
from mlxr.metal.pool import Pool
from mlxr.metal.weights import ExpertsWeights, FeedForwardWeights, MLPWeights, Weight
from mlxr.models.architectures.mixers import MIXERS
from mlxr.models.architectures.sizes import MAX_VOCABULARY
from mlxr.models.architectures.spec import MLP, DecoderSpec, Experts, FeedForward, LayerSpec
from mlxr.models.architectures.tensors import NamedTensors

if TYPE_CHECKING:
    import mlx.core as mx


class Decoder:
    """A causal model on a backend."""

    def __init__(self, spec: DecoderSpec, tensors: NamedTensors, backend: Backend) -> None:
        self.vocabulary = vocabulary_of(tensors)
        table = tensors.matrix("embedding", self.vocabulary, spec.width)
        self._embed = backend.embedding(table, spec.embedding_scale)
        self._layers = [
            _prepared(layer, number, spec.width, tensors.layer(number), backend)
            for number, layer in enumerate(spec.layers)
        ]
        norm = tensors.norm("norm", spec.width)
        self._norm = backend.rms_norm(norm, spec.norm_eps)
        head = output_projection(spec, table, tensors)
        scaled = norm if spec.logit_scale == 1.0 else norm * spec.logit_scale
        self._head = backend.head(head, scaled, spec.norm_eps, spec.softcap)

    def layers(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self._embed(tokens)
        for mix, feed_forward in self._layers:
            x = x if mix is None else mix(x, batch, pool)
            x = x if feed_forward is None else feed_forward(x, batch)
        return x

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        return self._head(hidden, rows)

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return self._norm(hidden)


def _prepared(
    layer: LayerSpec, number: int, width: int, tensors: NamedTensors, backend: Backend
) -> tuple[MixerOperation | None, FeedForwardOperation | None]:
    """Returns the operations of a layer's halves, None for one that it lacks."""
    mix: MixerOperation | None = None
    feed_forward: FeedForwardOperation | None = None
    if layer.mixer is not None:
        kind = MIXERS[type(layer.mixer)]
        mix = kind.prepare(backend, kind.weights(layer, layer.mixer, width, tensors), layer.mixer, number)
    if layer.feed_forward is not None:
        weights = feed_forward_weights(layer, layer.feed_forward, width, tensors)
        feed_forward = backend.feed_forward(weights, layer.feed_forward.spec, number)
    return mix, feed_forward


def check_tensors(spec: DecoderSpec, tensors: NamedTensors) -> int:
    """Asks for every tensor as ``Decoder`` does, and makes nothing of them; returns the size of the vocabulary."""
    vocabulary = vocabulary_of(tensors)
    table = tensors.matrix("embedding", vocabulary, spec.width)
    for number, layer in enumerate(spec.layers):
        mixer, half, own = layer.mixer, layer.feed_forward, tensors.layer(number)
        if mixer is not None:
            MIXERS[type(mixer)].weights(layer, mixer, spec.width, own)
        if half is not None:
            feed_forward_weights(layer, half, spec.width, own)
    tensors.norm("norm", spec.width)
    output_projection(spec, table, tensors)
    return vocabulary


def adaptable_places(spec: DecoderSpec, tensors: NamedTensors) -> dict[Place, Shape]:
    """Returns the matrices that adapters can be for."""
    places: dict[Place, Shape] = {}
    for number, layer in enumerate(spec.layers):
        mixer, half, own = layer.mixer, layer.feed_forward, tensors.layer(number)
        if mixer is not None:
            places |= adaptable(number, MIXERS[type(mixer)].weights(layer, mixer, spec.width, own))
        if half is not None:
            places |= adaptable(number, feed_forward_weights(layer, half, spec.width, own))
    return places


def vocabulary_of(tensors: NamedTensors) -> int:
    return tensors.rows("embedding", MAX_VOCABULARY)


def output_projection(spec: DecoderSpec, table: Weight, tensors: NamedTensors) -> Weight:
    tied = "head" not in tensors if spec.tied is None else spec.tied
    return table if tied else tensors.matrix("head", *table.shape)


def feed_forward_weights(layer: LayerSpec, half: FeedForward, width: int, tensors: NamedTensors) -> FeedForwardWeights:
    """Returns what the feed-forward half of a layer is prepared from."""
    if isinstance(half, Experts):
        return experts_weights(layer, half, width, tensors)
    return mlp_weights(layer, half, width, tensors)


def experts_weights(spec: LayerSpec, half: Experts, width: int, tensors: NamedTensors) -> ExpertsWeights:
    count, hidden, common, narrow = half.spec.experts, half.hidden, half.shared_hidden, half.latent or width
    gate, up = tensors.gates_and_ups(count, hidden, narrow) if half.gated else (None, None)
    return ExpertsWeights(
        router=tensors.matrix("router", count, width),
        gate=gate,
        up=up or tensors.experts("experts_up", count, hidden, narrow),
        down=tensors.experts("experts_down", count, narrow, hidden),
        latent_down=tensors.matrix("latent_down", narrow, width) if half.latent else None,
        latent_up=tensors.matrix("latent_up", width, narrow) if half.latent else None,
        norm=tensors.norm("feed_forward_norm", width) if spec.norms.before else None,
        router_bias=tensors.bias("router_bias", count, spec.biases),
        choice_bias=tensors.bias("choice_bias", count, spec.biases),
        gate_bias=tensors.bias("experts_gate_bias", count * hidden, spec.biases, count),
        up_bias=tensors.bias("experts_up_bias", count * hidden, spec.biases, count),
        down_bias=tensors.bias("experts_down_bias", count * narrow, spec.biases, count),
        shared=MLPWeights(
            up=tensors.matrix("shared_up", common, width),
            down=tensors.matrix("shared_down", width, common),
            gate=tensors.matrix("shared_gate", common, width) if half.gated else None,
        )
        if common
        else None,
        shared_router=tensors.row("shared_router", width) if common and "shared_router" in tensors else None,
    )


def mlp_weights(spec: LayerSpec, half: MLP, width: int, tensors: NamedTensors) -> MLPWeights:
    hidden, norms = half.hidden, spec.norms
    gate: Weight | None = None
    if half.gated and tensors.named("up_gate"):
        up, gate = tensors.matrices(("up", "gate"), (hidden, hidden), width)
    elif half.gated:
        gate, up = tensors.matrices(("gate", "up"), (hidden, hidden), width)
    else:
        up = tensors.matrix("up", hidden, width)
    return MLPWeights(
        gate=gate,
        up=up,
        down=tensors.matrix("down", width, hidden),
        norm=tensors.norm("feed_forward_norm", width) if norms.before else None,
        post_norm=tensors.norm("feed_forward_post_norm", width) if norms.after else None,
        gate_bias=tensors.bias("gate_bias", hidden, spec.biases) if half.gated else None,
        up_bias=tensors.bias("up_bias", hidden, spec.biases),
        down_bias=tensors.bias("down_bias", width, spec.biases),
    )
