"""Settings of ``config.json`` that follow from a GGUF file, a row for each architecture that mlx-lm runs."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mlxr.metal.specs import GatedDeltaNetSpec, LatentSpec, Mamba2Spec, ShortConvSpec
from mlxr.models.architectures.spec import Experts, LayerSpec
from mlxr.models.conversion.gguf_source import Config, Row, Source, numbers
from mlxr.models.errors import UnsupportedModelError

EXPERTS: Mapping[str, str] = {
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
}
WINDOW: Mapping[str, str] = {"attention.sliding_window": "sliding_window"}
MULTIPLIERS: Mapping[str, str] = {
    "attention.scale": "attention_multiplier",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}
SOFTCAPS: Mapping[str, str] = {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}


def _llama(source: Source) -> Config:
    made: Config = {"attention_bias": source.has("query_bias"), "mlp_bias": source.has("up_bias")}
    if source.get("expert_count"):
        made |= {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"]}
        made |= {
            "num_local_experts": source.get("expert_count"),
            "num_experts_per_tok": source.get("expert_used_count"),
        }
    elif source.get("attention.sliding_window"):
        made |= {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
    return made


def _query_scale(source: Source) -> Config:
    """Gemma's: what scores are divided by the root of."""
    return {"query_pre_attn_scalar": round(source.attention[0].scale ** -2)}


def _layer_types(source: Source) -> Config:
    return {"layer_types": ["sliding_attention" if one.window else "full_attention" for one in source.attention]}


def _rotary_share(source: Source) -> Config:
    return {"partial_rotary_factor": (source.get("rope.dimension_count") or source.head_size) / source.head_size}


def _exaone4(source: Source) -> Config:
    """The pattern of windows by letters, as older files have it."""
    every = [one.window for one in source.attention]
    pattern = "L" * every.index(0) + "G" if any(every) and 0 in every else None
    return {"sliding_window_pattern": pattern, "sliding_window": source.get("attention.sliding_window")}


def _smollm3(source: Source) -> Config:
    turned = [int(one.rope is not None) for one in source.attention]
    every = turned.index(0) + 1 if 0 in turned else len(turned) + 1
    return {"no_rope_layers": turned, "no_rope_layer_interval": every, "attention_bias": False, "mlp_bias": False}


def _gemma3(source: Source) -> Config:
    near = source.get("rope.freq_base_swa") or 10000.0
    base = source.get("rope.freq_base") or 1_000_000.0
    every = [one.window for one in source.attention].index(0) + 1
    return {"rope_local_base_freq": near, "rope_theta": base, "sliding_window_pattern": every, **_query_scale(source)}


def _sparse(source: Source) -> Config:
    router = source.header.table.names["router"]
    layers = range(len(source.spec.layers))
    dense = [layer for layer in layers if router.format(layer=layer) not in source.header.tensors]
    return {"decoder_sparse_step": 1, "mlp_only_layers": dense}


def _biases(source: Source) -> Config:
    return {"use_bias": source.has("up_bias") or source.has("query_bias")}


def _stablelm(source: Source) -> Config:
    made = {"use_qkv_bias": source.has("query_bias"), "qk_layernorm": source.has("query_norm")}
    return {**made, "use_parallel_residual": not source.has("feed_forward_norm"), **_rotary_share(source)}


def _attention_bias(source: Source) -> Config:
    return {"attention_bias": source.has("query_bias")}


def _seed_oss(source: Source) -> Config:
    return {**_attention_bias(source), "attention_out_bias": source.has("output_bias")}


def _head_norms(source: Source) -> Config:
    return {"use_qk_norm": source.has("query_norm")}


def _phi3(source: Source) -> Config:
    original = source.get("rope.scaling.original_context_length")
    made: Config = {**_rotary_share(source), "original_max_position_embeddings": original}
    factors = {kind: source.header.tensors.get(f"rope_factors_{kind}.weight") for kind in ("short", "long")}
    if all(factors.values()):
        values = {f"{kind}_factor": numbers(tensor) for kind, tensor in factors.items()}
        made["rope_scaling"] = {"type": "longrope", "rope_type": "longrope", **values}
    return made


def _window_kinds(source: Source) -> Config:
    """OLMo 3's, whose files have the architecture of OLMo 2 without windows."""
    if not source.get("attention.sliding_window"):
        return {}
    return {"model_type": "olmo3", "architectures": ["Olmo3ForCausalLM"], **_layer_types(source)}


def _delta(source: Source) -> Config:
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


def _qwen3_5(source: Source) -> Config:
    share = _rotary_share(source)
    base = source.get("rope.freq_base") or 10000.0
    rope = {"type": "default", "rope_type": "default", "rope_theta": base, **share}
    if sections := source.get("rope.dimension_sections"):
        rope |= {"mrope_section": sections[:3], "mrope_interleaved": True}
    return {"rope_parameters": rope, **_delta(source), **share}


def _short_convolutions(source: Source) -> Config:
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


def _lfm2_moe(source: Source) -> Config:
    made = _short_convolutions(source)
    return {
        **{key: value for key, value in made.items() if not key.startswith("block_")},
        "num_dense_layers": source.get("leading_dense_block_count"),
        "use_expert_bias": source.has_any("choice_bias"),
        "norm_topk_prob": True,
        "routed_scaling_factor": source.get("expert_weights_scale") or 1.0,
    }


def _granite_experts(source: Source) -> Config:
    made: Config = {"attention_bias": False}
    if source.get("expert_shared_feed_forward_length"):
        made |= {"model_type": "granitemoeshared", "architectures": ["GraniteMoeSharedForCausalLM"]}
        made["shared_intermediate_size"] = source.get("expert_shared_feed_forward_length")
    return made


def _granite_hybrid(source: Source) -> Config:
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


def _nemotron_h(source: Source) -> Config:
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


def _latent(source: Source) -> Config:
    """DeepSeek's attention, and its mixtures where a model has them."""
    spec, found = source.mixer(LatentSpec), source.experts
    made: Config = {
        "num_key_value_heads": spec.heads,
        "kv_lora_rank": spec.rank,
        "q_lora_rank": spec.query_rank or None,
        "qk_nope_head_dim": spec.plain_dims,
        "qk_rope_head_dim": spec.rope_dims,
        "v_head_dim": spec.value_dims,
        "first_k_dense_replace": source.get("leading_dense_block_count") or 0,
    }
    if found is None:
        return made
    second = not found.spec.sigmoid
    return {
        **made,
        "n_routed_experts": found.spec.experts,
        "num_experts_per_tok": found.spec.used,
        "moe_intermediate_size": found.hidden,
        "n_shared_experts": found.shared_hidden // found.hidden,
        "routed_scaling_factor": found.spec.scale,
        "norm_topk_prob": found.spec.normalized,
        "n_group": found.spec.groups,
        "topk_group": found.spec.used_groups,
        "scoring_func": "softmax" if second else "sigmoid",
        "topk_method": ("group_limited_greedy" if found.spec.groups > 1 else "greedy") if second else "noaux_tc",
        "moe_layer_freq": 1,
    }


def _deepseek(source: Source) -> Config:
    made = _latent(source)
    if source.header.table.names["head"] not in source.header.tensors:
        reason = "has no output projection beside its embedding, which mlx-lm's DeepSeek asks for"
        raise UnsupportedModelError(source.header.path, f"{reason}; mlxr runs this file as it is")
    third = source.experts is None or source.experts.spec.sigmoid
    name, kind = ("deepseek_v3", "DeepseekV3ForCausalLM") if third else ("deepseek_v2", "DeepseekV2ForCausalLM")
    made |= {"model_type": name, "architectures": [kind]}
    if (scale := source.get("rope.scaling.yarn_log_multiplier")) and source.get("rope.scaling.type") == "yarn":
        original = source.get("rope.scaling.original_context_length")
        made["rope_scaling"] = {
            "type": "yarn",
            "rope_type": "yarn",
            "factor": source.get("rope.scaling.factor"),
            "original_max_position_embeddings": original,
            "beta_fast": source.get("rope.scaling.yarn_beta_fast") or 32,
            "beta_slow": source.get("rope.scaling.yarn_beta_slow") or 1,
            "mscale": round(10 * scale, 6),
            "mscale_all_dim": round(10 * scale, 6),
        }
    return made


def _mistral4(source: Source) -> Config:
    made = {**_ministral(source), **_latent(source), "rope_interleave": True}
    all_dims = round(10 * (source.get("rope.scaling.yarn_log_multiplier") or 0.0), 6)
    return {**made, "rope_parameters": {**made["rope_parameters"], "mscale": all_dims, "mscale_all_dim": all_dims}}


def _sigmoid_experts(source: Source) -> Config:
    """Mixtures behind some dense layers, whose scores are sigmoids."""
    found = source.experts
    if found is None:
        return {}
    return {
        "n_routed_experts": found.spec.experts,
        "num_experts_per_tok": found.spec.used,
        "moe_intermediate_size": found.hidden,
        "n_shared_experts": found.shared_hidden // found.hidden,
        "routed_scaling_factor": found.spec.scale,
        "norm_topk_prob": found.spec.normalized,
        "n_group": found.spec.groups,
        "topk_group": found.spec.used_groups,
        "first_k_dense_replace": source.get("leading_dense_block_count") or 0,
        "rope_scaling": None,
    }


def _glm4_moe(source: Source) -> Config:
    norms = {"use_qk_norm": source.has("query_norm"), **_attention_bias(source)}
    return {**_sigmoid_experts(source), **_rotary_share(source), **norms}


def _ministral(source: Source) -> Config:
    base = source.get("rope.freq_base") or 10000.0
    scale = source.get("attention.temperature_scale")
    if source.get("rope.scaling.type") != "yarn":
        return {"rope_parameters": {"type": "default", "rope_type": "default", "rope_theta": base}}
    all_dims = source.get("rope.scaling.yarn_log_multiplier") or 0.0
    rope = {
        "type": "yarn",
        "rope_type": "yarn",
        "rope_theta": base,
        "factor": source.get("rope.scaling.factor"),
        "original_max_position_embeddings": source.get("rope.scaling.original_context_length"),
        "beta_fast": source.get("rope.scaling.yarn_beta_fast") or 32.0,
        "beta_slow": source.get("rope.scaling.yarn_beta_slow") or 1.0,
        "mscale": 1.0 if all_dims else 0.0,
        "mscale_all_dim": all_dims,
        "llama_4_scaling_beta": scale or 0.0,
    }
    return {"rope_parameters": rope, "rope_scaling": None}


def _gemma4(source: Source) -> Config:
    layers = source.attention
    near = next((one for one in layers if one.window), layers[0])
    whole = next((one for one in layers if not one.window), layers[-1])
    shared = source.get("attention.shared_kv_layers") or 0
    halves = [one.feed_forward for one in source.spec.layers]
    wide = [half.shared_hidden if isinstance(half, Experts) else half.hidden for half in halves if half is not None]
    factors = source.header.tensors.get("rope_freqs.weight")
    turned = sum(number < LARGE for number in numbers(factors)) if factors is not None else whole.head_dim // 2
    found = source.experts
    return {
        **_layer_types(source),
        "intermediate_size": wide[0],
        "use_double_wide_mlp": len(set(wide)) > 1,
        "head_dim": near.head_dim,
        "global_head_dim": whole.head_dim,
        "num_key_value_heads": near.kv_heads,
        "num_global_key_value_heads": whole.kv_heads if whole.kv_heads != near.kv_heads else None,
        "attention_k_eq_v": any(one.values_are_keys for one in layers),
        "num_kv_shared_layers": shared,
        "hidden_size_per_layer_input": source.get("embedding_length_per_layer_input") or 0,
        "vocab_size_per_layer_input": source.header.tensors[source.header.table.names["embedding"]].shape[0],
        "rope_parameters": {
            "full_attention": {
                "rope_type": "proportional",
                "rope_theta": source.get("rope.freq_base") or 1_000_000.0,
                "partial_rotary_factor": 2 * turned / whole.head_dim,
            },
            "sliding_attention": {"rope_type": "default", "rope_theta": source.get("rope.freq_base_swa") or 10000.0},
        },
        "enable_moe_block": found is not None,
        "num_experts": found and found.spec.experts,
        "top_k_experts": found and found.spec.used,
        "moe_intermediate_size": found and found.hidden,
    }


LARGE = 1e20
"""Factors above it stop a pair."""


_SILU: Config = {"hidden_act": "silu"}
_GELU: Config = {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh"}
_LAYER_NORM: Mapping[str, str] = {"attention.layer_norm_epsilon": "layer_norm_eps"}

ROPE = ("rope_theta", "rope_scaling")

ROWS: Mapping[str, Row] = {
    "llama": Row("llama", "LlamaForCausalLM", WINDOW, _SILU, (_llama,)),
    "arcee": Row("arcee", "ArceeForCausalLM", {}, {"hidden_act": "relu2"}),
    "smollm3": Row("smollm3", "SmolLM3ForCausalLM", {}, _SILU, (_smollm3,)),
    "granite": Row("granite", "GraniteForCausalLM", MULTIPLIERS, {**_SILU, "attention_bias": False, "mlp_bias": False}),
    "qwen2": Row("qwen2", "Qwen2ForCausalLM", {}, {**_SILU, "use_sliding_window": False}),
    "qwen2moe": Row("qwen2_moe", "Qwen2MoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": False}, (_sparse,)),
    "qwen3": Row("qwen3", "Qwen3ForCausalLM", {}, {**_SILU, "attention_bias": False}),
    "qwen3moe": Row("qwen3_moe", "Qwen3MoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": True}, (_sparse,)),
    "seed_oss": Row("seed_oss", "SeedOssForCausalLM", {}, {**_SILU, "mlp_bias": False}, (_seed_oss,)),
    "starcoder2": Row(
        "starcoder2",
        "Starcoder2ForCausalLM",
        {"attention.layer_norm_epsilon": "norm_epsilon"},
        {"hidden_act": "gelu_pytorch_tanh"},
        (_biases,),
    ),
    "ernie4_5": Row("ernie4_5", "Ernie4_5ForCausalLM", {}, _SILU, (_biases,)),
    "olmo2": Row("olmo2", "Olmo2ForCausalLM", WINDOW, {**_SILU, "attention_bias": False}, (_window_kinds,)),
    "olmoe": Row("olmoe", "OlmoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": False, "attention_bias": False}),
    "exaone4": Row("exaone4", "Exaone4ForCausalLM", WINDOW, {**_SILU, "rope_scaling": None}, (_layer_types, _exaone4)),
    "command-r": Row(
        "cohere", "CohereForCausalLM", {**_LAYER_NORM, "logit_scale": "logit_scale"}, _SILU, (_head_norms,)
    ),
    "cohere2": Row(
        "cohere2", "Cohere2ForCausalLM", {**_LAYER_NORM, **WINDOW, "logit_scale": "logit_scale"}, _SILU, (_layer_types,)
    ),
    "glm4": Row("glm4", "Glm4ForCausalLM", {}, _SILU, (_rotary_share, _attention_bias)),
    "chatglm": Row("glm", "GlmForCausalLM", {}, _SILU, (_rotary_share, _attention_bias)),
    "stablelm": Row("stablelm", "StableLmForCausalLM", _LAYER_NORM, _SILU, (_stablelm,)),
    "phi3": Row("phi3", "Phi3ForCausalLM", WINDOW, _SILU, (_phi3,)),
    "gpt-oss": Row(
        "gpt_oss",
        "GptOssForCausalLM",
        {
            **WINDOW,
            "expert_count": "num_local_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_feed_forward_length": "intermediate_size",
        },
        {**_SILU, "attention_bias": True},
        (_layer_types,),
    ),
    "qwen3next": Row(
        "qwen3_next",
        "Qwen3NextForCausalLM",
        EXPERTS,
        {**_SILU, "norm_topk_prob": True},
        (_sparse, _delta, _rotary_share),
    ),
    "qwen35": Row("qwen3_5", "Qwen3_5ForCausalLM", {}, _SILU, (_qwen3_5,), ROPE),
    "qwen35moe": Row("qwen3_5_moe", "Qwen3_5MoeForCausalLM", EXPERTS, _SILU, (_qwen3_5,), ROPE),
    "lfm2": Row("lfm2", "Lfm2ForCausalLM", {}, {}, (_short_convolutions,), ("rms_norm_eps", "head_dim")),
    "lfm2moe": Row("lfm2_moe", "Lfm2MoeForCausalLM", EXPERTS, {}, (_lfm2_moe,), ("rms_norm_eps", "head_dim")),
    "granitemoe": Row(
        "granitemoe",
        "GraniteMoeForCausalLM",
        {**MULTIPLIERS, "expert_count": "num_local_experts", "expert_used_count": "num_experts_per_tok"},
        _SILU,
        (_granite_experts,),
    ),
    "granitehybrid": Row(
        "granitemoehybrid", "GraniteMoeHybridForCausalLM", MULTIPLIERS, _SILU, (_granite_hybrid,), ("head_dim",)
    ),
    "nemotron": Row(
        "nemotron",
        "NemotronForCausalLM",
        {"attention.layer_norm_epsilon": "norm_eps"},
        {"hidden_act": "relu2", "attention_bias": False, "mlp_bias": False},
        (_rotary_share,),
        ("rms_norm_eps",),
    ),
    "nemotron_h": Row("nemotron_h", "NemotronHForCausalLM", {}, {}, (_nemotron_h,), ROPE),
    "nemotron_h_moe": Row("nemotron_h", "NemotronHForCausalLM", {}, {}, (_nemotron_h,), ROPE),
    "deepseek2": Row("deepseek_v3", "DeepseekV3ForCausalLM", {}, _SILU, (_deepseek,), ("head_dim",)),
    "mistral4": Row("mistral4", "Mistral4ForCausalLM", {}, _SILU, (_mistral4,), ("head_dim", *ROPE)),
    "mistral3": Row("ministral3", "Ministral3ForCausalLM", {}, _SILU, (_ministral,), ("rope_theta",)),
    "hunyuan-dense": Row("hunyuan_v1_dense", "HunYuanDenseV1ForCausalLM", {}, {**_SILU, "attention_bias": False}),
    "glm4moe": Row("glm4_moe", "Glm4MoeForCausalLM", {}, _SILU, (_glm4_moe,)),
    "dots1": Row("dots1", "Dots1ForCausalLM", {}, {**_SILU, "attention_bias": False}, (_sigmoid_experts,)),
    "minimax-m2": Row(
        "minimax_m2",
        "MiniMaxM2ForCausalLM",
        {
            "expert_count": "num_local_experts",
            "expert_used_count": "num_experts_per_tok",
            "expert_feed_forward_length": "intermediate_size",
            "rope.dimension_count": "rotary_dim",
        },
        {**_SILU, "scoring_func": "sigmoid", "use_qk_norm": True, "shared_intermediate_size": 0},
    ),
    "phi2": Row("phi", "PhiForCausalLM", _LAYER_NORM, {"hidden_act": "gelu_new"}, (_rotary_share,)),
    "gemma4": Row(
        "gemma4_text",
        "Gemma4ForCausalLM",
        {**WINDOW, "final_logit_softcapping": "final_logit_softcapping"},
        _GELU,
        (_gemma4,),
        ROPE,
    ),
    "gemma": Row("gemma", "GemmaForCausalLM", {}, _GELU),
    "gemma2": Row("gemma2", "Gemma2ForCausalLM", {**WINDOW, **SOFTCAPS}, _GELU, (_query_scale,)),
    "gemma3": Row("gemma3_text", "Gemma3ForCausalLM", {**WINDOW, **SOFTCAPS}, _GELU, (_gemma3,)),
}
"""By GGUF's name for an architecture: those of which mlxr writes folders."""
