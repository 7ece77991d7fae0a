"""Qwen3-Next (Qwen Team 2025): three layers of the gated delta rule for each one of gated attention, experts with one
that every token uses. GGUF's norm weights have the ``1 +`` in them, as mlx-lm's have; the heads' own norm has none."""

from __future__ import annotations

from dataclasses import replace

from mlxr.metal.specs import Activation, Gate, GatedDeltaNetSpec, RopeStyle
from mlxr.models.architectures import config_json, names
from mlxr.models.architectures.families.family import Family
from mlxr.models.architectures.layer_kinds import expert_layers, listed_layers
from mlxr.models.architectures.leftovers import GGUF
from mlxr.models.architectures.rope import model_rope
from mlxr.models.architectures.sizes import (
    MAX_HEAD_DIM,
    MAX_HEADS,
    MAX_HIDDEN,
    Sizes,
    partial_rope,
    require_activation,
    scale_of,
)
from mlxr.models.architectures.spec import DecoderSpec, Experts, FeedForward, LayerSpec, MixerSpec, Norms
from mlxr.models.architectures.tensors import FormatTable
from mlxr.models.architectures.weights import Weights
from mlxr.models.errors import ModelFileError
from mlxr.models.hyperparameters import Format, Hyperparameters

INTERVAL = 4
"""Every so many-th layer has attention, where a file does not say."""

ROTARY = 0.25
"""The share of a head that the rope turns, where a folder does not say."""

MAX_TAPS = 64
LAYER_TYPES = {"linear_attention": True, "full_attention": False}


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
    delta = delta_net(parameters, sizes, tiled)
    recurrent = recurrent_layers(parameters, sizes.layers)
    return sizes.decoder(
        [
            LayerSpec(delta, half) if recurs else LayerSpec(attention, half, Norms(heads=True))
            for recurs, half in zip(recurrent, halves, strict=True)
        ]
    )


def delta_net(parameters: Hyperparameters, sizes: Sizes, tiled: bool) -> GatedDeltaNetSpec:
    in_gguf = parameters.format is Format.GGUF
    key_heads, value_heads, key_dim, taps = (
        parameters.positive(f"ssm.{gguf}" if in_gguf else f"linear_{folder}", default, most)
        for gguf, folder, default, most in (
            ("group_count", "num_key_heads", 16, MAX_HEADS),
            ("time_step_rank", "num_value_heads", 32, MAX_HEADS),
            ("state_size", "key_head_dim", 128, MAX_HEAD_DIM),
            ("conv_kernel", "conv_kernel_dim", 4, MAX_TAPS),
        )
    )
    if value_heads % key_heads:
        reason = f"has {value_heads} value heads, which {key_heads} key heads can't share evenly"
        raise ModelFileError(parameters.path, reason)
    if in_gguf:
        inner = parameters.positive("ssm.inner_size", most=MAX_HEADS * MAX_HEAD_DIM)
        if inner % value_heads:
            raise ModelFileError(parameters.path, f"has {value_heads} value heads, which don't divide {inner} numbers")
        value_dim = inner // value_heads
    else:
        value_dim = parameters.positive("linear_value_head_dim", 128, MAX_HEAD_DIM)
    return GatedDeltaNetSpec(key_heads, value_heads, key_dim, value_dim, taps, sizes.norm_eps, tiled)


def recurrent_layers(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers have the gated delta rule instead of attention."""
    interval = parameters.positive("full_attention_interval", INTERVAL)
    usual = [(layer + 1) % interval != 0 for layer in range(layers)]
    if parameters.format is Format.GGUF:
        flags = parameters.flags("attention.recurrent_layers", parameters.positive("block_count"))
        return flags[:layers] if flags else usual
    listed = listed_layers(parameters, parameters.texts("layer_types"), layers, LAYER_TYPES)
    return usual if listed is None else listed


def shared_experts(parameters: Hyperparameters, sizes: Sizes) -> Experts:
    experts = sizes.experts(parameters, Activation.SILU, normalized=True)
    shared = parameters.positive("expert_shared_feed_forward_length", sizes.hidden, MAX_HIDDEN)
    return replace(experts, shared_hidden=shared)


GGUF_NAMES = {
    **names.GGUF,
    **names.GGUF_HEAD_NORMS,
    "feed_forward_norm": "blk.{layer}.post_attention_norm.weight",
    "delta_query_key_value": "blk.{layer}.attn_qkv.weight",
    "delta_gate": "blk.{layer}.attn_gate.weight",
    "delta_conv": "blk.{layer}.ssm_conv1d.weight",
    "delta_decay": "blk.{layer}.ssm_a",
    "delta_alpha_bias": "blk.{layer}.ssm_dt.bias",
    "delta_norm": "blk.{layer}.ssm_norm.weight",
    "delta_output": "blk.{layer}.ssm_out.weight",
}
GGUF_EXPERT_NAMES = {
    **names.GGUF_EXPERTS,
    **names.GGUF_GATED_EXPERT,
    "experts_gate_up": "blk.{layer}.ffn_gate_up_exps.weight",
}
FOLDER_NAMES = {
    **names.HUGGING_FACE,
    **names.HUGGING_FACE_HEAD_NORMS,
    "delta_conv": "model.layers.{layer}.linear_attn.conv1d.weight",
    "delta_log_decay": "model.layers.{layer}.linear_attn.A_log",
    "delta_alpha_bias": "model.layers.{layer}.linear_attn.dt_bias",
    "delta_norm": "model.layers.{layer}.linear_attn.norm.weight",
    "delta_output": "model.layers.{layer}.linear_attn.out_proj.weight",
}
IN_ONE = {
    "delta_heads": "model.layers.{layer}.linear_attn.in_proj_qkvz.weight",
    "delta_beta_alpha": "model.layers.{layer}.linear_attn.in_proj_ba.weight",
}
GGUF_LEFTOVERS = GGUF.extended(settings={r"rope\.dimension_sections": "of places in images; in text they are all one"})
FOLDER_LEFTOVERS = config_json.LEFTOVERS.extended(
    tensors={
        r"(model\.)?mtp\..*": "they draft tokens that the model then checks",
        r"(model\.)?(visual|vision_tower)\..*": "they look at images, of which this model gets none",
    },
    settings={
        r"mtp_.*": "of the layers that draft tokens",
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
IN_MLX = FormatTable(
    ("qwen3_next",),
    {**FOLDER_NAMES, **names.HUGGING_FACE_EXPERTS, **names.MLX_EXPERTS, **names.HUGGING_FACE_GATED_EXPERT, **IN_ONE},
    FOLDER_LEFTOVERS,
)
FAMILY = Family("qwen3next", read, {Format.GGUF: IN_GGUF, Format.HUGGING_FACE: IN_FOLDERS, Format.MLX: IN_MLX})
