"""Multi-head latent attention: one vector for each token, of which keys and values of all heads are made."""

from __future__ import annotations

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import LatentSpec
from mlxr.metal.weights import LatentWeights, Weight
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors


def weights(layer: LayerSpec, spec: LatentSpec, width: int, tensors: NamedTensors) -> LatentWeights:
    norm = tensors.norm("attention_norm", width) if layer.norms.before else None
    queries = spec.heads * (spec.plain_dims + spec.rope_dims)
    query_down, query_norm, inputs = None, None, width
    if spec.query_rank:
        inputs = spec.query_rank
        query_down = tensors.matrix("query_down", inputs, width)
        query_norm = tensors.norm("query_down_norm", inputs)
    query = tensors.matrix("query_up" if spec.query_rank else "query", queries, inputs)
    key_up, value_up = _ups(spec, tensors)
    return LatentWeights(
        query=query,
        latent=tensors.matrix("latent", spec.kept, width),
        key_up=key_up,
        value_up=value_up,
        output=tensors.matrix("output", width, spec.heads * spec.value_dims),
        latent_norm=tensors.norm("latent_norm", spec.rank),
        norm=norm,
        query_down=query_down,
        query_norm=query_norm,
    )


def _ups(spec: LatentSpec, tensors: NamedTensors) -> tuple[Weight, Weight]:
    """Returns what takes queries to latents, and latents to values: from two tensors, or from one in which each head
    has what makes its key and then what makes its value."""
    if "key_up" not in tensors:
        return tensors.key_value_up("key_value_up", spec.heads, (spec.plain_dims, spec.value_dims), spec.rank)
    key_up = tensors.experts("key_up", spec.heads, spec.rank, spec.plain_dims)
    return key_up, tensors.experts("value_up", spec.heads, spec.value_dims, spec.rank)


def prepare(backend: Backend, weights: LatentWeights, spec: LatentSpec, number: int) -> MixerOperation:
    return backend.latent_attention(weights, spec, number)


MIXER = Mixer(weights, prepare)
