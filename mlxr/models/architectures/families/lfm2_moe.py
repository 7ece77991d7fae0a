"""LFM2's mixtures of experts (Liquid AI 2025): LFM2's layers, the first of them dense."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import names
from mlxr.models.architectures.families import lfm2
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.routing import require_sigmoid
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = lfm2.sizes_of(parameters, experts=True)
    require_sigmoid(parameters)
    dense, experts = sizes.mlp(Activation.SILU), sizes.experts(parameters, Activation.SILU, normalized=True)
    scale = parameters.positive_number("expert_weights_scale", 1.0)
    biased = parameters.flag("use_expert_bias", True)
    experts = replace(experts, spec=replace(experts.spec, sigmoid=True, scale=scale), choice_bias=biased)
    first = parameters.integer("leading_dense_block_count", parameters.integer("num_dense_layers", 2))
    return lfm2.decoder(parameters, sizes, [dense if layer < first else experts for layer in range(sizes.layers)])


IN_GGUF = FormatTable(
    ("lfm2moe",),
    {**lfm2.GGUF_NAMES, **names.GGUF_EXPERTS, "choice_bias": "blk.{layer}.exp_probs_b.bias"},
    GGUF,
)
HUGGING_FACE = {
    **lfm2.HUGGING_FACE,
    "router": "model.layers.{layer}.feed_forward.gate.weight",
    "choice_bias": "model.layers.{layer}.feed_forward.expert_bias",
    **names.each_expert("model.layers.{layer}.feed_forward.experts", names.MIXTRAL),
}
IN_MLX = {
    **lfm2.HUGGING_FACE,
    **names.perceptron("model.layers.{layer}.feed_forward"),
    "router": "model.layers.{layer}.feed_forward.gate.weight",
    "choice_bias": "model.layers.{layer}.feed_forward.expert_bias",
    **names.experts("model.layers.{layer}.feed_forward.switch_mlp"),
}
"""As mlx-lm writes it."""

FAMILY = Family(
    "lfm2moe",
    read,
    {
        Format.GGUF: IN_GGUF,
        Format.HUGGING_FACE: FormatTable(("lfm2_moe",), HUGGING_FACE, lfm2.NOTES),
        Format.MLX: FormatTable(("lfm2_moe",), IN_MLX, lfm2.NOTES),
    },
)
