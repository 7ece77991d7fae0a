"""Settings of ``config.json`` that follow from a GGUF file, of models some of whose layers keep states."""

from __future__ import annotations

import math

from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec, ShortConvSpec
from mlxr.models.architectures.spec import Experts, LayerSpec
from mlxr.models.conversion.gguf_config_attention import rotary_share
from mlxr.models.conversion.gguf_source import Config, Source


def delta(source: Source) -> Config:
    """Layers of the gated delta rule."""
    spec = source.mixer(GatedDeltaNetSpec)
    recurs = [isinstance(one.mixer, GatedDeltaNetSpec) for one in source.spec.layers]
    return {
        "linear_num_value_heads": spec.value_heads,
        "linear_num_key_heads": spec.key_heads,
        "linear_key_head_dim": spec.key_dim,
        "linear_value_head_dim": spec.value_dim,
        "linear_conv_kernel_dim": spec.taps,
        "full_attention_interval": source.get("full_attention_interval") or 4,
        "layer_types": ["linear_attention" if one else "full_attention" for one in recurs],
        "attention_bias": False,
    }


def qwen3_5(source: Source) -> Config:
    share = rotary_share(source)
    base = source.get("rope.freq_base") or 10000.0
    rope = {"type": "default", "rope_type": "default", "rope_theta": base, **share}
    if sections := source.get("rope.dimension_sections"):
        rope |= {"mrope_section": sections[:3], "mrope_interleaved": True}
    return {"rope_parameters": rope, **delta(source), **share}


def short_convolutions(source: Source) -> Config:
    kinds = ["conv" if isinstance(one.mixer, ShortConvSpec) else "full_attention" for one in source.spec.layers]
    hidden = source.get("feed_forward_length")
    return {
        "norm_eps": source.get("attention.layer_norm_rms_epsilon"),
        "conv_L_cache": source.get("shortconv.l_cache"),
        "conv_bias": False,
        "block_dim": source.get("embedding_length"),
        "block_ff_dim": hidden,
        "block_multiple_of": 256,
        "block_ffn_dim_multiplier": 1.0,
        "block_auto_adjust_ff_dim": False,
        "layer_types": kinds,
        "num_key_value_heads": source.attention[0].kv_heads,
    }


def lfm2_moe(source: Source) -> Config:
    made = short_convolutions(source)
    return {
        **{key: value for key, value in made.items() if not key.startswith("block_")},
        "num_dense_layers": source.get("leading_dense_block_count"),
        "use_expert_bias": source.has_any("choice_bias"),
        "norm_topk_prob": True,
        "routed_scaling_factor": source.get("expert_weights_scale") or 1.0,
    }


def granite_hybrid(source: Source) -> Config:
    spec = source.mixer(Mamba2Spec)
    kinds = ["mamba" if isinstance(one.mixer, Mamba2Spec) else "attention" for one in source.spec.layers]
    shared = source.get("expert_shared_feed_forward_length") or source.get("feed_forward_length")
    return {
        "layer_types": kinds,
        "num_key_value_heads": source.attention[0].kv_heads if source.attention else source.get("attention.head_count"),
        "num_local_experts": source.get("expert_count") or 0,
        "num_experts_per_tok": source.get("expert_used_count") or 0,
        "shared_intermediate_size": shared,
        "mamba_n_heads": spec.heads,
        "mamba_d_head": spec.head_dim,
        "mamba_expand": spec.heads * spec.head_dim // source.spec.width,
        "mamba_d_state": spec.state_size,
        "mamba_d_conv": spec.taps,
        "mamba_n_groups": spec.groups,
        "time_step_limit": [0.0, math.inf],
        "mamba_conv_bias": source.has_any("ssm_conv_bias"),
        "mamba_proj_bias": False,
        "position_embedding_type": "rope" if any(one.rope for one in source.attention) else "nope",
        "attention_bias": False,
        "max_position_embeddings": source.get("context_length"),
    }


def _letter(layer: LayerSpec) -> str:
    if layer.mixer is not None:
        return "M" if isinstance(layer.mixer, Mamba2Spec) else "*"
    return "E" if isinstance(layer.feed_forward, Experts) else "-"


def nemotron_h(source: Source) -> Config:
    spec, found = source.mixer(Mamba2Spec), source.experts
    pattern = "".join(_letter(layer) for layer in source.spec.layers)
    hidden = [one.feed_forward.hidden for one in source.spec.layers if one.feed_forward is not None]
    made: Config = {
        "hybrid_override_pattern": pattern,
        "intermediate_size": hidden[0] if hidden else source.spec.width,
        "num_key_value_heads": source.attention[0].kv_heads if source.attention else source.get("attention.head_count"),
        "layer_norm_epsilon": source.spec.norm_eps,
        "mamba_num_heads": spec.heads,
        "mamba_head_dim": spec.head_dim,
        "ssm_state_size": spec.state_size,
        "conv_kernel": spec.taps,
        "time_step_limit": [0.0, math.inf],
        "n_groups": spec.groups,
        "use_conv_bias": source.has_any("ssm_conv_bias"),
        "use_bias": False,
        "mamba_proj_bias": False,
        "mlp_bias": source.has_any("up_bias"),
        "attention_bias": False,
        "attention_head_dim": source.head_size,
        "mlp_hidden_act": "relu2",
        "mamba_hidden_act": "silu",
    }
    if found is not None:
        made |= {
            "n_routed_experts": found.spec.experts,
            "num_experts_per_tok": found.spec.used,
            "moe_intermediate_size": found.hidden,
            "moe_shared_expert_intermediate_size": found.shared_hidden,
            "n_shared_experts": int(found.shared_hidden > 0),
            "n_group": found.spec.groups,
            "topk_group": found.spec.used_groups,
            "norm_topk_prob": found.spec.normalized,
            "routed_scaling_factor": found.spec.scale,
            "moe_latent_size": found.latent or None,
        }
    return made
