"""The one decoder: builds any ``DecoderSpec`` from a file's tensors and runs it.

A layer's tensors are taken over and its operations prepared before the next layer's are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxr.metal.backend import AttentionOperation, Backend, DeviceBatch, RowOperation
from mlxr.metal.pool import Pool
from mlxr.metal.weights import AttentionWeights, ExpertsWeights, FeedForwardWeights, MLPWeights, Weight
from mlxr.models.architectures.sizes import MAX_VOCABULARY
from mlxr.models.architectures.spec import DecoderSpec, Experts, GatedMLP, LayerSpec
from mlxr.models.architectures.tensors import NamedTensors

if TYPE_CHECKING:
    import mlx.core as mx


class Decoder:
    """A causal model on a backend."""

    def __init__(self, spec: DecoderSpec, tensors: NamedTensors, backend: Backend) -> None:
        self.vocabulary = vocabulary_of(tensors)
        table = tensors.matrix("embedding", self.vocabulary, spec.width)
        self._embed = backend.embedding(table, spec.embedding_scale)
        self._layers: list[tuple[AttentionOperation, RowOperation]] = []
        for number, layer in enumerate(spec.layers):
            attention, feed_forward = layer_weights(layer, spec.width, tensors.layer(number))
            self._layers.append(
                (
                    backend.attention(attention, layer.mixer, number),
                    backend.feed_forward(feed_forward, layer.feed_forward.spec),
                )
            )
        norm = tensors.norm("norm", spec.width)
        self._norm = backend.rms_norm(norm, spec.norm_eps)
        head = output_projection(spec, table, tensors)
        scaled = norm if spec.logit_scale == 1.0 else norm * spec.logit_scale
        self._head = backend.head(head, scaled, spec.norm_eps, spec.softcap)

    def layers(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self._embed(tokens)
        for attend, feed_forward in self._layers:
            x = feed_forward(attend(x, batch, pool))
        return x

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        return self._head(hidden, rows)

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return self._norm(hidden)


def check_tensors(spec: DecoderSpec, tensors: NamedTensors) -> int:
    """Asks for every tensor as ``Decoder`` does, and makes nothing of them; returns the size of the vocabulary."""
    vocabulary = vocabulary_of(tensors)
    table = tensors.matrix("embedding", vocabulary, spec.width)
    for number, layer in enumerate(spec.layers):
        layer_weights(layer, spec.width, tensors.layer(number))
    tensors.norm("norm", spec.width)
    output_projection(spec, table, tensors)
    return vocabulary


def vocabulary_of(tensors: NamedTensors) -> int:
    return tensors.rows("embedding", MAX_VOCABULARY)


def output_projection(spec: DecoderSpec, table: Weight, tensors: NamedTensors) -> Weight:
    tied = "head" not in tensors if spec.tied is None else spec.tied
    return table if tied else tensors.matrix("head", *table.shape)


def layer_weights(spec: LayerSpec, width: int, tensors: NamedTensors) -> tuple[AttentionWeights, FeedForwardWeights]:
    """Returns what the two halves of a layer are prepared from."""
    attention, half = attention_weights(spec, width, tensors), spec.feed_forward
    if isinstance(half, Experts):
        return attention, experts_weights(spec, half, width, tensors)
    return attention, mlp_weights(spec, half, width, tensors)


def attention_weights(spec: LayerSpec, width: int, tensors: NamedTensors) -> AttentionWeights:
    mixer, norms = spec.mixer, spec.norms
    queries, keys = mixer.heads * mixer.head_dim, mixer.kv_heads * mixer.head_dim
    query, key, value = tensors.matrices(("query", "key", "value"), (queries, keys, keys), width)
    return AttentionWeights(
        query=query,
        key=key,
        value=value,
        output=tensors.matrix("output", width, queries),
        norm=tensors.norm("attention_norm", width) if norms.before else None,
        query_norm=tensors.norm("query_norm", mixer.head_dim) if norms.heads else None,
        key_norm=tensors.norm("key_norm", mixer.head_dim) if norms.heads else None,
        post_norm=tensors.norm("attention_post_norm", width) if norms.after else None,
        query_bias=_bias(spec, tensors, "query_bias", queries),
        key_bias=_bias(spec, tensors, "key_bias", keys),
        value_bias=_bias(spec, tensors, "value_bias", keys),
        output_bias=_bias(spec, tensors, "output_bias", width),
        sinks=_bias(spec, tensors, "sinks", mixer.heads),
    )


def experts_weights(spec: LayerSpec, half: Experts, width: int, tensors: NamedTensors) -> ExpertsWeights:
    count, hidden, common = half.spec.experts, half.hidden, half.shared_hidden
    return ExpertsWeights(
        router=tensors.matrix("router", count, width),
        gate=tensors.experts("experts_gate", count, hidden, width),
        up=tensors.experts("experts_up", count, hidden, width),
        down=tensors.experts("experts_down", count, width, hidden),
        norm=tensors.norm("feed_forward_norm", width) if spec.norms.before else None,
        router_bias=_bias(spec, tensors, "router_bias", count),
        choice_bias=_bias(spec, tensors, "choice_bias", count),
        gate_bias=_bias(spec, tensors, "experts_gate_bias", count * hidden, count),
        up_bias=_bias(spec, tensors, "experts_up_bias", count * hidden, count),
        down_bias=_bias(spec, tensors, "experts_down_bias", count * width, count),
        shared=MLPWeights(
            up=tensors.matrix("shared_up", common, width),
            down=tensors.matrix("shared_down", width, common),
            gate=tensors.matrix("shared_gate", common, width),
        )
        if common
        else None,
        shared_router=tensors.row("shared_router", width) if common and "shared_router" in tensors else None,
    )


def mlp_weights(spec: LayerSpec, half: GatedMLP, width: int, tensors: NamedTensors) -> MLPWeights:
    hidden, norms = half.hidden, spec.norms
    gate, up = tensors.matrices(("gate", "up"), (hidden, hidden), width)
    return MLPWeights(
        gate=gate,
        up=up,
        down=tensors.matrix("down", width, hidden),
        norm=tensors.norm("feed_forward_norm", width) if norms.before else None,
        post_norm=tensors.norm("feed_forward_post_norm", width) if norms.after else None,
        gate_bias=_bias(spec, tensors, "gate_bias", hidden),
        up_bias=_bias(spec, tensors, "up_bias", hidden),
        down_bias=_bias(spec, tensors, "down_bias", width),
    )


def _bias(spec: LayerSpec, tensors: NamedTensors, role: str, size: int, experts: int = 0) -> mx.array | None:
    return tensors.bias(role, size, role in spec.biases, experts)
