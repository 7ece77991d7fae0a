"""Full and window attention: a query, a key and a value for each token."""

from __future__ import annotations

from mlxr.metal.backend import Backend, MixerOperation
from mlxr.metal.specs import AttentionSpec
from mlxr.metal.weights import AttentionWeights
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors


def weights(layer: LayerSpec, spec: AttentionSpec, width: int, tensors: NamedTensors) -> AttentionWeights:
    norms, biases = layer.norms, layer.biases
    queries, keys = spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim
    own = spec.kv_layer is None
    roles = ["query"] if not own else ["query", "key"] if spec.values_are_keys else ["query", "key", "value"]
    query, *others = tensors.matrices(roles, [queries, keys, keys][: len(roles)], width)
    key, value = [*others, None, None][:2]
    query_bias, *other_biases = tensors.biases(
        [f"{role}_bias" for role in roles], [queries, keys, keys][: len(roles)], biases
    )
    key_bias, value_bias = [*other_biases, None, None][:2]
    return AttentionWeights(
        query=query,
        key=key,
        value=value,
        output=tensors.matrix("output", width, queries),
        norm=tensors.norm("attention_norm", width) if norms.before and norms.mixer else None,
        query_norm=tensors.norm("query_norm", spec.head_dim) if norms.heads else None,
        key_norm=tensors.norm("key_norm", spec.head_dim) if norms.heads and own else None,
        post_norm=tensors.norm("attention_post_norm", width) if norms.after else None,
        query_bias=query_bias,
        key_bias=key_bias,
        value_bias=value_bias,
        output_bias=tensors.bias("output_bias", width, biases),
        sinks=tensors.bias("sinks", spec.heads, biases),
    )


def prepare(backend: Backend, weights: AttentionWeights, spec: AttentionSpec, number: int) -> MixerOperation:
    return backend.attention(weights, spec, number)


MIXER = Mixer(weights, prepare)
