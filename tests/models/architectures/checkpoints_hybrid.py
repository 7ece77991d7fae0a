"""Tiny random checkpoints of models that mix attention with the gated delta rule: folders of Hugging Face's kind and of
MLX's, and GGUF files of the same weights as llama.cpp's converter writes them. NumPy alone, as ``checkpoints.py``."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFWriter
from numpy.typing import NDArray

if __package__:
    from tests.models.architectures.checkpoints import safetensors
else:
    from checkpoints import safetensors  # run by record_logits.py, without mlxr

Array = NDArray[np.float32]
Config = Mapping[str, Any]
Tensors = dict[str, Array]

VOCABULARY = 100
TOKENS: list[int] = np.random.RandomState(6).randint(0, VOCABULARY, 90).tolist()
POSITIONS = (0, 2, 7, 40, 65, 89)
"""Where logits are compared: before and behind a whole chunk of 64 tokens."""

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "layer_types": ["linear_attention"] * 3 + ["full_attention", "linear_attention"],
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 16,
    "linear_value_head_dim": 16,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "attention_bias": False,
}
MIXTURE = {
    "num_experts": 8,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 48,
    "shared_expert_intermediate_size": 80,
}
ROPE = {
    "rope_type": "default",
    "rope_theta": 1e6,
    "partial_rotary_factor": 0.25,
    "mrope_section": [2, 1, 1],
    "mrope_interleaved": True,
}
CASES: dict[str, Config] = {
    "qwen3_next": {
        **SMALL,
        **MIXTURE,
        "model_type": "qwen3_next",
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
        "partial_rotary_factor": 0.5,
        "rope_theta": 1e6,
    },
    "qwen3_5": {**SMALL, "model_type": "qwen3_5_text", "rope_parameters": ROPE},
    "qwen3_5_moe": {**SMALL, **MIXTURE, "model_type": "qwen3_5_moe_text", "rope_parameters": ROPE},
}


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def tensors_of(config: Config) -> Tensors:
    """Random weights by Hugging Face's names."""
    random = np.random.RandomState(12)
    width = config["hidden_size"]

    def matrix(rows: int, columns: int) -> Array:
        return (random.standard_normal((rows, columns)) * 1.5 / math.sqrt(columns)).astype(np.float32)

    def around(middle: float, size: int) -> Array:
        return (random.uniform(-0.5, 0.5, size) + middle).astype(np.float32)

    tensors = {"model.embed_tokens.weight": matrix(config["vocab_size"], width)}
    for layer, kind in enumerate(config["layer_types"]):
        parts = {"input_layernorm.weight": around(0, width), "post_attention_layernorm.weight": around(0, width)}
        parts |= (_delta if kind == "linear_attention" else _attention)(config, matrix, around)
        parts |= _mixture(config, matrix) if "num_experts" in config else _mlp(config, matrix)
        tensors |= {f"model.layers.{layer}.{part}": values for part, values in parts.items()}
    return {**tensors, "model.norm.weight": around(0, width), "lm_head.weight": matrix(config["vocab_size"], width)}


Matrix = Callable[[int, int], Array]
Around = Callable[[float, int], Array]


def _attention(config: Config, matrix: Matrix, around: Around) -> Tensors:
    width, dim = config["hidden_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    return {
        "self_attn.q_proj.weight": matrix(2 * queries, width),
        "self_attn.k_proj.weight": matrix(keys, width),
        "self_attn.v_proj.weight": matrix(keys, width),
        "self_attn.o_proj.weight": matrix(width, queries),
        "self_attn.q_norm.weight": around(0, dim),
        "self_attn.k_norm.weight": around(0, dim),
    }


def sizes_of(config: Config) -> tuple[int, int, int, int, int, int]:
    """Key heads, value heads, numbers of each, and of all keys and all values."""
    key_heads, value_heads = config["linear_num_key_heads"], config["linear_num_value_heads"]
    key_dim, value_dim = config["linear_key_head_dim"], config["linear_value_head_dim"]
    return key_heads, value_heads, key_dim, value_dim, key_heads * key_dim, value_heads * value_dim


def _delta(config: Config, matrix: Matrix, around: Around) -> Tensors:
    width, taps = config["hidden_size"], config["linear_conv_kernel_dim"]
    _, heads, _, value_dim, keys, values = sizes_of(config)
    if config["model_type"] == "qwen3_next":
        inputs = {"in_proj_qkvz": matrix(2 * keys + 2 * values, width), "in_proj_ba": matrix(2 * heads, width)}
    else:
        inputs = {
            "in_proj_qkv": matrix(2 * keys + values, width),
            "in_proj_z": matrix(values, width),
            "in_proj_b": matrix(heads, width),
            "in_proj_a": matrix(heads, width),
        }
    return {
        **{f"linear_attn.{part}.weight": weight for part, weight in inputs.items()},
        "linear_attn.conv1d.weight": matrix(2 * keys + values, taps)[:, None],
        "linear_attn.A_log": around(0, heads) * 3,
        "linear_attn.dt_bias": around(-1, heads),
        "linear_attn.norm.weight": around(1, value_dim),
        "linear_attn.out_proj.weight": matrix(width, values),
    }


def _mlp(config: Config, matrix: Matrix, place: str = "mlp", hidden: str = "intermediate_size") -> Tensors:
    width = config["hidden_size"]
    shapes = {"gate": (config[hidden], width), "up": (config[hidden], width), "down": (width, config[hidden])}
    return {f"{place}.{part}_proj.weight": matrix(*shape) for part, shape in shapes.items()}


def _mixture(config: Config, matrix: Matrix) -> Tensors:
    """Qwen3-Next keeps each expert by itself, Qwen3.5 all together, gates above ups."""
    width, count = config["hidden_size"], config["num_experts"]
    tensors = {"mlp.gate.weight": matrix(count, width), "mlp.shared_expert_gate.weight": matrix(1, width)}
    tensors |= _mlp(config, matrix, "mlp.shared_expert", "shared_expert_intermediate_size")
    own = [_mlp(config, matrix, f"mlp.experts.{number}", "moe_intermediate_size") for number in range(count)]
    if config["model_type"] == "qwen3_next":
        return tensors | {name: values for expert in own for name, values in expert.items()}
    gates, ups, downs = (np.stack([list(expert.values())[part] for expert in own]) for part in range(3))
    return tensors | {"mlp.experts.gate_up_proj": np.concatenate([gates, ups], 1), "mlp.experts.down_proj": downs}


def write_folder(folder: Path, config: Config, extra: Tensors | None = None) -> Path:
    """As Hugging Face's; ``extra`` tensors beside the model's own."""
    return _written(folder, config, {**tensors_of(config), **(extra or {})})


def write_seeing_folder(folder: Path, config: Config) -> Path:
    """The same within a model that looks at images, and with layers that draft tokens."""
    outer = {
        "model_type": config["model_type"].removesuffix("_text"),
        "text_config": {**config, "mtp_num_hidden_layers": 1, "mamba_ssm_dtype": "float32", "attn_output_gate": True},
        "vision_config": {"hidden_size": 9},
        "image_token_id": 90,
    }
    tensors = {name.replace("model.", "model.language_model.", 1): own for name, own in tensors_of(config).items()}
    others = {"mtp.layers.0.self_attn.q_proj.weight": np.ones((4, 4)), "model.visual.blocks.0.norm1.weight": np.ones(9)}
    return _written(folder, outer, {**tensors, **{name: own.astype(np.float32) for name, own in others.items()}})


def write_mlx_folder(folder: Path, config: Config) -> Path:
    """As mlx-lm's: norms with their 1, experts together, taps behind channels. Nothing is quantized."""
    tensors: Tensors = {}
    for name, values in stacked(tensors_of(config)).items():
        name = name.replace(".experts.", ".switch_mlp.")
        if name.endswith("conv1d.weight"):
            values = values.swapaxes(1, 2)
        tensors[name] = values + 1 if _offset(name) else values
    return _written(folder, config, tensors, "mlx")


def _written(folder: Path, config: Config, tensors: Tensors, format: str = "pt") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    dense = {name: np.ascontiguousarray(values) for name, values in tensors.items()}
    (folder / "model.safetensors").write_bytes(safetensors(dense, format))
    return folder


def stacked(tensors: Tensors) -> Tensors:
    """With all experts in one tensor for each part, gates and ups apart, by names that end as others do."""
    whole: Tensors = {}
    parts: dict[str, list[Array]] = {}
    for name, values in tensors.items():
        before, found, after = name.partition(".experts.")
        if not found:
            whole[name] = values
        elif after == "gate_up_proj":
            for part, own in zip(("gate", "up"), np.split(values, 2, axis=1), strict=True):
                whole[f"{before}.experts.{part}_proj.weight"] = own
        elif after == "down_proj":
            whole[f"{name}.weight"] = values
        else:
            parts.setdefault(f"{before}.experts.{after.partition('.')[2]}", []).append(values)
    return {**whole, **{name: np.stack(values) for name, values in parts.items()}}


def _offset(name: str) -> bool:
    return name.endswith("norm.weight") and not name.endswith("linear_attn.norm.weight")


ARCHITECTURES = {"qwen3_next": "qwen3next", "qwen3_5_text": "qwen35", "qwen3_5_moe_text": "qwen35moe"}
IN_GGUF = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "post_attention_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "linear_attn.in_proj_qkv": "attn_qkv",
    "linear_attn.in_proj_z": "attn_gate",
    "linear_attn.in_proj_b": "ssm_beta",
    "linear_attn.in_proj_a": "ssm_alpha",
    "linear_attn.in_proj_ba": "ssm_ba",
    "linear_attn.conv1d": "ssm_conv1d",
    "linear_attn.norm": "ssm_norm",
    "linear_attn.out_proj": "ssm_out",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.experts.gate_proj": "ffn_gate_exps",
    "mlp.experts.up_proj": "ffn_up_exps",
    "mlp.experts.down_proj": "ffn_down_exps",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp",
}


def write_gguf(path: Path, config: Config, drafting: bool = False, words: Path | None = None) -> Path:
    """As llama.cpp's ``conversion/qwen.py`` writes it; with a layer behind that drafts tokens, if asked for. ``words``:
    a file whose tokenizer it has."""
    architecture = ARCHITECTURES[config["model_type"]]
    key_heads, value_heads, key_dim, _, _, values = sizes_of(config)
    rope = config.get("rope_parameters", config)
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(config["num_hidden_layers"] + drafting)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_rope_dimension_count(int(config["head_dim"] * rope["partial_rotary_factor"]))
    if "mrope_section" in rope:
        writer.add_rope_dimension_sections([*rope["mrope_section"], 0])
    writer.add_ssm_conv_kernel(config["linear_conv_kernel_dim"])
    writer.add_ssm_state_size(key_dim)
    writer.add_ssm_group_count(key_heads)
    writer.add_ssm_time_step_rank(value_heads)
    writer.add_ssm_inner_size(values)
    recurrent = [kind == "linear_attention" for kind in config["layer_types"]]
    writer.add_array(f"{architecture}.attention.recurrent_layers", recurrent + [False] * drafting)
    writer.add_full_attention_interval(4)
    if drafting:
        writer.add_nextn_predict_layers(1)
    if "num_experts" in config:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    if words:
        add_words(writer, words)
    for name, own in gguf_tensors(config, drafting).items():
        writer.add_tensor(name, np.ascontiguousarray(own))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_words(writer: GGUFWriter, words: Path) -> None:
    """Adds the tokenizer of the file ``words``."""
    for field in GGUFReader(words).fields.values():
        if field.name.startswith("tokenizer."):
            kind = {"sub_type": field.types[1]} if len(field.types) > 1 else {}
            writer.add_key_value(field.name, field.contents(), field.types[0], **kind)


def gguf_tensors(config: Config, drafting: bool = False) -> Tensors:
    tensors: Tensors = {}
    own, layers = tensors_of(config), config["num_hidden_layers"]
    if drafting:
        for name, values in drafting_parts(config["hidden_size"], 0).items():
            tensors[f"blk.{layers}.nextn.{name}.weight"] = values
        own |= drafting_layer(config)
    for name, values in stacked(own).items():
        if not name.startswith("model.layers."):
            tensors[f"{IN_GGUF[name.removesuffix('.weight')]}.weight"] = values + _offset(name)
            continue
        _, _, layer, part = name.split(".", 3)
        for own, made in _in_gguf(part, values, config).items():
            tensors[f"blk.{layer}.{own}"] = made
    return tensors


def drafting_layer(config: Config) -> Tensors:
    """Random weights of a layer of attention behind the last, by Hugging Face's names for its number."""
    longer = tensors_of({**config, "layer_types": [*config["layer_types"], "full_attention"]})
    place = f"model.layers.{config['num_hidden_layers']}."
    return {name: values for name, values in longer.items() if name.startswith(place)}


def drafting_parts(width: int, middle: float = 1.0) -> Tensors:
    """Random weights of what joins tokens and hidden states for a layer that drafts, by GGUF's names; norms ``middle``
    off 1, as Hugging Face's of this family are."""
    random = np.random.RandomState(13)

    def norm() -> Array:
        return (random.uniform(-0.5, 0.5, width) + 1 - middle).astype(np.float32)

    projection = (random.standard_normal((width, 2 * width)) * 1.5 / math.sqrt(2 * width)).astype(np.float32)
    return {"eh_proj": projection, "enorm": norm(), "hnorm": norm(), "shared_head_norm": norm()}


def _in_gguf(part: str, values: Array, config: Config) -> Tensors:
    """A layer's tensor by GGUF's name, or the two that it becomes."""
    key_heads, value_heads, key_dim, value_dim, keys, _ = sizes_of(config)
    own = value_heads // key_heads
    if part == "linear_attn.in_proj_qkvz.weight":
        heads = values.reshape(key_heads, -1, values.shape[1])
        ends = np.cumsum([key_dim, key_dim, own * value_dim])
        query, key, value, gate = (of.reshape(-1, values.shape[1]) for of in np.split(heads, ends, axis=1))
        return {"attn_qkv.weight": np.concatenate([query, key, value]), "attn_gate.weight": gate}
    if part == "linear_attn.conv1d.weight":
        values = values[:, 0]
    if part == "mlp.shared_expert_gate.weight":
        values = values[0]
    if config["model_type"] != "qwen3_next" and part.startswith("linear_attn."):
        values = _tiled(part, values, key_heads, own, value_dim, keys)
    if part == "linear_attn.A_log":
        return {"ssm_a": -np.exp(values)}
    if part == "linear_attn.dt_bias":
        return {"ssm_dt.bias": values}
    return {f"{IN_GGUF[part.removesuffix('.weight')]}.weight": values + _offset(part)}


def _tiled(part: str, values: Array, key_heads: int, own: int, value_dim: int, keys: int) -> Array:
    """With value heads that read by one key head ``key_heads`` apart instead of side by side."""

    def sort(rows: Array, size: int) -> Array:
        return rows.reshape(key_heads, own, size, *rows.shape[1:]).swapaxes(0, 1).reshape(rows.shape)

    match part.removeprefix("linear_attn.").removesuffix(".weight"):
        case "in_proj_qkv" | "conv1d":
            return np.concatenate([values[: 2 * keys], sort(values[2 * keys :], value_dim)])
        case "in_proj_z":
            return sort(values, value_dim)
        case "in_proj_a" | "in_proj_b" | "A_log" | "dt_bias":
            return sort(values, 1)
        case "out_proj":
            return sort(values.T, value_dim).T
        case _:
            return values
