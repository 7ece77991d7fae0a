"""Gated short convolutions: a few tokens' inputs of each channel, with a gate before and one behind."""

from __future__ import annotations

from mlxr.metal.backend import Backend
from mlxr.metal.operations import MixerOperation
from mlxr.metal.specs import ShortConvSpec
from mlxr.metal.weights import ShortConvWeights
from mlxr.models.architectures.mixers.mixer import Mixer
from mlxr.models.architectures.spec import LayerSpec
from mlxr.models.architectures.tensors import NamedTensors


def weights(layer: LayerSpec, spec: ShortConvSpec, width: int, tensors: NamedTensors) -> ShortConvWeights:
    return ShortConvWeights(
        input=tensors.matrix("conv_input", 3 * spec.width, width),
        output=tensors.matrix("conv_output", width, spec.width),
        convolution=tensors.table("conv", spec.width, spec.taps),
        norm=tensors.norm("attention_norm", width),
        input_bias=tensors.bias("conv_input_bias", 3 * spec.width, layer.biases),
        convolution_bias=tensors.bias("conv_bias", spec.width, layer.biases),
        output_bias=tensors.bias("conv_output_bias", width, layer.biases),
        post_norm=tensors.norm("attention_post_norm", width) if layer.norms.after else None,
    )


def prepare(backend: Backend, weights: ShortConvWeights, spec: ShortConvSpec, number: int) -> MixerOperation:
    return backend.short_conv(weights, spec, number)


MIXER = Mixer(weights, prepare)
