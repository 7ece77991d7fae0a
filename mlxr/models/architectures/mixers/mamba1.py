"""Mamba: a state for each channel, every number of which decays by itself.

Files keep decays as they are (GGUF, the role ``ssm_decay``) or as logarithms of what is negated (``ssm_log_decay``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import Mamba1Spec
from mlxr.metal.weights import Mamba1Weights
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors

if TYPE_CHECKING:
    import mlx.core as mx


def weights(layer: LayerSpec, spec: Mamba1Spec, width: int, tensors: NamedTensors) -> Mamba1Weights:
    made, biases = spec.step_rank + 2 * spec.state_size, layer.biases

    def inner_norm(role: str, size: int) -> mx.array | None:
        return tensors.norm(role, size) if spec.inner_eps is not None else None

    return Mamba1Weights(
        input=tensors.matrix("ssm_input", 2 * spec.inner, width),
        output=tensors.matrix("ssm_output", width, spec.inner),
        convolution=tensors.table("ssm_conv", spec.inner, spec.taps),
        parameters=tensors.matrix("ssm_parameters", made, spec.inner),
        step=tensors.matrix("ssm_step", spec.inner, spec.step_rank),
        step_bias=tensors.vector("ssm_step_bias", spec.inner),
        decay=tensors.decay("ssm_decay", "ssm_log_decay", spec.inner, spec.state_size),
        skip=tensors.table("ssm_skip", spec.inner),
        norm=tensors.norm("attention_norm", width),
        convolution_bias=tensors.bias("ssm_conv_bias", spec.inner, biases),
        input_bias=tensors.bias("ssm_input_bias", 2 * spec.inner, biases),
        output_bias=tensors.bias("ssm_output_bias", width, biases),
        step_norm=inner_norm("ssm_step_norm", spec.step_rank),
        write_norm=inner_norm("ssm_write_norm", spec.state_size),
        read_norm=inner_norm("ssm_read_norm", spec.state_size),
    )


def prepare(backend: Backend, weights: Mamba1Weights, spec: Mamba1Spec, number: int) -> MixerOperation:
    from mlxr.metal.reference.mamba1 import mamba1  # with MLX, which readers of headers do without

    return backend.plain_recurrence(mamba1(backend, weights, spec), number)


MIXER = Mixer(weights, prepare)
