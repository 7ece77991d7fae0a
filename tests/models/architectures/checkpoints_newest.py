"""Tiny random checkpoints of families of 2026, and of language models within models that look at images or listen."""

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

PLAIN = {key: value for key, value in SMALL.items() if key != "head_dim"}
GRANITE = {
    **PLAIN,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "num_hidden_layers": 5,
    "embedding_multiplier": 6.0,
    "logits_scaling": 4.0,
    "residual_multiplier": 0.4,
    "attention_multiplier": 0.2,
    "rope_theta": 10000.0,
    "sliding_window": 9,
}
NEAR, WHOLE = "sliding_attention", "full_attention"
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}
LAGUNA = {
    **SMALL,
    "model_type": "laguna",
    "hidden_act": "silu",
    "num_hidden_layers": 5,
    "num_attention_heads_per_layer": [4, 6, 6, 6, 4],
    "layer_types": [WHOLE, NEAR, NEAR, NEAR, WHOLE],
    "mlp_layer_types": ["dense", "sparse", "sparse", "sparse", "sparse"],
    "sliding_window": 9,
    "num_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 48,
    "moe_routed_scaling_factor": 2.5,
    "gating": "per-head",
    "rope_parameters": {
        WHOLE: {**YARN, "rope_theta": 500000.0, "partial_rotary_factor": 0.5},
        NEAR: {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 1.0},
    },
}

CASES: dict[str, Config] = {
    "granite_swa": {**GRANITE, "model_type": "granite_swa", "layer_rope_theta": [0, 10000.0, 500.0, 10000.0, 0]},
    "granitemoe_swa": {
        **GRANITE,
        "model_type": "granitemoe_swa",
        "layer_types": [WHOLE, NEAR, NEAR, NEAR, WHOLE],
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "shared_intermediate_size": 48,
    },
    "lfm3": {
        **{key: value for key, value in SMALL.items() if key != "rms_norm_eps"},
        "model_type": "lfm3",
        "hidden_act": "silu",
        "norm_eps": 1e-5,
        "num_hidden_layers": 6,
        "layer_types": ["conv", "conv", WHOLE, "conv", NEAR, WHOLE],
        "sliding_window": 9,
        "conv_L_cache": 7,
        "rope_parameters": {
            NEAR: {"rope_type": "default", "rope_theta": 10000.0},
            WHOLE: {"rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0.5},
        },
    },
    "lfm3 without gates and with biases": {
        **{key: value for key, value in SMALL.items() if key != "rms_norm_eps"},
        "model_type": "lfm3",
        "hidden_act": "silu",
        "num_hidden_layers": 5,
        "conv_bias": True,
        "attention_bias": True,
        "use_attention_gate": False,
        "use_sandwich_norm": False,
    },
    "laguna": LAGUNA,
    "laguna with gates of elements": {
        **LAGUNA,
        "gating": "per-element",
        "sliding_window": 0,
        "layer_types": [WHOLE] * 5,
        "num_attention_heads_per_layer": [4] * 5,
    },
    "cwm": {
        **SMALL,
        "model_type": "cwm",
        "hidden_act": "silu",
        "num_hidden_layers": 5,
        "sliding_window": 9,
        "rope_parameters": {
            "rope_theta": 1e6,
            "rope_type": "llama3",
            "factor": 16.0,
            "high_freq_factor": 4.0,
            "low_freq_factor": 1.0,
            "original_max_position_embeddings": 64,
        },
    },
    "ministral": {
        **SMALL,
        "model_type": "ministral",
        "hidden_act": "silu",
        "sliding_window": 9,
        "layer_types": [WHOLE, NEAR, WHOLE],
        "rope_theta": 1e6,
    },
}


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def rows_of(config: Config) -> list[Row]:
    """All tensors of a folder, and their shapes."""
    kind, width, words = config["model_type"], config["hidden_size"], config["vocab_size"]
    norm = "model.embedding_norm.weight" if kind == "lfm3" else "model.norm.weight"
    rows: list[Row] = [("model.embed_tokens.weight", (words, width)), (norm, (width,))]
    if not config["tie_word_embeddings"]:
        rows.append(("lm_head.weight", (words, width)))
    for layer in range(config["num_hidden_layers"]):
        rows += [(f"model.layers.{layer}.{name}", shape) for name, shape in LAYERS[kind](config, layer)]
    return rows


def _attention(config: Config, heads: int | None = None, biased: bool = False) -> list[Row]:
    width, heads = config["hidden_size"], heads or config["num_attention_heads"]
    size = config.get("head_dim", width // config["num_attention_heads"])
    queries, keys = heads * size, config["num_key_value_heads"] * size
    shapes = {"q_proj": (queries, width), "k_proj": (keys, width), "v_proj": (keys, width), "o_proj": (width, queries)}
    rows: list[Row] = [(f"self_attn.{name}.weight", shape) for name, shape in shapes.items()]
    return rows + ([(f"self_attn.{name}.bias", shape[:1]) for name, shape in shapes.items()] if biased else [])


def _norms(config: Config, *names: str) -> list[Row]:
    return [(f"{name}.weight", (config["hidden_size"],)) for name in names]


def _head_norms(config: Config) -> list[Row]:
    return [(f"self_attn.{name}_norm.weight", (config["head_dim"],)) for name in "qk"]


def _mlp(config: Config, place: str, hidden: int, parts: tuple[str, str, str]) -> list[Row]:
    width, (gate, up, down) = config["hidden_size"], parts
    return [
        (f"{place}.{gate}.weight", (hidden, width)),
        (f"{place}.{up}.weight", (hidden, width)),
        (f"{place}.{down}.weight", (width, hidden)),
    ]


PARTS = ("gate_proj", "up_proj", "down_proj")


def _llama(config: Config, layer: int) -> list[Row]:
    norms = _norms(config, "input_layernorm", "post_attention_layernorm")
    return norms + _attention(config) + _mlp(config, "mlp", config["intermediate_size"], PARTS)


def _granite(config: Config, layer: int) -> list[Row]:
    return [*_llama(config, layer), ("self_attn.sinks", (config["num_attention_heads"],))]


def _granite_moe(config: Config, layer: int) -> list[Row]:
    width, hidden, experts = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    rows = [row for row in _granite(config, layer) if not row[0].startswith("mlp.")]
    shared = config["shared_intermediate_size"]
    return [
        *rows,
        ("block_sparse_moe.router.weight", (experts, width)),
        ("block_sparse_moe.experts.gate_up_proj", (experts, 2 * hidden, width)),
        ("block_sparse_moe.experts.down_proj", (experts, width, hidden)),
        ("shared_mlp.input_linear.weight", (2 * shared, width)),
        ("shared_mlp.output_linear.weight", (width, shared)),
    ]


def _lfm3(config: Config, layer: int) -> list[Row]:
    width, heads = config["hidden_size"], config["num_attention_heads"]
    usual = {0: NEAR, 2: WHOLE}
    kind = config["layer_types"][layer] if "layer_types" in config else usual.get(layer % 4 if layer else 1, "conv")
    norms = ["operator_norm", "ffn_norm"]
    if config.get("use_sandwich_norm", True):
        norms += ["post_operator_norm", "post_ffn_norm"]
    rows = _norms(config, *norms) + _mlp(config, "feed_forward", config["intermediate_size"], ("w1", "w3", "w2"))
    if kind == "conv":
        taps, biased = config.get("conv_L_cache", 7), config.get("conv_bias", False)
        shapes = {"conv": (width, 1, taps), "in_proj": (3 * width, width), "out_proj": (width, width)}
        rows += [(f"conv.{name}.weight", shape) for name, shape in shapes.items()]
        return rows + ([(f"conv.{name}.bias", shape[:1]) for name, shape in shapes.items()] if biased else [])
    rows += _attention(config, biased=config.get("attention_bias", False)) + _head_norms(config)
    gates = config.get("use_attention_gate", True)
    return rows + ([("self_attn.gate_proj.weight", (heads, width))] if gates else [])


def _laguna(config: Config, layer: int) -> list[Row]:
    width, heads = config["hidden_size"], config["num_attention_heads_per_layer"][layer]
    gates = heads * (config["head_dim"] if config["gating"] == "per-element" else 1)
    rows = _norms(config, "input_layernorm", "post_attention_layernorm")
    rows += _attention(config, heads, config.get("attention_bias", False)) + _head_norms(config)
    rows.append(("self_attn.g_proj.weight", (gates, width)))
    if config["mlp_layer_types"][layer] == "dense":
        return rows + _mlp(config, "mlp", config["intermediate_size"], PARTS)
    experts = config["num_experts"]
    rows += [("mlp.gate.weight", (experts, width)), ("mlp.experts.e_score_correction_bias", (experts,))]
    rows += _mlp(config, "mlp.shared_expert", config["shared_expert_intermediate_size"], PARTS)
    for expert in range(experts):
        rows += _mlp(config, f"mlp.experts.{expert}", config["moe_intermediate_size"], PARTS)
    return rows


LAYERS = {
    "granite_swa": _granite,
    "granitemoe_swa": _granite_moe,
    "lfm3": _lfm3,
    "laguna": _laguna,
    "cwm": _llama,
    "ministral": _llama,
}


def tensors_of(config: Config) -> dict[str, Array]:
    """Random tensors; a norm's are around 1, and matrices keep the size of what goes through them."""
    random = np.random.RandomState(7)

    def made(name: str, shape: tuple[int, ...]) -> Array:
        values = random.standard_normal(shape)
        if "norm" in name:
            return (1 + 0.3 * values).astype(np.float32)
        if len(shape) == 1:
            return (0.5 * values).astype(np.float32)
        return (1.5 * values / math.sqrt(shape[-1])).astype(np.float32)

    return {name: made(name, shape) for name, shape in rows_of(config)}


def write_folder(folder: Path, config: Config) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors_of(config)))
    return folder
