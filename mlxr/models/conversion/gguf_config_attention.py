"""Settings of ``config.json`` that follow from a GGUF file, of models whose layers are attention."""

from __future__ import annotations

from mlxr.metal.specs import LatentSpec
from mlxr.models.architectures.spec import Experts
from mlxr.models.conversion.gguf_source import Config, Source, numbers
from mlxr.models.errors import UnsupportedModelError

LARGE = 1e20
"""Factors above it stop a pair."""


def llama(source: Source) -> Config:
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


def query_scale(source: Source) -> Config:
    """Gemma's: what scores are divided by the root of."""
    return {"query_pre_attn_scalar": round(source.attention[0].scale ** -2)}


def layer_types(source: Source) -> Config:
    return {"layer_types": ["sliding_attention" if one.window else "full_attention" for one in source.attention]}


def rotary_share(source: Source) -> Config:
    return {"partial_rotary_factor": (source.get("rope.dimension_count") or source.head_size) / source.head_size}


def exaone4(source: Source) -> Config:
    """Returns the pattern of windows by letters, as older files have it."""
    every = [one.window for one in source.attention]
    pattern = "L" * every.index(0) + "G" if any(every) and 0 in every else None
    return {"sliding_window_pattern": pattern, "sliding_window": source.get("attention.sliding_window")}


def smollm3(source: Source) -> Config:
    turned = [int(one.rope is not None) for one in source.attention]
    every = turned.index(0) + 1 if 0 in turned else len(turned) + 1
    return {"no_rope_layers": turned, "no_rope_layer_interval": every, "attention_bias": False, "mlp_bias": False}


def gemma3(source: Source) -> Config:
    near = source.get("rope.freq_base_swa") or 10000.0
    base = source.get("rope.freq_base") or 1_000_000.0
    every = [one.window for one in source.attention].index(0) + 1
    return {"rope_local_base_freq": near, "rope_theta": base, "sliding_window_pattern": every, **query_scale(source)}


def sparse(source: Source) -> Config:
    router = source.header.table.names["router"]
    layers = range(len(source.spec.layers))
    dense = [layer for layer in layers if router.format(layer=layer) not in source.header.tensors]
    return {"decoder_sparse_step": 1, "mlp_only_layers": dense}


def biases(source: Source) -> Config:
    return {"use_bias": source.has("up_bias") or source.has("query_bias")}


def stablelm(source: Source) -> Config:
    made = {"use_qkv_bias": source.has("query_bias"), "qk_layernorm": source.has("query_norm")}
    return {**made, "use_parallel_residual": not source.has("feed_forward_norm"), **rotary_share(source)}


def attention_bias(source: Source) -> Config:
    return {"attention_bias": source.has("query_bias")}


def seed_oss(source: Source) -> Config:
    return {**attention_bias(source), "attention_out_bias": source.has("output_bias")}


def head_norms(source: Source) -> Config:
    return {"use_qk_norm": source.has("query_norm")}


def phi3(source: Source) -> Config:
    original = source.get("rope.scaling.original_context_length")
    made: Config = {**rotary_share(source), "original_max_position_embeddings": original}
    factors = {kind: source.header.tensors.get(f"rope_factors_{kind}.weight") for kind in ("short", "long")}
    if all(factors.values()):
        values = {f"{kind}_factor": numbers(tensor) for kind, tensor in factors.items()}
        made["rope_scaling"] = {"type": "longrope", "rope_type": "longrope", **values}
    return made


def window_kinds(source: Source) -> Config:
    """OLMo 3's, whose files have the architecture of OLMo 2 without windows."""
    if not source.get("attention.sliding_window"):
        return {}
    return {"model_type": "olmo3", "architectures": ["Olmo3ForCausalLM"], **layer_types(source)}


def granite_experts(source: Source) -> Config:
    made: Config = {"attention_bias": False}
    if source.get("expert_shared_feed_forward_length"):
        made |= {"model_type": "granitemoeshared", "architectures": ["GraniteMoeSharedForCausalLM"]}
        made["shared_intermediate_size"] = source.get("expert_shared_feed_forward_length")
    return made


def latent(source: Source) -> Config:
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
        **_in_groups(found),
        "scoring_func": "softmax" if second else "sigmoid",
        "topk_method": ("group_limited_greedy" if found.spec.groups > 1 else "greedy") if second else "noaux_tc",
        "moe_layer_freq": 1,
    }


def deepseek(source: Source) -> Config:
    made = latent(source)
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


def mistral4(source: Source) -> Config:
    made = {**ministral(source), **latent(source), "rope_interleave": True}
    all_dims = round(10 * (source.get("rope.scaling.yarn_log_multiplier") or 0.0), 6)
    return {**made, "rope_parameters": {**made["rope_parameters"], "mscale": all_dims, "mscale_all_dim": all_dims}}


def _in_groups(found: Experts) -> Config:
    """Returns a mixture's numbers, which are as DeepSeek has them."""
    return {
        "n_routed_experts": found.spec.experts,
        "num_experts_per_tok": found.spec.used,
        "moe_intermediate_size": found.hidden,
        "n_shared_experts": found.shared_hidden // found.hidden,
        "routed_scaling_factor": found.spec.scale,
        "norm_topk_prob": found.spec.normalized,
        "n_group": found.spec.groups,
        "topk_group": found.spec.used_groups,
    }


def sigmoid_experts(source: Source) -> Config:
    """Mixtures behind some dense layers, whose scores are sigmoids."""
    found = source.experts
    if found is None:
        return {}
    return {
        **_in_groups(found),
        "first_k_dense_replace": source.get("leading_dense_block_count") or 0,
        "rope_scaling": None,
    }


def glm4_moe(source: Source) -> Config:
    norms = {"use_qk_norm": source.has("query_norm"), **attention_bias(source)}
    return {**sigmoid_experts(source), **rotary_share(source), **norms}


def ministral(source: Source) -> Config:
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


def gemma4(source: Source) -> Config:
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
        **layer_types(source),
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
