"""Tiny random checkpoints of decoders with full or window attention, as ``checkpoints.py`` has them of others.

GGUF's settings and the order of numbers are those of llama.cpp's converter (``conversion/``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import ExpertGatingFuncType, GGUFWriter
from numpy.typing import NDArray

if __package__:
    from tests.models.architectures.checkpoints import llama3_factors, safetensors
    from tests.models.architectures.decoder_cases import CASES
    from tests.models.architectures.decoder_rows import Row, bias, head_dim, layer_rows, norm
else:
    from checkpoints import llama3_factors, safetensors  # run by record_logits.py, without mlxr
    from decoder_cases import CASES
    from decoder_rows import Row, bias, head_dim, layer_rows, norm

Array = NDArray[np.float32]
Config = Mapping[str, Any]


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def rows_of(config: Config) -> list[Row]:
    """All tensors."""
    width, vocabulary = config["hidden_size"], config["vocab_size"]
    rows = [norm("model.embed_tokens", "token_embd", vocabulary, width), norm("model.norm", "output_norm", width)]
    if config["model_type"] == "phi":
        rows[1] = norm("model.final_layernorm", "output_norm", width)
        rows.append(bias(norm("lm_head", "output", vocabulary)))
    if config["model_type"] in BIASED_FINAL_NORMS:
        rows.append(bias(rows[1]))
    if not config["tie_word_embeddings"]:
        rows.append(norm("lm_head", "output", vocabulary, width))
    for layer in range(config["num_hidden_layers"]):
        rows += [
            (f"model.layers.{layer}.{name}", f"blk.{layer}.{gguf}", shape)
            for name, gguf, shape in layer_rows(config, layer)
        ]
    return rows


STORED_LESS_ONE = ("nemotron", "gemma")
"""Their norms' weights are stored as their distance from 1, but for GGUF's."""

BIASED_FINAL_NORMS = ("nemotron", "starcoder2", "phi", "stablelm")


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by Hugging Face's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(23)
    stored_less_one = config["model_type"] in STORED_LESS_ONE

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
    "phi": "phi2",
    "minimax_m2": "minimax-m2",
    "solar_open": "glm4moe",
    "ernie4_5_moe": "ernie4_5-moe",
}
NEIGHBOURS = ("ministral3", "granitemoe", "granitemoeshared", "arcee")
"""Their converters sort rows so that neighbours turn together."""

SETTINGS = {
    "attention_multiplier": "attention.scale",
    "embedding_multiplier": "embedding_scale",
    "residual_multiplier": "residual_scale",
    "logits_scaling": "logit_scale",
    "logit_scale": "logit_scale",
    "layer_norm_eps": "attention.layer_norm_epsilon",
    "norm_eps": "attention.layer_norm_epsilon",
    "norm_epsilon": "attention.layer_norm_epsilon",
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
    "rotary_dim": "rope.dimension_count",
    "moe_num_experts": "expert_count",
    "moe_k": "expert_used_count",
    "moe_num_shared_experts": "expert_shared_count",
    "moe_layer_start_index": "leading_dense_block_count",
    "moe_layer_interval": "interleave_moe_layer_step",
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
    if kind in ("minimax_m2", "ernie4_5_moe"):
        writer.add_expert_feed_forward_length(config.get("moe_intermediate_size", config["intermediate_size"]))
    if kind == "minimax_m2":
        writer.add_expert_gating_func(ExpertGatingFuncType.SIGMOID)
    if kind in ("glm4_moe", "dots1", "solar_open"):
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
            shape = numbers.shape[1:] if numbers.shape[0] == 1 else numbers.shape
            found[gguf] = gguf_numbers(name, numbers, config).reshape(shape)
    return {**found, **{gguf: np.stack(parts) for gguf, parts in experts.items()}}


def gguf_numbers(name: str, numbers: Array, config: Config) -> Array:
    """Norms that are stored as their distance from 1 get it; rows of queries and keys may be sorted so that neighbours
    turn together."""
    if config["model_type"] in STORED_LESS_ONE and name.endswith("norm.weight"):
        return numbers + 1
    if config["model_type"] in NEIGHBOURS and (".q_proj." in name or ".k_proj." in name):
        return numbers.reshape(-1, 2, head_dim(config) // 2, numbers.shape[1]).swapaxes(1, 2).reshape(numbers.shape)
    return numbers
