"""Tiny random checkpoints of models whose layers keep states that plain operations compute: Mamba's and Kimi's."""

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

SHARED = {key: value for key, value in SMALL.items() if key != "head_dim"}
ALONE = {
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "state_size": 16,
    "conv_kernel": 4,
    "expand": 2,
    "intermediate_size": 128,
    "time_step_rank": 4,
    "layer_norm_epsilon": 1e-5,
    "use_bias": False,
    "use_conv_bias": True,
    "hidden_act": "silu",
    "vocab_size": SMALL["vocab_size"],
    "tie_word_embeddings": True,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}

CASES: dict[str, Config] = {
    "mamba": {**ALONE, "model_type": "mamba"},
    "mamba with biases": {**ALONE, "model_type": "mamba", "use_bias": True, "tie_word_embeddings": False},
    "falcon_mamba": {**ALONE, "model_type": "falcon_mamba", "mixer_rms_eps": 1e-5, "tie_word_embeddings": False},
    "mamba2": {
        **{key: value for key, value in ALONE.items() if key not in ("intermediate_size", "time_step_rank")},
        "model_type": "mamba2",
        "num_heads": 4,
        "head_dim": 32,
        "n_groups": 1,
        "chunk_size": 16,
        "intermediate_size": 128,
        "time_step_rank": 4,
        "time_step_limit": [0.0, 1e9],
        "tie_word_embeddings": False,
    },
    "jamba": {
        **SHARED,
        "model_type": "jamba",
        "hidden_act": "silu",
        "num_hidden_layers": 4,
        "rms_norm_eps": 1e-6,
        "attn_layer_period": 4,
        "attn_layer_offset": 2,
        "expert_layer_period": 2,
        "expert_layer_offset": 1,
        "num_experts": 4,
        "num_experts_per_tok": 2,
        "mamba_d_state": 16,
        "mamba_d_conv": 4,
        "mamba_expand": 2,
        "mamba_dt_rank": 4,
        "mamba_conv_bias": True,
        "mamba_proj_bias": False,
        "use_mamba_kernels": False,
    },
    "kimi_linear": {
        **{key: value for key, value in SHARED.items() if key != "max_position_embeddings"},
        "model_type": "kimi_linear",
        "hidden_act": "silu",
        "num_hidden_layers": 4,
        "num_key_value_heads": 4,
        "model_max_length": 512,
        "head_dim": 16,
        "rope_theta": 10000.0,
        "kv_lora_rank": 32,
        "q_lora_rank": None,
        "qk_rope_head_dim": 16,
        "qk_nope_head_dim": 32,
        "v_head_dim": 32,
        "mla_use_nope": True,
        "num_experts": 8,
        "num_experts_per_token": 2,
        "num_shared_experts": 1,
        "num_expert_group": 1,
        "topk_group": 1,
        "moe_intermediate_size": 32,
        "moe_renormalize": True,
        "moe_layer_freq": 1,
        "moe_router_activation_func": "sigmoid",
        "first_k_dense_replace": 1,
        "routed_scaling_factor": 2.446,
        "linear_attn_config": {
            "full_attn_layers": [3],
            "kda_layers": [1, 2, 4],
            "head_dim": 16,
            "num_heads": 4,
            "short_conv_kernel_size": 4,
        },
    },
}


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def rows_of(config: Config) -> list[Row]:
    """All tensors of a folder, and their shapes."""
    kind, width, words = config["model_type"], config["hidden_size"], config["vocab_size"]
    alone = kind in ("mamba", "falcon_mamba", "mamba2")
    place, embedding, norm = (
        ("backbone", "embeddings", "norm_f")
        if alone
        else ("model", "embed_tokens", "final_layernorm" if kind == "jamba" else "norm")
    )
    rows: list[Row] = [(f"{place}.{embedding}.weight", (words, width)), (f"{place}.{norm}.weight", (width,))]
    if not config["tie_word_embeddings"]:
        rows.append(("lm_head.weight", (words, width)))
    for layer in range(config["num_hidden_layers"]):
        if alone:
            own = [("norm.weight", (width,)), *(_second(config) if kind == "mamba2" else _first(config, "mixer"))]
        else:
            own = _jamba(config, layer) if kind == "jamba" else _kimi(config, layer)
        rows += [(f"{place}.layers.{layer}.{name}", shape) for name, shape in own]
    return rows


def _first(config: Config, place: str) -> list[Row]:
    width, inner = config["hidden_size"], 2 * config["hidden_size"]
    state, rank = 16, 4
    rows: list[Row] = [
        ("A_log", (inner, state)),
        ("D", (inner,)),
        ("in_proj.weight", (2 * inner, width)),
        ("conv1d.weight", (inner, 1, 4)),
        ("conv1d.bias", (inner,)),
        ("x_proj.weight", (rank + 2 * state, inner)),
        ("dt_proj.weight", (inner, rank)),
        ("dt_proj.bias", (inner,)),
        ("out_proj.weight", (width, inner)),
    ]
    if config.get("use_bias"):
        rows += [("in_proj.bias", (2 * inner,)), ("out_proj.bias", (width,))]
    return [(f"{place}.{name}", shape) for name, shape in rows]


def _second(config: Config) -> list[Row]:
    width, inner, heads = config["hidden_size"], 2 * config["hidden_size"], config["num_heads"]
    channels = inner + 2 * config["state_size"]
    rows: list[Row] = [
        ("A_log", (heads,)),
        ("D", (heads,)),
        ("dt_bias", (heads,)),
        ("in_proj.weight", (inner + channels + heads, width)),
        ("conv1d.weight", (channels, 1, 4)),
        ("conv1d.bias", (channels,)),
        ("norm.weight", (inner,)),
        ("out_proj.weight", (width, inner)),
    ]
    return [(f"mixer.{name}", shape) for name, shape in rows]


def _mlp(
    place: str, width: int, hidden: int, names: tuple[str, str, str] = ("gate_proj", "up_proj", "down_proj")
) -> list[Row]:
    gate, up, down = names
    return [
        (f"{place}.{gate}.weight", (hidden, width)),
        (f"{place}.{up}.weight", (hidden, width)),
        (f"{place}.{down}.weight", (width, hidden)),
    ]


def _jamba(config: Config, layer: int) -> list[Row]:
    width, hidden = config["hidden_size"], config["intermediate_size"]
    rows: list[Row] = [("input_layernorm.weight", (width,)), ("pre_ff_layernorm.weight", (width,))]
    if layer % 4 == 2:
        keys = config["num_key_value_heads"] * width // config["num_attention_heads"]
        rows += [
            (f"self_attn.{part}_proj.weight", (size, width))
            for part, size in (("q", width), ("k", keys), ("v", keys), ("o", width))
        ]
    else:
        rows += _first(config, "mamba")
        rows += [(f"mamba.{part}_layernorm.weight", (size,)) for part, size in (("dt", 4), ("b", 16), ("c", 16))]
    if layer % 2 == 0:
        return rows + _mlp("feed_forward", width, hidden)
    rows.append(("feed_forward.router.weight", (config["num_experts"], width)))
    for expert in range(config["num_experts"]):
        rows += _mlp(f"feed_forward.experts.{expert}", width, hidden)
    return rows


def _kimi(config: Config, layer: int) -> list[Row]:
    width = config["hidden_size"]
    rows: list[Row] = [("input_layernorm.weight", (width,)), ("post_attention_layernorm.weight", (width,))]
    rows += [(f"self_attn.{name}", shape) for name, shape in (_latent if layer == 2 else _delta)(config)]
    if layer == 0:
        return rows + _mlp("mlp", width, config["intermediate_size"])
    hidden, count = config["moe_intermediate_size"], config["num_experts"]
    rows += [
        ("block_sparse_moe.gate.weight", (count, width)),
        ("block_sparse_moe.gate.e_score_correction_bias", (count,)),
    ]
    for expert in range(count):
        rows += _mlp(f"block_sparse_moe.experts.{expert}", width, hidden, ("w1", "w3", "w2"))
    return rows + _mlp("block_sparse_moe.shared_experts", width, hidden)


def _latent(config: Config) -> list[Row]:
    width, heads, rank = config["hidden_size"], config["num_attention_heads"], config["kv_lora_rank"]
    turned, plain, values = config["qk_rope_head_dim"], config["qk_nope_head_dim"], config["v_head_dim"]
    return [
        ("q_proj.weight", (heads * (plain + turned), width)),
        ("kv_a_proj_with_mqa.weight", (rank + turned, width)),
        ("kv_a_layernorm.weight", (rank,)),
        ("kv_b_proj.weight", (heads * (plain + values), rank)),
        ("o_proj.weight", (width, heads * values)),
    ]


def _delta(config: Config) -> list[Row]:
    width, size, heads = config["hidden_size"], 16, 4
    values = size * heads
    return [
        *((f"{part}_proj.weight", (values, width)) for part in "qkv"),
        *((f"{part}_conv1d.weight", (values, 1, 4)) for part in "qkv"),
        ("f_a_proj.weight", (size, width)),
        ("f_b_proj.weight", (values, size)),
        ("dt_bias", (values,)),
        ("A_log", (1, 1, heads, 1)),
        ("b_proj.weight", (heads, width)),
        ("g_a_proj.weight", (size, width)),
        ("g_b_proj.weight", (values, size)),
        ("o_norm.weight", (size,)),
        ("o_proj.weight", (width, values)),
    ]


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by a folder's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(37)

    def made(name: str, shape: tuple[int, ...]) -> Array:
        if name.endswith("bias"):
            return (random.standard_normal(shape) * 0.3).astype(np.float32)
        if len(shape) == 1 or name.endswith("A_log"):
            return random.uniform(0.5, 1.5, shape).astype(np.float32)
        return (random.standard_normal(shape) * 1.5 / math.sqrt(shape[-1])).astype(np.float32)

    return {name: made(name, shape) for name, shape in rows_of(config)}


def write_folder(folder: Path, config: Config) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors_of(config)))
    return folder
