"""Attention and Mamba-2 beside each other: both read the layer's normed input, each times a number of its own."""

from __future__ import annotations

from mlxr.metal.backend import Backend
from mlxr.metal.cache import BESIDE
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import AttentionAndMamba2Spec
from mlxr.metal.weights import AttentionWeights, Mamba2Weights
from mlxr.models.architectures.mixers import attention, mamba2
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors

Both = tuple[AttentionWeights, Mamba2Weights]


def weights(layer: LayerSpec, spec: AttentionAndMamba2Spec, width: int, tensors: NamedTensors) -> Both:
    return (
        attention.weights(layer, spec.attention, width, tensors, spec.attention_input),
        mamba2.weights(layer, spec.mamba2, width, tensors, spec.mamba2_input, spec.convolved),
    )


def prepare(backend: Backend, weights: Both, spec: AttentionAndMamba2Spec, number: int) -> MixerOperation:
    attend = backend.attention(weights[0], spec.attention, number)
    return backend.mamba2(weights[1], spec.mamba2, number + BESIDE, attend)


MIXER = Mixer(weights, prepare)
