"""Configurations of decoders with full or window attention, of which ``checkpoints_decoders.py`` makes checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

if __package__:
    from tests.models.architectures.checkpoints import SMALL
else:
    from checkpoints import SMALL  # run by record_logits.py, without mlxr

Config = Mapping[str, Any]

HEADS = {**SMALL, "hidden_act": "silu", "rope_theta": 10000.0}
SHARED = {key: value for key, value in HEADS.items() if key != "head_dim"}
"""A head is its share of the width."""

LAYER_NORM = {key: value for key, value in SHARED.items() if key != "rms_norm_eps"}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 16.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
MULTIPLIERS = {
    "attention_multiplier": 0.1,
    "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
    "logits_scaling": 4.0,
}
MIXTURE = {"num_experts_per_tok": 3, "moe_intermediate_size": 48}
GLM = {
    **HEADS,
    **MIXTURE,
    "model_type": "glm4_moe",
    "attention_bias": True,
    "partial_rotary_factor": 0.5,
    "n_routed_experts": 16,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.5,
    "n_group": 1,
    "topk_group": 1,
    "use_qk_norm": True,
}
LLAMA4 = {
    **HEADS,
    "model_type": "llama4_text",
    "num_hidden_layers": 5,
    "intermediate_size_mlp": 128,
    "intermediate_size": 48,
    "num_local_experts": 8,
    "num_experts_per_tok": 1,
    "interleave_moe_layer_step": 2,
    "attention_chunk_size": 8192,
    "attn_temperature_tuning": True,
    "floor_scale": 8192,
    "attn_scale": 0.1,
    "use_qk_norm": True,
    "no_rope_layers": [1, 1, 1, 0, 1],
    "rope_theta": 500000.0,
    "rope_scaling": LLAMA3,
}

CASES: dict[str, Config] = {
    "ministral3": {
        **{key: value for key, value in HEADS.items() if key != "rope_theta"},
        "model_type": "ministral3",
        "sliding_window": None,
        "rope_parameters": {
            "rope_type": "yarn",
            "factor": 16.0,
            "original_max_position_embeddings": 16,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
            "mscale": 1.0,
            "mscale_all_dim": 1.0,
            "llama_4_scaling_beta": 0.1,
            "rope_theta": 1000000.0,
        },
    },
    "olmo2": {**SHARED, "model_type": "olmo2", "attention_bias": False},
    "olmo3": {
        **SHARED,
        "model_type": "olmo3",
        "rope_theta": 500000.0,
        "num_hidden_layers": 4,
        "sliding_window": 9,
        "layer_types": ["sliding_attention"] * 3 + ["full_attention"],
        "rope_scaling": {
            "rope_type": "yarn",
            "factor": 8.0,
            "original_max_position_embeddings": 64,
            "attention_factor": 1.2079441541679836,
            "beta_fast": 32.0,
            "beta_slow": 1.0,
        },
    },
    "cohere": {
        **LAYER_NORM,
        "model_type": "cohere",
        "layer_norm_eps": 1e-5,
        "logit_scale": 0.25,
        "tie_word_embeddings": True,
        "use_qk_norm": False,
    },
    "cohere2": {
        **LAYER_NORM,
        "model_type": "cohere2",
        "rotary_pct": 1.0,
        "num_hidden_layers": 5,
        "layer_norm_eps": 1e-5,
        "logit_scale": 0.25,
        "tie_word_embeddings": True,
        "sliding_window": 9,
        "sliding_window_pattern": 4,
        "layer_types": ["sliding_attention"] * 3 + ["full_attention", "sliding_attention"],
        "rope_theta": 50000.0,
    },
    "exaone4": {
        **SHARED,
        "model_type": "exaone4",
        "num_hidden_layers": 5,
        "sliding_window": 9,
        "sliding_window_pattern": "LLLG",
        "layer_types": ["sliding_attention"] * 3 + ["full_attention", "full_attention"],
        "rope_theta": 1000000.0,
        "rope_scaling": LLAMA3,
    },
    "exaone4 without windows": {
        **SHARED,
        "model_type": "exaone4",
        "tie_word_embeddings": True,
        "sliding_window": None,
        "sliding_window_pattern": None,
        "layer_types": ["full_attention"] * 3,
    },
    "hunyuan_v1_dense": {**HEADS, "model_type": "hunyuan_v1_dense", "tie_word_embeddings": True},
    "hunyuan_v1_moe": {
        **HEADS,
        "model_type": "hunyuan_v1_moe",
        "tie_word_embeddings": True,
        "num_experts": 8,
        "moe_topk": [3] * 3,
        "moe_intermediate_size": [96] * 3,
        "num_shared_expert": [1] * 3,
        "use_cla": False,
        "use_qk_norm": True,
    },
    "glm4_moe": GLM,
    "glm4_moe without norms of heads": {**GLM, "use_qk_norm": False, "first_k_dense_replace": 2},
    "granitemoe": {
        **SHARED,
        **MULTIPLIERS,
        "model_type": "granitemoe",
        "num_local_experts": 8,
        "num_experts_per_tok": 3,
    },
    "granitemoeshared": {
        **SHARED,
        **MULTIPLIERS,
        "model_type": "granitemoeshared",
        "num_local_experts": 8,
        "num_experts_per_tok": 3,
        "shared_intermediate_size": 80,
    },
    "llama4": LLAMA4,
    "llama4 with short chunks": {
        **LLAMA4,
        "num_experts_per_tok": 2,
        "interleave_moe_layer_step": 1,
        "attention_chunk_size": 16,
        "floor_scale": 8,
        "attn_scale": 0.3,
        "use_qk_norm": False,
        "rope_scaling": None,
    },
    "nemotron": {
        **LAYER_NORM,
        "model_type": "nemotron",
        "hidden_act": "relu2",
        "norm_eps": 1e-5,
        "partial_rotary_factor": 0.5,
    },
}
CASES |= {
    "starcoder2": {
        **LAYER_NORM,
        "model_type": "starcoder2",
        "hidden_act": "gelu_pytorch_tanh",
        "norm_epsilon": 1e-5,
        "use_bias": True,
        "tie_word_embeddings": True,
    },
    "phi": {
        **LAYER_NORM,
        "model_type": "phi",
        "hidden_act": "gelu_new",
        "layer_norm_eps": 1e-5,
        "partial_rotary_factor": 0.5,
        "qk_layernorm": False,
        "num_key_value_heads": 4,
        "intermediate_size": 256,
    },
    "stablelm": {
        **LAYER_NORM,
        "model_type": "stablelm",
        "layer_norm_eps": 1e-5,
        "partial_rotary_factor": 0.25,
        "use_qkv_bias": True,
        "qk_layernorm": False,
        "use_parallel_residual": False,
        "rope_scaling": None,
    },
    "arcee": {**HEADS, "model_type": "arcee", "hidden_act": "relu2"},
    "gemma": {**HEADS, "model_type": "gemma", "hidden_act": "gelu_pytorch_tanh", "tie_word_embeddings": True},
    "olmoe": {
        **SHARED,
        "model_type": "olmoe",
        "num_experts": 8,
        "num_experts_per_tok": 3,
        "norm_topk_prob": False,
        "rope_scaling": None,
    },
    "minimax_m2": {
        **HEADS,
        "model_type": "minimax_m2",
        "num_local_experts": 8,
        "num_experts_per_tok": 3,
        "rotary_dim": 16,
        "scoring_func": "sigmoid",
        "use_qk_norm": True,
        "use_routing_bias": True,
    },
    "dots1": {
        **{key: value for key, value in GLM.items() if key not in ("partial_rotary_factor", "use_qk_norm")},
        "model_type": "dots1",
        "attention_bias": False,
        "n_shared_experts": 2,
        "routed_scaling_factor": 2.5,
        "sliding_window": None,
        "layer_types": ["full_attention"] * 3,
    },
    "solar_open": {
        **GLM,
        "model_type": "solar_open",
        "attention_bias": False,
        "first_k_dense_replace": 0,
        "partial_rotary_factor": 1.0,
        "use_qk_norm": False,
    },
    "ernie4_5_moe": {
        **SHARED,
        "model_type": "ernie4_5_moe",
        "use_bias": False,
        "moe_num_experts": 8,
        "moe_k": 3,
        "moe_num_shared_experts": 2,
        "moe_intermediate_size": 32,
        "moe_layer_start_index": 1,
        "moe_layer_end_index": 2,
        "moe_layer_interval": 1,
        "tie_word_embeddings": True,
    },
}
