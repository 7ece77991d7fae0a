"""LFM2 and LFM2.5 (Liquid AI 2025): short convolutions, and attention in some of the layers."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, RopeStyle
from mlxr.models.architectures import config_json, names, short_convolutions
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import attending_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import MAX_HIDDEN, Sizes, scale_of
from mlxr.models.architectures.spec import DecoderSpec, FeedForward, LayerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

KINDS = {"conv": False, "full_attention": True}
"""Of layers in a ``config.json``, and whether they have attention."""

TAPS = 3
"""How many tokens a convolution sees where a folder does not say."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = sizes_of(parameters)
    return decoder(parameters, sizes, [sizes.mlp(Activation.SILU)] * sizes.layers)


def sizes_of(parameters: Hyperparameters, experts: bool = False) -> Sizes:
    sizes = Sizes.read(parameters, experts=experts)
    if parameters.format is Format.GGUF:
        return sizes
    tied = parameters.flag("tie_word_embeddings", parameters.flag("tie_embedding", True))
    return replace(sizes, norm_eps=parameters.epsilon("norm_eps", 1e-5), hidden=_hidden(parameters, sizes), tied=tied)


def decoder(parameters: Hyperparameters, sizes: Sizes, halves: list[FeedForward]) -> DecoderSpec:
    """Returns the spec, of the layers' feed-forward ``halves``."""
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, default_base=1e6)
    attention = sizes.attention(rope, scale_of(parameters, sizes.head_dim))
    convolution = short_convolutions.short_convolution(parameters, sizes, TAPS)
    biases = short_convolutions.biases(parameters)
    return sizes.decoder(
        [
            LayerSpec(attention, half, Norms(heads=True)) if attends else LayerSpec(convolution, half, biases=biases)
            for attends, half in zip(_attends(parameters, sizes.layers), halves, strict=True)
        ]
    )


def _hidden(parameters: Hyperparameters, sizes: Sizes) -> int:
    """Returns numbers within the feed-forward, which a ``config.json`` may tell before they are fitted."""
    hidden = parameters.positive("block_ff_dim", sizes.hidden, MAX_HIDDEN)
    factor = parameters.positive_number("block_ffn_dim_multiplier", 1.0)
    multiple = parameters.positive("block_multiple_of", 256, MAX_HIDDEN)
    usual = parameters.text("model_type", "lfm2") == "lfm2"
    if not parameters.flag("block_auto_adjust_ff_dim", usual):
        return hidden
    hidden = -(-int(factor * int(2 * hidden / 3)) // multiple) * multiple
    if not 1 <= hidden <= MAX_HIDDEN:
        raise parameters.error(f"has a feed-forward of {hidden} numbers by its block_ffn_dim_multiplier")
    return hidden


def _attends(parameters: Hyperparameters, layers: int) -> list[bool]:
    attends = attending_layers(parameters, parameters.texts("layer_types"), layers, KINDS)
    listed = parameters.integers("full_attn_idxs")
    return [listed is None or layer in listed for layer in range(layers)] if attends is None else attends


GGUF_NAMES: Names = {
    **names.GGUF,
    **names.GGUF_HEAD_NORMS,
    "norm": "token_embd_norm.weight",
    **short_convolutions.GGUF_NAMES,
}
HUGGING_FACE: Names = {
    **names.HUGGING_FACE,
    "norm": "model.embedding_norm.weight",
    "attention_norm": "model.layers.{layer}.operator_norm.weight",
    "output": "model.layers.{layer}.self_attn.out_proj.weight",
    "query_norm": "model.layers.{layer}.self_attn.q_layernorm.weight",
    "key_norm": "model.layers.{layer}.self_attn.k_layernorm.weight",
    "feed_forward_norm": "model.layers.{layer}.ffn_norm.weight",
    **names.perceptron("model.layers.{layer}.feed_forward", names.MIXTRAL),
    **short_convolutions.FOLDER_NAMES,
}
NOTES = config_json.LEFTOVERS.extended(
    settings={
        r"block_(dim|norm_eps)|num_heads|conv_dim(_out)?|theta": "what other settings say, by older names",
        r"block_(mlp|out)_init_scale|(block|conv)_use_xavier_init": "of training",
    },
    neutral={"block_use_swiglu": (True,), "use_pos_enc": (True,)},
)
IN_GGUF = FormatTable(("lfm2",), GGUF_NAMES, GGUF)
IN_FOLDERS = FormatTable(("lfm2",), HUGGING_FACE, NOTES)
FAMILY = Family("lfm2", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
