"""Kimi's delta rule. Files keep decays as Mamba-2's are kept."""

from __future__ import annotations

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import KimiDeltaSpec
from mlxr.metal.weights import KimiDeltaWeights
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors


def weights(layer: LayerSpec, spec: KimiDeltaSpec, width: int, tensors: NamedTensors) -> KimiDeltaWeights:
    values, size = spec.values, spec.head_dim
    query, key, value = (tensors.matrix(f"delta_{role}", values, width) for role in ("query", "key", "value"))
    convolutions = [tensors.table(f"delta_{role}_conv", values, spec.taps) for role in ("query", "key", "value")]
    return KimiDeltaWeights(
        query=query,
        key=key,
        value=value,
        alpha_down=tensors.matrix("delta_alpha_down", size, width),
        alpha_up=tensors.matrix("delta_alpha_up", values, size),
        beta=tensors.matrix("delta_beta", spec.heads, width),
        gate_down=tensors.matrix("delta_gate_down", size, width),
        gate_up=tensors.matrix("delta_gate_up", values, size),
        output=tensors.matrix("delta_output", width, values),
        convolutions=(convolutions[0], convolutions[1], convolutions[2]),
        decay=tensors.decay("delta_decay", "delta_log_decay", spec.heads),
        alpha_bias=tensors.vector("delta_alpha_bias", values),
        head_norm=tensors.vector("delta_norm", size),
        norm=tensors.norm("attention_norm", width),
    )


def prepare(backend: Backend, weights: KimiDeltaWeights, spec: KimiDeltaSpec, number: int) -> MixerOperation:
    from mlxr.metal.reference.kimi_delta import kimi_delta  # with MLX, which readers of headers do without

    return backend.plain_recurrence(kimi_delta(backend, weights, spec), number)


MIXER = Mixer(weights, prepare)
