"""Liquid AI's short convolutions: their size, their biases, and what formats call their tensors."""

from __future__ import annotations

from mlxr.metal.specs import ShortConvSpec
from mlxr.models.architectures.sizes import Sizes
from mlxr.models.architectures.state_spaces import taps_of
from mlxr.models.architectures.tensors import Names
from mlxr.models.hyperparameters import Hyperparameters

GGUF_NAMES: Names = {
    "conv": "blk.{layer}.shortconv.conv.weight",
    "conv_input": "blk.{layer}.shortconv.in_proj.weight",
    "conv_output": "blk.{layer}.shortconv.out_proj.weight",
}
FOLDER_NAMES: Names = {
    "conv": "model.layers.{layer}.conv.conv.weight",
    "conv_bias": "model.layers.{layer}.conv.conv.bias",
    "conv_input": "model.layers.{layer}.conv.in_proj.weight",
    "conv_input_bias": "model.layers.{layer}.conv.in_proj.bias",
    "conv_output": "model.layers.{layer}.conv.out_proj.weight",
    "conv_output_bias": "model.layers.{layer}.conv.out_proj.bias",
}


def short_convolution(parameters: Hyperparameters, sizes: Sizes, usual: int) -> ShortConvSpec:
    """Returns what a file describes. ``usual``: how many tokens it sees where a folder does not say."""
    return ShortConvSpec(sizes.width, taps_of(parameters, "shortconv.l_cache", usual), sizes.norm_eps)


def biases(parameters: Hyperparameters) -> frozenset[str]:
    """Returns the roles of the biases that a layer has."""
    has = parameters.flag("conv_bias", False)
    return frozenset({"conv_input_bias", "conv_bias", "conv_output_bias"} if has else ())
