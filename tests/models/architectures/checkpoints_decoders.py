"""Tiny random checkpoints of decoders with full or window attention, as ``checkpoints.py`` has them of others.

One row says what a tensor is called in a folder and in a GGUF file, and its shape; GGUF's settings and the order of
numbers are those of llama.cpp's converter (``conversion/``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from gguf import ExpertGatingFuncType, GGUFWriter
from numpy.typing import NDArray

if __package__:
    from tests.models.architectures.checkpoints import SMALL, llama3_factors, safetensors
else:
    from checkpoints import SMALL, llama3_factors, safetensors  # run by record_logits.py, without mlxr

Array = NDArray[np.float32]
Config = Mapping[str, Any]
Row: TypeAlias = "tuple[str, str, tuple[int, ...]]"
"""A tensor's name in a folder and in a GGUF file, within its layer, and its shape in a folder."""

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


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def head_dim(config: Config) -> int:
    return int(config.get("head_dim", config["hidden_size"] // config["num_attention_heads"]))


def layer_rows(config: Config, layer: int) -> list[Row]:
    """The tensors of a layer."""
    kind = config["model_type"]
    rows = attention(config) + LAYER_PARTS[kind](config, layer)
    if kind in BIASED:
        rows += [bias(row) for row in rows[:3]]
    return rows


def bias(row: Row) -> Row:
    """The bias beside a weight."""
    name, gguf, shape = row
    return name.replace("weight", "bias"), gguf.replace("weight", "bias"), shape[:1]


BIASED = ("glm4_moe",)
"""They have biases on queries, keys and values."""


def attention(config: Config) -> list[Row]:
    width, dim = config["hidden_size"], head_dim(config)
    queries, keys = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    return [
        ("self_attn.q_proj.weight", "attn_q.weight", (queries, width)),
        ("self_attn.k_proj.weight", "attn_k.weight", (keys, width)),
        ("self_attn.v_proj.weight", "attn_v.weight", (keys, width)),
        ("self_attn.o_proj.weight", "attn_output.weight", (width, queries)),
    ]


def gated(width: int, hidden: int, place: str = "mlp", suffix: str = "") -> list[Row]:
    """A perceptron; ``suffix``: of its names in GGUF (``_shexp``)."""
    return [
        (f"{place}.gate_proj.weight", f"ffn_gate{suffix}.weight", (hidden, width)),
        (f"{place}.up_proj.weight", f"ffn_up{suffix}.weight", (hidden, width)),
        (f"{place}.down_proj.weight", f"ffn_down{suffix}.weight", (width, hidden)),
    ]


def mixture(width: int, hidden: int, count: int) -> list[Row]:
    """Experts in tensors of their own, which a GGUF file has above one another."""
    return [row for expert in range(count) for row in gated(width, hidden, f"mlp.experts.{expert}", "_exps")]


def norm(name: str, gguf: str, *shape: int) -> Row:
    return f"{name}.weight", f"{gguf}.weight", shape


def before(width: int, second: str = "ffn_norm") -> list[Row]:
    return [norm("input_layernorm", "attn_norm", width), norm("post_attention_layernorm", second, width)]


def behind(width: int) -> list[Row]:
    return [
        norm("post_attention_layernorm", "post_attention_norm", width),
        norm("post_feedforward_layernorm", "post_ffw_norm", width),
    ]


def heads_normed(query: int, key: int, names: tuple[str, str] = ("q_norm", "k_norm")) -> list[Row]:
    return [
        norm(f"self_attn.{names[0]}", "attn_q_norm", query),
        norm(f"self_attn.{names[1]}", "attn_k_norm", key),
    ]


def _ministral3(config: Config, layer: int) -> list[Row]:
    return [*gated(config["hidden_size"], config["intermediate_size"]), *before(config["hidden_size"])]


def _olmo(config: Config, layer: int) -> list[Row]:
    width, dim = config["hidden_size"], head_dim(config)
    sizes = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    return [*gated(width, config["intermediate_size"]), *behind(width), *heads_normed(*sizes)]


def _cohere(config: Config, layer: int) -> list[Row]:
    width = config["hidden_size"]
    return [*gated(width, config["intermediate_size"]), norm("input_layernorm", "attn_norm", width)]


def _exaone4(config: Config, layer: int) -> list[Row]:
    width, dim = config["hidden_size"], head_dim(config)
    return [*gated(width, config["intermediate_size"]), *behind(width), *heads_normed(dim, dim)]


def _hunyuan(config: Config, layer: int) -> list[Row]:
    width, dim, hidden = config["hidden_size"], head_dim(config), config["intermediate_size"]
    norms = [*before(width), *heads_normed(dim, dim, ("query_layernorm", "key_layernorm"))]
    if count := config.get("num_experts", 0):
        router = norm("mlp.gate.wg", "ffn_gate_inp", count, width)
        return [router, *mixture(width, hidden, count), *gated(width, hidden, "mlp.shared_mlp", "_shexp"), *norms]
    return [*gated(width, hidden), *norms]


def _glm4_moe(config: Config, layer: int) -> list[Row]:
    width, dim, hidden = config["hidden_size"], head_dim(config), config["moe_intermediate_size"]
    norms = before(width, "post_attention_norm")
    norms += heads_normed(dim, dim) if config["use_qk_norm"] else []
    if layer < config["first_k_dense_replace"]:
        return [*gated(width, config["intermediate_size"]), *norms]
    count = config["n_routed_experts"]
    return [
        norm("mlp.gate", "ffn_gate_inp", count, width),
        ("mlp.gate.e_score_correction_bias", "exp_probs_b.bias", (count,)),
        *mixture(width, hidden, count),
        *gated(width, hidden * config["n_shared_experts"], "mlp.shared_experts", "_shexp"),
        *norms,
    ]


def _granite_moe(config: Config, layer: int) -> list[Row]:
    width, hidden, count = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    rows = [
        norm("block_sparse_moe.router.layer", "ffn_gate_inp", count, width),
        norm("block_sparse_moe.input_linear", "ffn_gate_exps+ffn_up_exps", count, 2 * hidden, width),
        norm("block_sparse_moe.output_linear", "ffn_down_exps", count, width, hidden),
    ]
    if shared := config.get("shared_intermediate_size"):
        rows += [
            norm("shared_mlp.input_linear", "ffn_gate_shexp+ffn_up_shexp", 2 * shared, width),
            norm("shared_mlp.output_linear", "ffn_down_shexp", width, shared),
        ]
    return [*rows, *before(width)]


def _llama4(config: Config, layer: int) -> list[Row]:
    width, hidden, count = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]
    if (layer + 1) % config["interleave_moe_layer_step"]:
        return [*gated(width, config["intermediate_size_mlp"], "feed_forward"), *before(width)]
    return [
        norm("feed_forward.router", "ffn_gate_inp", count, width),
        ("feed_forward.experts.gate_up_proj", "ffn_gate_exps+ffn_up_exps.weight", (count, width, 2 * hidden)),
        ("feed_forward.experts.down_proj", "ffn_down_exps.weight", (count, hidden, width)),
        *gated(width, hidden, "feed_forward.shared_expert", "_shexp"),
        *before(width),
    ]


def _nemotron(config: Config, layer: int) -> list[Row]:
    width = config["hidden_size"]
    biases = [bias(row) for row in before(width)]
    return [*gated(width, config["intermediate_size"])[1:], *before(width), *biases]


LAYER_PARTS = {
    "ministral3": _ministral3,
    "olmo2": _olmo,
    "olmo3": _olmo,
    "cohere": _cohere,
    "cohere2": _cohere,
    "exaone4": _exaone4,
    "hunyuan_v1_dense": _hunyuan,
    "hunyuan_v1_moe": _hunyuan,
    "glm4_moe": _glm4_moe,
    "granitemoe": _granite_moe,
    "granitemoeshared": _granite_moe,
    "llama4_text": _llama4,
    "nemotron": _nemotron,
}


def rows_of(config: Config) -> list[Row]:
    """All tensors."""
    width, vocabulary = config["hidden_size"], config["vocab_size"]
    rows = [norm("model.embed_tokens", "token_embd", vocabulary, width), norm("model.norm", "output_norm", width)]
    if config["model_type"] == "nemotron":
        rows.append(("model.norm.bias", "output_norm.bias", (width,)))
    if not config["tie_word_embeddings"]:
        rows.append(norm("lm_head", "output", vocabulary, width))
    for layer in range(config["num_hidden_layers"]):
        rows += [
            (f"model.layers.{layer}.{name}", f"blk.{layer}.{gguf}", shape)
            for name, gguf, shape in layer_rows(config, layer)
        ]
    return rows


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by Hugging Face's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(23)
    stored_less_one = config["model_type"] == "nemotron"

    def made(name: str, shape: tuple[int, ...]) -> Array:
        if name.endswith("bias"):
            return (random.standard_normal(shape) * 0.3).astype(np.float32)
        if len(shape) == 1:
            return (random.uniform(0.5, 1.5, shape) - stored_less_one).astype(np.float32)
        inputs = shape[-2] if turned(name) else shape[-1]
        return (random.standard_normal(shape) * 1.5 / math.sqrt(inputs)).astype(np.float32)

    return {name: made(name, shape) for name, _, shape in rows_of(config)}


def turned(name: str) -> bool:
    """Whether a tensor has inputs first."""
    return "feed_forward.experts" in name


def write_folder(folder: Path, config: Config, without: str = "-") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: numbers for name, numbers in tensors_of(config).items() if not name.endswith(without)}
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    return folder


ARCHITECTURES = {
    "ministral3": "mistral3",
    "olmo3": "olmo2",
    "cohere": "command-r",
    "hunyuan_v1_dense": "hunyuan-dense",
    "hunyuan_v1_moe": "hunyuan-moe",
    "glm4_moe": "glm4moe",
    "granitemoeshared": "granitemoe",
    "llama4_text": "llama4",
}
NEIGHBOURS = ("ministral3", "granitemoe", "granitemoeshared")
"""Their converters sort rows so that neighbours turn together."""

SETTINGS = {
    "attention_multiplier": "attention.scale",
    "embedding_multiplier": "embedding_scale",
    "residual_multiplier": "residual_scale",
    "logits_scaling": "logit_scale",
    "logit_scale": "logit_scale",
    "layer_norm_eps": "attention.layer_norm_epsilon",
    "norm_eps": "attention.layer_norm_epsilon",
    "rms_norm_eps": "attention.layer_norm_rms_epsilon",
    "routed_scaling_factor": "expert_weights_scale",
}
"""Numbers that have another name in a GGUF file."""

COUNTS = {
    "sliding_window": "attention.sliding_window",
    "num_experts": "expert_count",
    "num_local_experts": "expert_count",
    "n_routed_experts": "expert_count",
    "num_experts_per_tok": "expert_used_count",
    "n_shared_experts": "expert_shared_count",
    "shared_intermediate_size": "expert_shared_feed_forward_length",
    "first_k_dense_replace": "leading_dense_block_count",
    "n_group": "expert_group_count",
    "topk_group": "expert_group_used_count",
    "interleave_moe_layer_step": "interleave_moe_layer_step",
}


def write_gguf(path: Path, config: Config) -> Path:
    """The same model as llama.cpp's converter writes it."""
    kind = config["model_type"]
    architecture = ARCHITECTURES.get(kind, kind)
    writer = GGUFWriter(path, architecture)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config.get("intermediate_size_mlp", config["intermediate_size"]))
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    if "head_dim" in config:
        writer.add_key_length(head_dim(config))
        writer.add_value_length(head_dim(config))
    for key, name in SETTINGS.items():
        if key in config:
            writer.add_float32(f"{architecture}.{name}", config[key])
    for key, name in COUNTS.items():
        if config.get(key) is not None:
            writer.add_uint32(f"{architecture}.{name}", config[key])
    write_rope(writer, architecture, config)
    if "layer_types" in config and config.get("sliding_window") and kind != "cohere2":
        writer.add_sliding_window_pattern([one == "sliding_attention" for one in config["layer_types"]])
    if kind == "glm4_moe":
        writer.add_expert_gating_func(ExpertGatingFuncType.SIGMOID)
        writer.add_expert_weights_norm(config["norm_topk_prob"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    if kind == "hunyuan_v1_moe":
        writer.add_expert_used_count(config["moe_topk"][0])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"][0])
        writer.add_expert_shared_feed_forward_length(config["intermediate_size"])
        writer.add_expert_shared_count(1)
    if kind == "llama4_text":
        writer.add_expert_feed_forward_length(config["intermediate_size"])
    for name, numbers in gguf_tensors(config).items():
        writer.add_tensor(name, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_rope(writer: GGUFWriter, architecture: str, config: Config) -> None:
    scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
    writer.add_rope_freq_base(scaling.get("rope_theta", config.get("rope_theta")))
    if "partial_rotary_factor" in config:
        writer.add_rope_dimension_count(int(head_dim(config) * config["partial_rotary_factor"]))
    if scaling.get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors({**config, "head_dim": head_dim(config)}))
    if scaling.get("rope_type") != "yarn":
        return
    writer.add_string(f"{architecture}.rope.scaling.type", "yarn")
    writer.add_rope_scaling_factor(scaling["factor"])
    writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    writer.add_rope_scaling_yarn_beta_fast(scaling["beta_fast"])
    writer.add_rope_scaling_yarn_beta_slow(scaling["beta_slow"])
    if "llama_4_scaling_beta" in scaling:
        writer.add_rope_scaling_yarn_log_mul(scaling["mscale_all_dim"])
        writer.add_attn_temperature_scale(scaling["llama_4_scaling_beta"])


def gguf_tensors(config: Config) -> dict[str, Array]:
    found: dict[str, Array] = {}
    experts: dict[str, list[Array]] = {}
    numbers_of = tensors_of(config)
    for name, gguf, _ in rows_of(config):
        numbers = numbers_of[name]
        numbers = np.ascontiguousarray(numbers.swapaxes(1, 2)) if turned(name) else numbers
        if "+" in gguf:
            first, _, second = gguf.removesuffix(".weight").rpartition(".")[2].partition("+")
            place = gguf.partition(first)[0]
            half = numbers.shape[-2] // 2
            found[f"{place}{first}.weight"] = np.ascontiguousarray(numbers[..., :half, :])
            found[f"{place}{second}.weight"] = np.ascontiguousarray(numbers[..., half:, :])
        elif gguf.endswith("_exps.weight") and numbers.ndim == 2:
            experts.setdefault(gguf, []).append(numbers)
        else:
            found[gguf] = gguf_numbers(name, numbers, config)
    return {**found, **{gguf: np.stack(parts) for gguf, parts in experts.items()}}


def gguf_numbers(name: str, numbers: Array, config: Config) -> Array:
    """Nemotron's norms get their 1; rows of queries and keys may be sorted so that neighbours turn together."""
    if config["model_type"] == "nemotron" and name.endswith("norm.weight"):
        return numbers + 1
    if config["model_type"] in NEIGHBOURS and (".q_proj." in name or ".k_proj." in name):
        return numbers.reshape(-1, 2, head_dim(config) // 2, numbers.shape[1]).swapaxes(1, 2).reshape(numbers.shape)
    return numbers
