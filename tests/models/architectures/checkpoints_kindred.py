"""Tiny random checkpoints of families that are near others: by other names, with another mixture of experts, within
models that look at images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

if __package__:
    from tests.models.architectures.checkpoints import SMALL, safetensors
else:
    from checkpoints import SMALL, safetensors  # run by record_logits.py, without mlxr

Config = Mapping[str, Any]
Array = NDArray[np.float32]
Row = tuple[str, tuple[int, ...]]

MIXTURE = {
    **SMALL,
    "hidden_act": "silu",
    "moe_intermediate_size": 32,
    "num_experts_per_tok": 2,
    "rope_theta": 10000.0,
}
IMAGES = {"depth": 1, "num_heads": 2, "hidden_size": 64, "out_hidden_size": 64, "patch_size": 4}
MROPE = {"mrope_section": [4, 6, 6]}
INDEXED = {
    **{key: value for key, value in MIXTURE.items() if key != "head_dim"},
    "num_key_value_heads": 4,
    "num_hidden_layers": 3,
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
    "kv_lora_rank": 32,
    "q_lora_rank": 48,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 32,
    "v_head_dim": 32,
    "norm_topk_prob": True,
    "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "index_topk": 128,
    "index_head_dim": 32,
    "index_n_heads": 4,
}

PHIMOE = {
    **{key: value for key, value in SMALL.items() if key != "head_dim"},
    "model_type": "phimoe",
    "hidden_act": "silu",
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "router_jitter_noise": 0.01,
    "input_jitter_noise": 0.01,
    "attention_bias": True,
    "lm_head_bias": True,
    "sliding_window": 512,
    "rope_theta": 10000.0,
    "original_max_position_embeddings": 512,
    "rope_scaling": {
        "type": "longrope",
        "short_mscale": 1.0,
        "long_mscale": 1.2,
        "original_max_position_embeddings": 512,
        "short_factor": [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7],
        "long_factor": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
    },
}

CASES: dict[str, Config] = {
    "internlm3": {**SMALL, "model_type": "internlm3", "hidden_act": "silu", "qkv_bias": False, "bias": False},
    "sarvam": {
        **MIXTURE,
        "model_type": "sarvam_moe",
        "head_dim": 16,
        "num_experts": 8,
        "num_shared_experts": 1,
        "first_k_dense_replace": 1,
        "n_group": 1,
        "topk_group": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "score_function": "sigmoid",
        "use_qk_norm": True,
        "use_qkv_bias": False,
        "use_bias": False,
        "moe_router_enable_expert_bias": True,
    },
    "exaone_moe": {
        **MIXTURE,
        "model_type": "exaone_moe",
        "num_hidden_layers": 5,
        "num_experts": 8,
        "num_shared_experts": 1,
        "first_k_dense_replace": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": 2.5,
        "scoring_func": "sigmoid",
        "n_group": 2,
        "topk_group": 1,
        "sliding_window": 9,
        "layer_types": ["sliding_attention"] * 3 + ["full_attention", "sliding_attention"],
        "is_moe_layer": [False, True, True, True, True],
    },
    "afmoe": {
        **MIXTURE,
        "model_type": "afmoe",
        "num_hidden_layers": 5,
        "num_experts": 8,
        "num_shared_experts": 1,
        "num_dense_layers": 1,
        "route_norm": True,
        "route_scale": 1.5,
        "score_func": "sigmoid",
        "mup_enabled": True,
        "sliding_window": 9,
        "global_attn_every_n_layers": 4,
        "layer_types": ["sliding_attention"] * 3 + ["full_attention", "sliding_attention"],
    },
    "hy_v3": {
        **MIXTURE,
        "model_type": "hy_v3",
        "num_experts": 8,
        "num_shared_experts": 1,
        "first_k_dense_replace": 1,
        "route_norm": True,
        "router_scaling_factor": 1.5,
        "qk_norm": True,
        "moe_router_enable_expert_bias": True,
        "moe_router_use_sigmoid": True,
    },
    "mellum": {
        **{key: value for key, value in MIXTURE.items() if key != "rope_theta"},
        "model_type": "mellum",
        "num_hidden_layers": 4,
        "num_experts": 8,
        "norm_topk_prob": True,
        "sliding_window": 9,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "sliding_attention"],
        "rope_parameters": {
            "full_attention": {"rope_type": "default", "rope_theta": 500000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    },
    "phimoe": PHIMOE,
    "phimoe with more jitter": {**PHIMOE, "router_jitter_noise": 0.2},
    "apertus": {
        **{key: value for key, value in SMALL.items() if key != "head_dim"},
        "model_type": "apertus",
        "hidden_act": "xielu",
        "attention_bias": False,
        "mlp_bias": False,
        "post_norm": False,
        "qk_norm": True,
        "rope_theta": 10000.0,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 10000.0,
            "factor": 8.0,
            "original_max_position_embeddings": 64,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
        },
    },
    "mimo_v2_flash": {
        **{key: value for key, value in MIXTURE.items() if key not in ("rope_theta", "rms_norm_eps")},
        "model_type": "mimo_v2_flash",
        "layernorm_epsilon": 1e-5,
        "num_hidden_layers": 4,
        "num_attention_heads": 8,
        "head_dim": 48,
        "v_head_dim": 32,
        "hybrid_layer_pattern": [0, 1, 1, 0],
        "moe_layer_freq": [0, 1, 1, 1],
        "swa_num_key_value_heads": 4,
        "swa_num_attention_heads": 8,
        "swa_head_dim": 48,
        "swa_v_head_dim": 32,
        "n_routed_experts": 8,
        "n_group": 1,
        "topk_group": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": None,
        "n_shared_experts": None,
        "rope_theta": 5000000.0,
        "swa_rope_theta": 10000.0,
        "partial_rotary_factor": 0.334,
        "scoring_func": "sigmoid",
        "topk_method": "noaux_tc",
        "sliding_window": 9,
        "sliding_window_size": 9,
        "attention_value_scale": 0.7,
        "add_swa_attention_sink_bias": True,
        "add_full_attention_sink_bias": False,
        "layer_types": ["full_attention", "sliding_attention", "sliding_attention", "full_attention"],
        "mlp_layer_types": ["dense", "sparse", "sparse", "sparse"],
    },
    "deepseek_v32": {**INDEXED, "model_type": "deepseek_v32", "n_group": 4, "topk_group": 2},
    "glm_moe_dsa": {
        **{key: value for key, value in INDEXED.items() if key != "rope_theta"},
        "model_type": "glm_moe_dsa",
        "attention_bias": False,
        "moe_layer_freq": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "n_group": 1,
        "topk_group": 1,
        "indexer_types": ["full", "full", "shared"],
    },
    "qwen2_vl": {
        **{key: value for key, value in SMALL.items() if key != "head_dim"},
        "model_type": "qwen2_vl",
        "architectures": ["Qwen2VLForConditionalGeneration"],
        "hidden_act": "silu",
        "rope_theta": 1e6,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "vision_config": {**IMAGES, "embed_dim": 32},
    },
    "qwen2_5_vl": {
        **{key: value for key, value in SMALL.items() if key != "head_dim"},
        "model_type": "qwen2_5_vl",
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "hidden_act": "silu",
        "rope_theta": 1e6,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "vision_config": {**IMAGES, "intermediate_size": 64},
    },
    "qwen3_vl": {
        "model_type": "qwen3_vl",
        "architectures": ["Qwen3VLForConditionalGeneration"],
        "tie_word_embeddings": False,
        "text_config": {
            **SMALL,
            "model_type": "qwen3_vl_text",
            "hidden_act": "silu",
            "rope_theta": 5e6,
            "rope_scaling": {**MROPE, "mrope_interleaved": True, "rope_type": "default"},
        },
        "vision_config": {**IMAGES, "intermediate_size": 64, "deepstack_visual_indexes": [0]},
    },
    "qwen3_vl_moe": {
        "model_type": "qwen3_vl_moe",
        "architectures": ["Qwen3VLMoeForConditionalGeneration"],
        "tie_word_embeddings": False,
        "text_config": {
            **MIXTURE,
            "model_type": "qwen3_vl_moe_text",
            "moe_intermediate_size": 48,  # were experts square, nobody could tell whether their inputs come first
            "rope_theta": 5e6,
            "num_experts": 8,
            "decoder_sparse_step": 1,
            "norm_topk_prob": True,
            "mlp_only_layers": [],
            "rope_scaling": {**MROPE, "mrope_interleaved": True, "rope_type": "default"},
        },
        "vision_config": {**IMAGES, "intermediate_size": 64, "deepstack_visual_indexes": [0]},
    },
}


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def rows_of(config: Config) -> list[Row]:
    """All tensors of a folder, and their shapes."""
    kind = config["model_type"]
    text = {**config, **config.get("text_config", {})}
    width, words = text["hidden_size"], text["vocab_size"]
    inner = "model.language_model" if kind.startswith("qwen3_vl") else "model"
    embedding = "word_embeddings" if kind == "sarvam_moe" else "embed_tokens"
    rows = [
        (f"{inner}.{embedding}.weight", (words, width)),
        (f"{inner}.norm.weight", (width,)),
        ("lm_head.weight", (words, width)),
    ]
    if kind == "phimoe":
        rows += [("model.norm.bias", (width,)), ("lm_head.bias", (words,))]
    for layer in range(text["num_hidden_layers"]):
        rows += [(f"{inner}.layers.{layer}.{name}", shape) for name, shape in _layer(kind, text, layer)]
    if "vision_config" in config:
        rows.append(("visual.unused.weight", (4, 4)))
    return rows


def _layer(kind: str, config: Config, layer: int) -> list[Row]:
    width, norms = config["hidden_size"], ["input_layernorm", "post_attention_layernorm"]
    if kind == "apertus":
        norms = ["attention_layernorm", "feedforward_layernorm"]
    if kind == "afmoe":
        norms += ["pre_mlp_layernorm", "post_mlp_layernorm"]
    rows: list[Row] = [(f"{name}.weight", (width,)) for name in norms]
    if kind == "phimoe":
        rows += [(f"{name}.bias", (width,)) for name in norms]
    if "kv_lora_rank" in config:
        rows += _latent(kind, config, layer)
    else:
        rows += _short_values(config, layer) if kind == "mimo_v2_flash" else _attention(kind, config)
    if kind == "apertus":
        numbers: list[Row] = [(f"mlp.act_fn.{name}", (1,)) for name in ("alpha_p", "alpha_n")]
        numbers += [(f"mlp.act_fn.{name}", ()) for name in ("beta", "eps")]
        return [*rows, *numbers, *_mlp("mlp", width, config["intermediate_size"])[1:]]
    if kind == "phimoe":
        rows.append(("block_sparse_moe.gate.weight", (config["num_local_experts"], width)))
        for expert in range(config["num_local_experts"]):
            own = _mlp(f"block_sparse_moe.experts.{expert}", width, config["intermediate_size"])
            called = {"gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}
            rows += [(name.replace(part := name.split(".")[-2], called[part]), shape) for name, shape in own]
        return rows
    dense = config.get("first_k_dense_replace", config.get("num_dense_layers", int("moe_layer_freq" in config)))
    if "moe_intermediate_size" not in config or layer < dense:
        return rows + _mlp("mlp", width, config["intermediate_size"])
    return rows + _experts(kind, config)


def _attention(kind: str, config: Config) -> list[Row]:
    width, heads, keys = config["hidden_size"], config["num_attention_heads"], config["num_key_value_heads"]
    size = config.get("head_dim", width // heads)
    if kind == "sarvam_moe":
        return [
            ("attention.query_key_value.weight", ((heads + 2 * keys) * size, width)),
            ("attention.dense.weight", (width, heads * size)),
            ("attention.query_layernorm.weight", (size,)),
            ("attention.key_layernorm.weight", (size,)),
        ]
    rows = [
        ("self_attn.q_proj.weight", (heads * size, width)),
        ("self_attn.k_proj.weight", (keys * size, width)),
        ("self_attn.v_proj.weight", (keys * size, width)),
        ("self_attn.o_proj.weight", (width, heads * size)),
    ]
    if kind == "phimoe":
        rows += [(name.replace("weight", "bias"), shape[:1]) for name, shape in rows]
    elif kind in ("qwen2_vl", "qwen2_5_vl"):
        rows += [(name.replace("weight", "bias"), shape[:1]) for name, shape in rows[:3]]
    elif kind != "internlm3":
        rows += [(f"self_attn.{part}_norm.weight", (size,)) for part in "qk"]
    return [*rows, ("self_attn.gate_proj.weight", (heads * size, width))] if kind == "afmoe" else rows


def _short_values(config: Config, layer: int) -> list[Row]:
    width, heads, size, values = (
        config[key] for key in ("hidden_size", "num_attention_heads", "head_dim", "v_head_dim")
    )
    slides = config["hybrid_layer_pattern"][layer]
    keys = config["swa_num_key_value_heads" if slides else "num_key_value_heads"]
    return [
        ("self_attn.q_proj.weight", (heads * size, width)),
        ("self_attn.k_proj.weight", (keys * size, width)),
        ("self_attn.v_proj.weight", (keys * values, width)),
        ("self_attn.o_proj.weight", (width, heads * values)),
        *([("self_attn.attention_sink_bias", (heads,))] if slides else []),
    ]


def _latent(kind: str, config: Config, layer: int) -> list[Row]:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    rank, queries, turned = config["kv_lora_rank"], config["q_lora_rank"], config["qk_rope_head_dim"]
    plain, values = config["qk_nope_head_dim"], config["v_head_dim"]
    rows = [
        ("self_attn.q_a_proj.weight", (queries, width)),
        ("self_attn.q_a_layernorm.weight", (queries,)),
        ("self_attn.q_b_proj.weight", (heads * (plain + turned), queries)),
        ("self_attn.kv_a_proj_with_mqa.weight", (rank + turned, width)),
        ("self_attn.kv_a_layernorm.weight", (rank,)),
        ("self_attn.kv_b_proj.weight", (heads * (plain + values), rank)),
        ("self_attn.o_proj.weight", (width, heads * values)),
    ]
    if config.get("indexer_types", ["full"] * 9)[layer] == "full":
        size, indexers = config["index_head_dim"], config["index_n_heads"]
        rows += [
            ("self_attn.indexer.wq_b.weight", (indexers * size, queries)),
            ("self_attn.indexer.wk.weight", (size, width)),
            ("self_attn.indexer.k_norm.weight", (size,)),
            ("self_attn.indexer.k_norm.bias", (size,)),
            ("self_attn.indexer.weights_proj.weight", (indexers, width)),
        ]
    return rows


def _mlp(place: str, width: int, hidden: int) -> list[Row]:
    return [
        (f"{place}.gate_proj.weight", (hidden, width)),
        (f"{place}.up_proj.weight", (hidden, width)),
        (f"{place}.down_proj.weight", (width, hidden)),
    ]


def _experts(kind: str, config: Config) -> list[Row]:
    width, hidden = config["hidden_size"], config["moe_intermediate_size"]
    count = config.get("num_experts", config.get("n_routed_experts", 0))
    router = "mlp.router.gate.weight" if kind in ("afmoe", "hy_v3") else "mlp.gate.weight"
    rows: list[Row] = [(router, (count, width))]
    if kind == "qwen3_vl_moe":
        return [
            *rows,
            ("mlp.experts.gate_up_proj", (count, width, 2 * hidden)),
            ("mlp.experts.down_proj", (count, hidden, width)),
        ]
    for expert in range(count):
        rows += _mlp(f"mlp.experts.{expert}", width, hidden)
    if kind == "mellum":
        return rows
    if kind == "mimo_v2_flash":
        return [*rows, ("mlp.gate.e_score_correction_bias", (count,))]
    rows.append((f"mlp.{CHOICE_BIASES.get(kind, 'gate.e_score_correction_bias')}", (count,)))
    return rows + _mlp("mlp.shared_mlp" if kind == "hy_v3" else "mlp.shared_experts", width, hidden)


CHOICE_BIASES = {
    "sarvam_moe": "gate.expert_bias",
    "afmoe": "expert_bias",
    "hy_v3": "expert_bias",
    "exaone_moe": "e_score_correction_bias",
}


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by a folder's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(31)

    def made(name: str, shape: tuple[int, ...]) -> Array:
        if name.endswith("bias"):
            return (random.standard_normal(shape) * 0.3).astype(np.float32)
        if not shape:
            return np.array(-1e-6 if name.endswith("eps") else 0.7, np.float32)
        if len(shape) == 1:
            return random.uniform(0.5, 1.5, shape).astype(np.float32)
        fan = shape[-2] if len(shape) == 3 else shape[-1]
        return (random.standard_normal(shape) * 1.5 / math.sqrt(fan)).astype(np.float32)

    return {name: made(name, shape) for name, shape in rows_of(config)}


def write_folder(folder: Path, config: Config) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors_of(config)))
    return folder
