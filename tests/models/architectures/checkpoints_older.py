"""Tiny random checkpoints of older decoders: other norms, halves beside one another, queries, keys and values in one
tensor."""

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
LAYER_NORM = {key: value for key, value in SHARED.items() if key not in ("rms_norm_eps", "num_key_value_heads")}
FALCON = {
    **{key: value for key, value in LAYER_NORM.items() if key != "intermediate_size"},
    "model_type": "falcon",
    "activation": "gelu",
    "layer_norm_epsilon": 1e-5,
    "ffn_hidden_size": 256,
    "alibi": False,
    "bias": False,
    "parallel_attn": True,
    "tie_word_embeddings": True,
}

CASES: dict[str, Config] = {
    "glm": {
        **SHARED,
        "model_type": "glm",
        "head_dim": 16,
        "hidden_act": "silu",
        "attention_bias": True,
        "partial_rotary_factor": 0.5,
        "rope_theta": 10000.0,
    },
    "gpt_neox": {
        **LAYER_NORM,
        "model_type": "gpt_neox",
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "rotary_pct": 0.25,
        "rotary_emb_base": 10000,
        "use_parallel_residual": True,
    },
    "gpt_neox with halves one after the other": {
        **LAYER_NORM,
        "model_type": "gpt_neox",
        "hidden_act": "gelu",
        "layer_norm_eps": 1e-5,
        "rotary_pct": 0.5,
        "rotary_emb_base": 10000,
        "use_parallel_residual": False,
    },
    "falcon": {**FALCON, "multi_query": True, "new_decoder_architecture": False},
    "falcon 2": {
        **FALCON,
        "new_decoder_architecture": True,
        "multi_query": True,
        "num_kv_heads": 2,
        "num_ln_in_parallel_attn": 1,
        "rope_theta": 500042.0,
    },
    "olmo": {
        **{key: value for key, value in SHARED.items() if key != "rms_norm_eps"},
        "model_type": "olmo",
        "hidden_act": "silu",
        "rope_theta": 10000.0,
        "clip_qkv": None,
    },
    "exaone": {
        **SHARED,
        "model_type": "exaone",
        "hidden_act": "silu",
        "rope_theta": 1000000.0,
        "rope_scaling": {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
}


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def rows_of(config: Config) -> list[Row]:
    """All tensors of a folder, and their shapes."""
    kind, width, words = config["model_type"], config["hidden_size"], config["vocab_size"]
    embedding, norm, head = ENDS[kind]
    rows: list[Row] = [(f"{embedding}.weight", (words, width))]
    if norm:
        rows.append((f"{norm}.weight", (width,)))
        rows += [(f"{norm}.bias", (width,))] if kind in BIASED else []
    if not config["tie_word_embeddings"]:
        rows.append((f"{head}.weight", (words, width)))
    for layer in range(config["num_hidden_layers"]):
        rows += [(f"{PLACES[kind]}.{layer}.{name}", shape) for name, shape in LAYERS[kind](config)]
    return rows


BIASED = ("gpt_neox", "falcon")
"""Their norms have biases."""
ENDS = {
    "glm": ("model.embed_tokens", "model.norm", "lm_head"),
    "gpt_neox": ("gpt_neox.embed_in", "gpt_neox.final_layer_norm", "embed_out"),
    "falcon": ("transformer.word_embeddings", "transformer.ln_f", "lm_head"),
    "olmo": ("model.embed_tokens", "", "lm_head"),
    "exaone": ("transformer.wte", "transformer.ln_f", "lm_head"),
}
PLACES = {
    "glm": "model.layers",
    "gpt_neox": "gpt_neox.layers",
    "falcon": "transformer.h",
    "olmo": "model.layers",
    "exaone": "transformer.h",
}


def _sizes(config: Config) -> tuple[int, int, int]:
    width = config["hidden_size"]
    return (
        width,
        config["intermediate_size"],
        config.get("num_key_value_heads", 1) * width // config["num_attention_heads"],
    )


def _attention(config: Config, place: str = "self_attn", output: str = "o_proj") -> list[Row]:
    width, _, keys = _sizes(config)
    return [
        (f"{place}.q_proj.weight", (width, width)),
        (f"{place}.k_proj.weight", (keys, width)),
        (f"{place}.v_proj.weight", (keys, width)),
        (f"{place}.{output}.weight", (width, width)),
    ]


def _glm(config: Config) -> list[Row]:
    width, hidden, keys = _sizes(config)
    biases = [(f"self_attn.{name}_proj.bias", (size,)) for name, size in (("q", width), ("k", keys), ("v", keys))]
    return [
        *_attention(config),
        *biases,
        ("mlp.gate_up_proj.weight", (2 * hidden, width)),
        ("mlp.down_proj.weight", (width, hidden)),
        ("input_layernorm.weight", (width,)),
        ("post_attention_layernorm.weight", (width,)),
    ]


def _gpt_neox(config: Config) -> list[Row]:
    width, hidden, _ = _sizes(config)
    shapes = {
        "input_layernorm": (width,),
        "post_attention_layernorm": (width,),
        "attention.query_key_value": (3 * width, width),
        "attention.dense": (width, width),
        "mlp.dense_h_to_4h": (hidden, width),
        "mlp.dense_4h_to_h": (width, hidden),
    }
    return [row for name, shape in shapes.items() for row in ((f"{name}.weight", shape), (f"{name}.bias", shape[:1]))]


def _falcon(config: Config) -> list[Row]:
    width, hidden = config["hidden_size"], config["ffn_hidden_size"]
    keys = config.get("num_kv_heads", 1) * width // config["num_attention_heads"]
    return [
        ("input_layernorm.weight", (width,)),
        ("input_layernorm.bias", (width,)),
        ("self_attention.query_key_value.weight", (width + 2 * keys, width)),
        ("self_attention.dense.weight", (width, width)),
        ("mlp.dense_h_to_4h.weight", (hidden, width)),
        ("mlp.dense_4h_to_h.weight", (width, hidden)),
    ]


def _olmo(config: Config) -> list[Row]:
    width, hidden, _ = _sizes(config)
    return [
        *_attention(config),
        ("mlp.gate_proj.weight", (hidden, width)),
        ("mlp.up_proj.weight", (hidden, width)),
        ("mlp.down_proj.weight", (width, hidden)),
    ]


def _exaone(config: Config) -> list[Row]:
    width, hidden, _ = _sizes(config)
    return [
        *_attention(config, "attn.attention", "out_proj"),
        ("mlp.c_fc_0.weight", (hidden, width)),
        ("mlp.c_fc_1.weight", (hidden, width)),
        ("mlp.c_proj.weight", (width, hidden)),
        ("ln_1.weight", (width,)),
        ("ln_2.weight", (width,)),
    ]


LAYERS = {"glm": _glm, "gpt_neox": _gpt_neox, "falcon": _falcon, "olmo": _olmo, "exaone": _exaone}


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by a folder's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(29)

    def made(name: str, shape: tuple[int, ...]) -> Array:
        if name.endswith("bias"):
            return (random.standard_normal(shape) * 0.3).astype(np.float32)
        if len(shape) == 1:
            return random.uniform(0.5, 1.5, shape).astype(np.float32)
        return (random.standard_normal(shape) * 1.5 / math.sqrt(shape[-1])).astype(np.float32)

    return {name: made(name, shape) for name, shape in rows_of(config)}


def write_folder(folder: Path, config: Config) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors_of(config)))
    return folder
