"""Qwen3-Next (Qwen Team 2025): three layers of the gated delta rule for each one of gated attention, experts with one
that every token uses. GGUF's norm weights have the ``1 +`` in them, as mlx-lm's have; the heads' own norm has none."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, Gate, RopeStyle
from mlxr.models.architectures import config_json, delta_rules, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import expert_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.routing import with_shared
from mlxr.models.architectures.sizes import Sizes, partial_rope, require_activation, scale_of
from mlxr.models.architectures.spec import DecoderSpec, Experts, FeedForward, LayerSpec, MixerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.hyperparameters import Format, Hyperparameters

ROTARY = 0.25
"""The share of a head that the rope turns, where a folder does not say."""


def read(parameters: Hyperparameters, weights: Weights) -> DecoderSpec:
    sizes = Sizes.read(parameters, head_dim=256, experts=True)
    require_activation(parameters, "silu")
    experts, mlp = shared_experts(parameters, sizes), sizes.mlp(Activation.SILU)
    halves: list[FeedForward] = [experts if has else mlp for has in expert_layers(parameters, sizes.layers)]
    return hybrid(parameters, sizes, halves, tiled=False)


def hybrid(parameters: Hyperparameters, sizes: Sizes, halves: list[FeedForward], tiled: bool) -> DecoderSpec:
    """Returns a model of such layers with these feed-forwards. ``tiled`` as in ``GatedDeltaNetSpec``."""
    rope = model_rope(parameters, partial_rope(parameters, sizes, ROTARY), RopeStyle.NEOX)
    attention: MixerSpec = replace(sizes.attention(rope, scale_of(parameters, sizes.head_dim)), gate=Gate.SIGMOID)
    delta = delta_rules.gated_delta_net(parameters, sizes, tiled)
    recurrent = delta_rules.gated_delta_layers(parameters, sizes.layers)
    return sizes.decoder(
        [
            LayerSpec(delta, half) if recurs else LayerSpec(attention, half, Norms(heads=True))
            for recurs, half in zip(recurrent, halves, strict=True)
        ]
    )


def shared_experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    return with_shared(parameters, sizes.experts(parameters, Activation.SILU, normalized=True), sizes.hidden)


GGUF_NAMES = {
    **names.GGUF,
    **names.GGUF_HEAD_NORMS,
    "feed_forward_norm": "blk.{layer}.post_attention_norm.weight",
    **delta_rules.GGUF_GATED,
}
GGUF_EXPERT_NAMES = {**names.GGUF_EXPERTS, **names.GGUF_GATED_EXPERT}
FOLDER_NAMES = {
    **names.HUGGING_FACE,
    **names.HUGGING_FACE_HEAD_NORMS,
    **delta_rules.FOLDER_GATED,
}
IN_ONE = {
    "delta_heads": "model.layers.{layer}.linear_attn.in_proj_qkvz.weight",
    "delta_beta_alpha": "model.layers.{layer}.linear_attn.in_proj_ba.weight",
}
GGUF_LEFTOVERS = GGUF.extended(settings={r"rope\.dimension_sections": "of places in images; in text they are all one"})
FOLDER_LEFTOVERS = config_json.DRAFTING_LEFTOVERS.extended(
    tensors={
        r"(model\.)?(visual|vision_tower)\..*": "they look at images, of which this model gets none",
    },
    settings={
        r"rope_(parameters|scaling)\.mrope_.*": "of places in images; in text they are all one",
        r"mamba_ssm_dtype": "states are float32 here",
        r"language_model_only|.*_token_index": "of what looks at images",
    },
    neutral={"attn_output_gate": (True,)},
)
IN_GGUF = FormatTable(
    ("qwen3next",),
    {
        **GGUF_NAMES,
        **GGUF_EXPERT_NAMES,
        "delta_heads": "blk.{layer}.ssm_in.weight",
        "delta_beta_alpha": "blk.{layer}.ssm_ba.weight",
    },
    GGUF_LEFTOVERS,
    drafting=names.GGUF_DRAFTING,
)
IN_FOLDERS = FormatTable(
    ("qwen3_next",),
    {**FOLDER_NAMES, **names.HUGGING_FACE_EXPERTS, **names.HUGGING_FACE_GATED_EXPERT, **IN_ONE},
    FOLDER_LEFTOVERS,
    norm_offset=1.0,
    drafting=names.QWEN_DRAFTING,
    drafting_place=names.QWEN_DRAFTING_PLACE,
)
IN_MLX = FormatTable(("qwen3_next",), {**IN_FOLDERS.names, **names.MLX_EXPERTS}, FOLDER_LEFTOVERS)
FAMILY = Family("qwen3next", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_MLX})
