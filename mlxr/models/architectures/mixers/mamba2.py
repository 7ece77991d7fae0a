"""Mamba-2: a state for each head, which decays from token to token.

Files keep decays as they are (GGUF, the role ``ssm_decay``) or as logarithms of what is negated (``ssm_log_decay``).
"""

from __future__ import annotations

from mlxr.metal.backend import Backend, MixerOperation
from mlxr.metal.specs import Mamba2Spec
from mlxr.metal.weights import Mamba2Weights
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors


def weights(layer: LayerSpec, spec: Mamba2Spec, width: int, tensors: NamedTensors) -> Mamba2Weights:
    rows, biases = spec.inner + spec.channels + spec.heads, layer.biases
    return Mamba2Weights(
        input=tensors.matrix("ssm_input", rows, width),
        output=tensors.matrix("ssm_output", width, spec.inner),
        convolution=tensors.table("ssm_conv", spec.channels, spec.taps),
        decay=tensors.decay("ssm_decay", "ssm_log_decay", spec.heads),
        skip=tensors.table("ssm_skip", spec.heads),
        step_bias=tensors.vector("ssm_step_bias", spec.heads),
        norm=tensors.norm("attention_norm", width),
        gate_norm=tensors.table("ssm_norm", spec.groups, spec.inner // spec.groups),
        input_bias=tensors.bias("ssm_input_bias", rows, biases),
        convolution_bias=tensors.bias("ssm_conv_bias", spec.channels, biases),
        output_bias=tensors.bias("ssm_output_bias", width, biases),
    )


def prepare(backend: Backend, weights: Mamba2Weights, spec: Mamba2Spec, number: int) -> MixerOperation:
    return backend.mamba2(weights, spec, number)


MIXER = Mixer(weights, prepare)
