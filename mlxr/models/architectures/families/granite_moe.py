"""Granite 3's mixtures of experts (IBM 2024): Granite's numbers, with experts in place of the perceptron, and in some
models one that every token uses."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families import granite
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes
from mlxr.models.architectures.spec import DecoderSpec, Experts, FeedForward
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = granite.sizes_of(parameters, experts=True)
    return granite.decoder(parameters, sizes, experts(parameters, sizes))


def experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    """Returns the mixture, with the perceptron that every token uses besides."""
    mixture = sizes.experts(parameters, Activation.SILU, normalized=True, hidden=sizes.hidden)
    return replace(mixture, shared_hidden=shared_hidden(parameters))


def half_of(parameters: Hyperparameters, sizes: Sizes) -> FeedForward:
    """Returns the feed-forward of Granite 4: a mixture, or the perceptron that every token uses alone."""
    if parameters.integer("expert_count", 0):
        return experts(parameters, sizes)
    dense, shared = sizes.mlp(Activation.SILU), shared_hidden(parameters)
    return dense if parameters.format is Format.GGUF else replace(dense, hidden=shared or sizes.hidden)


def shared_hidden(parameters: Hyperparameters) -> int:
    """Returns numbers within the perceptron that every token uses besides, 0 for none."""
    key = "expert_shared_feed_forward_length" if parameters.format is Format.GGUF else "shared_intermediate_size"
    size = parameters.integer(key, 0)
    if not 0 <= size <= MAX_HIDDEN:
        raise parameters.error(f"has a shared expert of {size} numbers; mlxr takes at most {MAX_HIDDEN}")
    return size


LAYER = "model.layers.{layer}"
MIXTURE: Names = {
    "router": f"{LAYER}.block_sparse_moe.router.layer.weight",
    "experts_gate_up": f"{LAYER}.block_sparse_moe.input_linear.weight",
    "experts_down": f"{LAYER}.block_sparse_moe.output_linear.weight",
    "shared_gate_up": f"{LAYER}.shared_mlp.input_linear.weight",
    "shared_down": f"{LAYER}.shared_mlp.output_linear.weight",
    "experts_gate": f"{LAYER}.block_sparse_moe.switch_mlp.gate_proj.weight",
    "experts_up": f"{LAYER}.block_sparse_moe.switch_mlp.up_proj.weight",
    "experts_down_together": f"{LAYER}.block_sparse_moe.switch_mlp.down_proj.weight",
}
HUGGING_FACE: Names = {**names.HUGGING_FACE, **MIXTURE}
KINDS = ("granitemoe", "granitemoeshared")
FAMILY = Family(
    "granitemoe",
    read,
    {
        Format.GGUF: FormatTable(
            ("granitemoe",), {**names.GGUF, **names.GGUF_EXPERTS, **names.GGUF_SHARED_EXPERT}, granite.NOTES
        ),
        Format.HUGGING_FACE: FormatTable(KINDS, HUGGING_FACE, config_json.LEFTOVERS),
        Format.MLX: FormatTable(KINDS, HUGGING_FACE, config_json.LEFTOVERS),
    },
    reordered=True,
)
