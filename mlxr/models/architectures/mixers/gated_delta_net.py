"""The gated delta rule (Qwen3-Next, Qwen3.5).

Files keep queries, keys, values and the gate in one tensor, key head by key head (the role ``delta_heads``), or in two
(``delta_query_key_value`` and ``delta_gate``); alpha and beta likewise (``delta_beta_alpha``, or ``delta_beta`` and
``delta_alpha``); decays as they are or as logarithms of what is negated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import GatedDeltaNetSpec
from mlxr.metal.weights import GatedDeltaNetWeights, Weight
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors
from mlxr.models.architectures.weights import Rows


def weights(layer: LayerSpec, spec: GatedDeltaNetSpec, width: int, tensors: NamedTensors) -> GatedDeltaNetWeights:
    query_key_value, gate = _inputs(spec, width, tensors)
    beta, alpha = _beta_alpha(spec, width, tensors)
    return GatedDeltaNetWeights(
        query_key_value=query_key_value,
        gate=gate,
        alpha=alpha,
        beta=beta,
        output=tensors.matrix("delta_output", width, spec.values),
        convolution=tensors.table("delta_conv", spec.channels, spec.taps),
        decay=tensors.decay("delta_decay", "delta_log_decay", spec.value_heads),
        alpha_bias=tensors.vector("delta_alpha_bias", spec.value_heads),
        head_norm=tensors.vector("delta_norm", spec.value_dim),
        norm=tensors.norm("attention_norm", width),
    )


def prepare(backend: Backend, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, number: int) -> MixerOperation:
    return backend.gated_delta_net(weights, spec, number)


def _inputs(spec: GatedDeltaNetSpec, width: int, tensors: NamedTensors) -> list[Weight]:
    if "delta_heads" in tensors:
        values = spec.values // spec.key_heads
        query, key, value, gate = _by_key_head(spec, (spec.key_dim, spec.key_dim, values, values))
        return tensors.sorted_rows("delta_heads", [np.concatenate([query, key, value]), gate], width)
    return [
        tensors.matrix("delta_query_key_value", spec.channels, width),
        tensors.matrix("delta_gate", spec.values, width),
    ]


def _beta_alpha(spec: GatedDeltaNetSpec, width: int, tensors: NamedTensors) -> list[Weight]:
    if "delta_beta_alpha" in tensors:
        heads = spec.value_heads // spec.key_heads
        return tensors.sorted_rows("delta_beta_alpha", _by_key_head(spec, (heads, heads)), width)
    return [tensors.matrix(role, spec.value_heads, width) for role in ("delta_beta", "delta_alpha")]


def _by_key_head(spec: GatedDeltaNetSpec, sizes: Sequence[int]) -> list[Rows]:
    """Rows of parts of a matrix that has, for each key head, so many rows of each part."""
    rows = np.arange(spec.key_heads * sum(sizes)).reshape(spec.key_heads, -1)
    ends = np.cumsum(sizes)
    return [rows[:, end - size : end].reshape(-1) for size, end in zip(sizes, ends, strict=True)]


MIXER = Mixer(weights, prepare)
