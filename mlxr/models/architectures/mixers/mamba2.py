"""Mamba-2: a state for each head, which decays from token to token.

Files keep decays as they are (GGUF, the role ``ssm_decay``) or as logarithms of what is negated (``ssm_log_decay``).
"""

from __future__ import annotations

import numpy as np

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import Mamba2Spec
from mlxr.metal.weights import Mamba2Weights
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors


def weights(
    layer: LayerSpec,
    spec: Mamba2Spec,
    width: int,
    tensors: NamedTensors,
    input_scale: float = 1.0,
    convolved: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Mamba2Weights:
    """``input_scale``: what the normed rows are multiplied by; ``convolved``: x, B and C before the convolution."""
    shared, taps = spec.groups * spec.state_size, spec.taps
    factors = np.repeat(convolved, [spec.inner * taps, shared * taps, shared * taps]).astype(np.float32)
    scaled = None if set(convolved) == {1.0} else factors
    rows, biases = spec.inner + spec.channels + spec.heads, layer.biases
    return Mamba2Weights(
        input=tensors.matrix("ssm_input", rows, width),
        output=tensors.matrix("ssm_output", width, spec.inner),
        convolution=tensors.table("ssm_conv", spec.channels, taps, factors=scaled),
        decay=tensors.decay("ssm_decay", "ssm_log_decay", spec.heads),
        skip=tensors.table("ssm_skip", spec.heads),
        step_bias=tensors.vector("ssm_step_bias", spec.heads),
        norm=tensors.norm("attention_norm", width, input_scale),
        gate_norm=tensors.table("ssm_norm", spec.groups, spec.inner // spec.groups) if spec.normed else None,
        input_bias=tensors.bias("ssm_input_bias", rows, biases),
        convolution_bias=tensors.bias("ssm_conv_bias", spec.channels, biases),
        output_bias=tensors.bias("ssm_output_bias", width, biases),
    )


def prepare(backend: Backend, weights: Mamba2Weights, spec: Mamba2Spec, number: int) -> MixerOperation:
    return backend.mamba2(weights, spec, number)


MIXER = Mixer(weights, prepare)
