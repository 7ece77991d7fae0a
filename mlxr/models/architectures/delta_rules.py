"""Layers of the delta rule, Qwen's gated one and Kimi's: which they are, their sizes, and what formats call their
tensors."""

from __future__ import annotations

from mlxr.metal.specs import GatedDeltaNetSpec, KimiDeltaSpec
from mlxr.models.architectures.layer_kinds import all_but_every, keyed_layers, listed_layers
from mlxr.models.architectures.sizes import MAX_HEAD_DIM, MAX_HEADS, Sizes
from mlxr.models.architectures.state_spaces import MOST_TAPS, taps_of
from mlxr.models.architectures.tensors import Names
from mlxr.models.hyperparameters import Format, Hyperparameters

INTERVAL = 4
"""Every so many-th layer has attention, where a file does not say."""

LAYER_TYPES = {"linear_attention": True, "full_attention": False}
"""Of layers in a ``config.json``, and whether they are such."""

OF_KIMI = "linear_attn_config"
"""Where a ``config.json`` of Kimi's describes them."""


def gated_delta_net(parameters: Hyperparameters, sizes: Sizes, tiled: bool) -> GatedDeltaNetSpec:
    """Returns Qwen's. ``tiled`` as in ``GatedDeltaNetSpec``. Raises ``ModelFileError`` for heads that do not fit."""
    in_gguf = parameters.format is Format.GGUF
    key_heads, value_heads, key_dim, taps = (
        parameters.positive(f"ssm.{gguf}" if in_gguf else f"linear_{folder}", default, most)
        for gguf, folder, default, most in (
            ("group_count", "num_key_heads", 16, MAX_HEADS),
            ("time_step_rank", "num_value_heads", 32, MAX_HEADS),
            ("state_size", "key_head_dim", 128, MAX_HEAD_DIM),
            ("conv_kernel", "conv_kernel_dim", 4, MOST_TAPS),
        )
    )
    if value_heads % key_heads:
        reason = f"has {value_heads} value heads, which {key_heads} key heads can't share evenly"
        raise parameters.error(reason)
    if in_gguf:
        inner = parameters.positive("ssm.inner_size", most=MAX_HEADS * MAX_HEAD_DIM)
        if inner % value_heads:
            raise parameters.error(f"has {value_heads} value heads, which don't divide {inner} numbers")
        value_dim = inner // value_heads
    else:
        value_dim = parameters.positive("linear_value_head_dim", 128, MAX_HEAD_DIM)
    return GatedDeltaNetSpec(key_heads, value_heads, key_dim, value_dim, taps, sizes.norm_eps, tiled)


def gated_delta_layers(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers of Qwen's have the gated delta rule instead of attention."""
    interval = parameters.positive("full_attention_interval", INTERVAL)
    usual = all_but_every(interval, layers)
    if parameters.format is Format.GGUF:
        flags = parameters.flags("attention.recurrent_layers", parameters.positive("block_count"))
        return flags[:layers] if flags else usual
    listed = listed_layers(parameters, parameters.texts("layer_types"), layers, LAYER_TYPES)
    return usual if listed is None else listed


def kimi_delta(parameters: Hyperparameters, sizes: Sizes) -> KimiDeltaSpec:
    """Returns Kimi's."""
    if parameters.format is Format.GGUF:
        heads, size, taps = sizes.heads, parameters.positive("kda.head_dim", most=MAX_HEAD_DIM), "ssm.conv_kernel"
    else:
        heads = parameters.positive("linear_num_heads", parameters.positive(f"{OF_KIMI}.num_heads", 32), MAX_HEADS)
        size = parameters.positive("linear_head_dim", parameters.positive(f"{OF_KIMI}.head_dim", 128), MAX_HEAD_DIM)
        inner = f"{OF_KIMI}.short_conv_kernel_size"
        taps = inner if inner in parameters else "linear_conv_kernel_dim"
    return KimiDeltaSpec(heads, size, taps_of(parameters, taps), sizes.norm_eps)


def kimi_delta_layers(parameters: Hyperparameters, layers: int) -> list[bool]:
    """Returns which layers of Kimi's have the delta rule instead of attention. Folders count them from 1."""
    if parameters.format is Format.GGUF:
        return [not keyed for keyed in keyed_layers(parameters, layers)]
    full = parameters.integers(f"{OF_KIMI}.full_attn_layers")
    if full is not None:
        return [layer + 1 not in full for layer in range(layers)]
    listed = listed_layers(parameters, parameters.texts("layer_types"), layers, LAYER_TYPES)
    return listed or [layer == 0 or layer % INTERVAL != 0 for layer in range(layers)]


GGUF_GATED: Names = {
    "delta_query_key_value": "blk.{layer}.attn_qkv.weight",
    "delta_gate": "blk.{layer}.attn_gate.weight",
    "delta_conv": "blk.{layer}.ssm_conv1d.weight",
    "delta_decay": "blk.{layer}.ssm_a",
    "delta_alpha_bias": "blk.{layer}.ssm_dt.bias",
    "delta_norm": "blk.{layer}.ssm_norm.weight",
    "delta_output": "blk.{layer}.ssm_out.weight",
}
FOLDER_GATED: Names = {
    "delta_conv": "model.layers.{layer}.linear_attn.conv1d.weight",
    "delta_log_decay": "model.layers.{layer}.linear_attn.A_log",
    "delta_alpha_bias": "model.layers.{layer}.linear_attn.dt_bias",
    "delta_norm": "model.layers.{layer}.linear_attn.norm.weight",
    "delta_output": "model.layers.{layer}.linear_attn.out_proj.weight",
}
"""What all of Qwen's have; how projections are joined is a family's own."""

GGUF_KIMI: Names = {
    "delta_query": "blk.{layer}.attn_q.weight",
    "delta_key": "blk.{layer}.attn_k.weight",
    "delta_value": "blk.{layer}.attn_v.weight",
    "delta_output": "blk.{layer}.attn_output.weight",
    "delta_query_conv": "blk.{layer}.ssm_conv1d_q.weight",
    "delta_key_conv": "blk.{layer}.ssm_conv1d_k.weight",
    "delta_value_conv": "blk.{layer}.ssm_conv1d_v.weight",
    "delta_alpha_down": "blk.{layer}.ssm_f_a.weight",
    "delta_alpha_up": "blk.{layer}.ssm_f_b.weight",
    "delta_alpha_bias": "blk.{layer}.ssm_dt.bias",
    "delta_beta": "blk.{layer}.ssm_beta.weight",
    "delta_gate_down": "blk.{layer}.ssm_g_a.weight",
    "delta_gate_up": "blk.{layer}.ssm_g_b.weight",
    "delta_decay": "blk.{layer}.ssm_a",
    "delta_norm": "blk.{layer}.ssm_norm.weight",
}


def folder_kimi(place: str, convolutions: str) -> Names:
    """Returns where folders have Kimi's in the module ``place``; ``convolutions``: what they call one, of ``{}``."""
    return {
        "delta_query": f"{place}.q_proj.weight",
        "delta_key": f"{place}.k_proj.weight",
        "delta_value": f"{place}.v_proj.weight",
        "delta_output": f"{place}.o_proj.weight",
        "delta_query_conv": f"{place}.{convolutions.format('q')}.weight",
        "delta_key_conv": f"{place}.{convolutions.format('k')}.weight",
        "delta_value_conv": f"{place}.{convolutions.format('v')}.weight",
        "delta_alpha_down": f"{place}.f_a_proj.weight",
        "delta_alpha_up": f"{place}.f_b_proj.weight",
        "delta_alpha_bias": f"{place}.dt_bias",
        "delta_beta": f"{place}.b_proj.weight",
        "delta_gate_down": f"{place}.g_a_proj.weight",
        "delta_gate_up": f"{place}.g_b_proj.weight",
        "delta_log_decay": f"{place}.A_log",
        "delta_norm": f"{place}.o_norm.weight",
    }
