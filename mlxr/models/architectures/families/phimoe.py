"""Phi-3.5-MoE (Microsoft 2024): layer norms, biases in attention and at the head, and SparseMixer's choice of experts.

GGUF files say less than folders: LongRoPE's factor for sines and cosines is its paper's there.
"""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, NormKind, Rope, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import windows
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import long_rope_factors, model_rope
from mlxr.models.architectures.rope_config import rope_kind
from mlxr.models.architectures.sizes import Sizes, require_activation, scale_of
from mlxr.models.architectures.spec import QKV_BIASES, DecoderSpec, LayerSpec
from mlxr.models.architectures.tensors import FormatTable, Names
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import UnsupportedModelError
from mlxr.models.hyperparameters import Format, Hyperparameters

JITTER = 0.01
"""By how much scores may differ, in proportion, so that experts share a token."""

NORM_BIASES = frozenset({"attention_norm_bias", "feed_forward_norm_bias"})


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = replace(Sizes.read(parameters, experts=True), norm=NormKind.LAYER)
    require_activation(parameters, "silu")
    rope, scale = _rope(parameters, weights, sizes), scale_of(parameters, sizes.head_dim)
    experts = sizes.experts(parameters, Activation.SILU, normalized=False, hidden=sizes.hidden)
    if experts.spec.used != 2:
        reason = f"uses {experts.spec.used} experts for a token; SparseMixer chooses 2"
        raise UnsupportedModelError(parameters.path, reason)
    jitter = parameters.positive_number("router_jitter_noise", JITTER)
    experts = replace(experts, spec=replace(experts.spec, jitter=jitter))
    biased = parameters.flag("attention_bias", False)
    biases = NORM_BIASES | (QKV_BIASES | {"output_bias"} if biased else frozenset())
    back = (window if window < sizes.context_length else 0 for window in windows(parameters, sizes))
    return sizes.decoder([LayerSpec(sizes.attention(rope, scale, window), experts, biases=biases) for window in back])


def _rope(parameters: Hyperparameters, weights: Weights, sizes: Sizes) -> Rope:
    if parameters.format is Format.GGUF:
        factors = long_rope_factors(parameters, weights, sizes.rope_dims, sizes.context_length)
        return model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, factors)
    rope = model_rope(parameters, sizes.rope_dims, RopeStyle.NEOX, default_base=1_000_000.0)
    if rope_kind(parameters) == "default":
        return rope
    at = "rope_parameters" if "rope_parameters.short_mscale" in parameters else "rope_scaling"
    mscales = [parameters.positive_number(f"{at}.{which}_mscale", rope.magnitude) for which in ("short", "long")]
    original = parameters.positive(f"{at}.original_max_position_embeddings", sizes.context_length)
    return replace(rope, magnitude=mscales[sizes.context_length > original])


IN_GGUF = FormatTable(
    ("phimoe",),
    {
        **names.GGUF,
        **names.GGUF_NORM_BIASES,
        **names.GGUF_ATTENTION_BIASES,
        **names.GGUF_EXPERTS,
        "output_bias": "blk.{layer}.attn_output.bias",
        "head_bias": "output.bias",
    },
    GGUF.extended(tensors={r"rope_factors_(short|long)\.weight": "those of another context than the model's"}),
)
LAYER = "model.layers.{layer}.block_sparse_moe"
IN_FOLDERS_NAMES: Names = {
    **names.HUGGING_FACE,
    **names.HUGGING_FACE_NORM_BIASES,
    **names.HUGGING_FACE_ATTENTION_BIASES,
    "output_bias": "model.layers.{layer}.self_attn.o_proj.bias",
    "head_bias": "lm_head.bias",
    "router": f"{LAYER}.gate.weight",
    **names.each_expert(f"{LAYER}.experts", names.MIXTRAL),
    **names.experts_together(f"{LAYER}.switch_mlp"),
}
IN_FOLDERS = FormatTable(
    ("phimoe",),
    IN_FOLDERS_NAMES,
    config_json.LEFTOVERS.extended(
        settings={
            r"input_jitter_noise|router_aux_loss_coef": "of training",
            r"rope_(scaling|parameters)\.(short|long)_mscale": "read where the rope is scaled",
            r"lm_head_bias": "the tensors tell",
        }
    ),
)
FAMILY = Family("phimoe", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_FOLDERS})
