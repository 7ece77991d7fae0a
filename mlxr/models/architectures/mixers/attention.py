"""Full and window attention: a query, a key and a value for each token."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import AttentionSpec
from mlxr.metal.weights import AttentionWeights
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec, Norms
from mlxr.models.architectures.tensors import NamedTensors
from mlxr.models.architectures.weights import Rows

if TYPE_CHECKING:
    import mlx.core as mx


def weights(
    layer: LayerSpec, spec: AttentionSpec, width: int, tensors: NamedTensors, input_scale: float = 1.0
) -> AttentionWeights:
    """``input_scale``: what the normed rows are multiplied by."""
    norms, biases = layer.norms, layer.biases
    queries, keys = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim
    own, input_scale = spec.kv_layer is None, input_scale * spec.input_scale
    roles = ["query"] if not own else ["query", "key"] if spec.values_are_keys else ["query", "key", "value"]
    if spec.gate and tensors.named("attention_gate"):
        gate = tensors.matrix("attention_gate", spec.heads if spec.head_gates else queries, width)
        query, *others = tensors.matrices(roles, [queries, keys, keys][: len(roles)], width)
    elif spec.gate:
        query, gate = tensors.sorted_rows("query", _query_and_gate(spec), width)
        others = [tensors.matrix(role, keys, width) for role in roles[1:]]
    elif tensors.by_key_head:
        gate = None
        query, *others = tensors.sorted_rows("query_key_value", _by_key_head(spec), width)
    elif spec.value_dim:
        gate = None
        query, *others = tensors.matrices(roles[:2], [queries, keys], width)
        others = [*others, tensors.padded_rows("value", spec.kv_heads, (spec.value_dim, spec.head_dim), width)]
    else:
        gate = None
        query, *others = tensors.matrices(roles, [queries, keys, keys][: len(roles)], width)
    key, value = [*others, None, None][:2]
    if tensors.by_key_head:
        query_bias, *other_biases = tensors.sorted_numbers("query_key_value_bias", _by_key_head(spec))
    else:
        query_bias, *other_biases = tensors.biases(
            [f"{role}_bias" for role in roles], [queries, keys, keys][: len(roles)], biases
        )
    key_bias, value_bias = [*other_biases, None, None][:2]
    return AttentionWeights(
        query=query,
        key=key,
        value=value,
        output=tensors.padded_columns("output", spec.heads, (spec.value_dim, spec.head_dim), width)
        if spec.value_dim
        else tensors.matrix("output", width, queries),
        norm=tensors.norm("attention_norm", width, input_scale) if norms.before and norms.mixer else None,
        norm_bias=tensors.bias("attention_norm_bias", width, biases) if norms.before and norms.mixer else None,
        query_norm=_head_norm(tensors, "query_norm", norms, spec.head_dim, queries),
        key_norm=_head_norm(tensors, "key_norm", norms, spec.head_dim, keys) if own else None,
        post_norm=tensors.norm("attention_post_norm", width) if norms.after else None,
        query_bias=query_bias,
        key_bias=key_bias,
        value_bias=value_bias,
        output_bias=tensors.bias("output_bias", width, biases),
        sinks=tensors.bias("sinks", spec.heads, biases),
        gate=gate,
    )


def _by_key_head(spec: AttentionSpec) -> list[Rows]:
    """Rows of queries, keys and values in a matrix that has each key head's queries, then its key and its value."""
    each = spec.heads // spec.kv_heads + 2
    rows = np.arange(spec.kv_heads * each * spec.head_dim).reshape(spec.kv_heads, each, spec.head_dim)
    return [rows[:, :-2].reshape(-1), rows[:, -2].reshape(-1), rows[:, -1].reshape(-1)]


def _query_and_gate(spec: AttentionSpec) -> list[Rows]:
    """Rows of the query and of the gate in a matrix that has each head's query and then its gate."""
    rows = np.arange(2 * spec.heads * spec.head_dim).reshape(spec.heads, 2, spec.head_dim)
    return [rows[:, 0].reshape(-1), rows[:, 1].reshape(-1)]


def _head_norm(tensors: NamedTensors, role: str, norms: Norms, head: int, together: int) -> mx.array | None:
    """Returns the norm's weight, as long as a head or as all of them ``together``; None for no norm."""
    if not (norms.heads or norms.together):
        return None
    if not norms.weighted:
        return tensors.ones(head)
    return tensors.norm(role, together if norms.together else head)


def prepare(backend: Backend, weights: AttentionWeights, spec: AttentionSpec, number: int) -> MixerOperation:
    return backend.attention(weights, spec, number)


MIXER = Mixer(weights, prepare)
