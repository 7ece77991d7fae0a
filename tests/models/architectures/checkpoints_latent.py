"""Tiny random checkpoints with latent attention, as ``checkpoints.py`` has them of other families."""

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
    from tests.models.architectures.checkpoints import SMALL, safetensors
    from tests.models.architectures.checkpoints_hybrid import add_words
else:
    from checkpoints import SMALL, safetensors  # run by record_logits.py, without mlxr
    from checkpoints_hybrid import add_words

Array = NDArray[np.float32]
Config = Mapping[str, Any]

LATENT = {
    **{key: value for key, value in SMALL.items() if key != "head_dim"},
    "hidden_act": "silu",
    "num_key_value_heads": 4,
    "kv_lora_rank": 48,
    "q_lora_rank": 40,
    "qk_nope_head_dim": 32,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "rope_theta": 10000.0,
}
MIXTURE = {
    **LATENT,
    "n_routed_experts": 16,
    "n_shared_experts": 2,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 32,
    "first_k_dense_replace": 1,
}
YARN = {
    "type": "yarn",
    "factor": 40,
    "original_max_position_embeddings": 64,
    "beta_fast": 32,
    "beta_slow": 1,
    "mscale": 1.0,
    "mscale_all_dim": 1.0,
}
V2 = {"model_type": "deepseek_v2", "norm_topk_prob": False, "routed_scaling_factor": 2.5}
V3 = {
    "model_type": "deepseek_v3",
    "norm_topk_prob": True,
    "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "num_nextn_predict_layers": 0,
}

CASES: dict[str, Config] = {
    "deepseek_v2 lite": {
        **MIXTURE,
        **V2,
        "q_lora_rank": None,
        "topk_method": "greedy",
        "n_group": 1,
        "topk_group": 1,
        "rope_scaling": {**YARN, "mscale": 0.707, "mscale_all_dim": 0.707},
    },
    "deepseek_v2": {
        **MIXTURE,
        **V2,
        "topk_method": "group_limited_greedy",
        "n_group": 4,
        "topk_group": 2,
        "rope_scaling": YARN,
    },
    "deepseek_v3": {**MIXTURE, **V3, "n_group": 4, "topk_group": 2, "rope_scaling": YARN},
    "deepseek_v3 without groups": {**MIXTURE, **V3, "q_lora_rank": None, "n_group": 1, "topk_group": 1},
    "deepseek_v3 with halves": {**MIXTURE, **V3, "n_group": 4, "topk_group": 2, "rope_interleave": False},
    "glm4_moe_lite": {
        **MIXTURE,
        "model_type": "glm4_moe_lite",
        "v_head_dim": 48,
        "n_shared_experts": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": 1.8,
        "n_group": 1,
        "topk_group": 1,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
    },
    "mistral4": {
        **MIXTURE,
        "model_type": "mistral4",
        "architectures": ["Mistral4ForCausalLM"],
        "n_shared_experts": 1,
        "norm_topk_prob": True,
        "routed_scaling_factor": 1.0,
        "n_group": 1,
        "topk_group": 1,
        "rope_parameters": {
            **YARN,
            "rope_type": "yarn",
            "rope_theta": 10000.0,
            "original_max_position_embeddings": 16,
            "llama_4_scaling_beta": 0.1,
            "partial_rotary_factor": 16 / 48,
            "max_position_embeddings": 512,
        },
    },
    # transformers makes zeros of a padding token's embedding, and so of its logit.
    "youtu": {**LATENT, "model_type": "youtu", "tie_word_embeddings": True, "pad_token_id": None},
    "minicpm3": {
        **LATENT,
        "model_type": "minicpm3",
        "tie_word_embeddings": True,
        "v_head_dim": 16,
        "scale_emb": 12,
        "scale_depth": 1.4,
        "dim_model_base": 256,
        "rope_scaling": {
            "type": "longrope",
            "short_factor": [1.0 + 0.1 * i for i in range(8)],
            "long_factor": [1.5 + 0.5 * i for i in range(8)],
            "original_max_position_embeddings": 512,
        },
    },
}


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by Hugging Face's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(17)

    def made(shape: tuple[int, ...], part: str) -> Array:
        if len(shape) == 1 and part.endswith("bias"):
            return (random.standard_normal(shape) * 0.3).astype(np.float32)
        if len(shape) == 1:
            return random.uniform(0.5, 1.5, shape).astype(np.float32)
        return (random.standard_normal(shape) * 1.5 / math.sqrt(shape[-1])).astype(np.float32)

    width = config["hidden_size"]
    shapes = {"model.embed_tokens.weight": (config["vocab_size"], width)}
    for layer in range(config["num_hidden_layers"]):
        parts = {**attention(config), **feed_forward(config, layer)}
        parts |= {"input_layernorm.weight": (width,), "post_attention_layernorm.weight": (width,)}
        shapes |= {f"model.layers.{layer}.{part}": shape for part, shape in parts.items()}
    shapes["model.norm.weight"] = (width,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], width)
    return {name: made(shape, name) for name, shape in shapes.items()}


def attention(config: Config) -> dict[str, tuple[int, ...]]:
    """Shapes of a layer's latent attention, by Hugging Face's names."""
    width, heads, rank = config["hidden_size"], config["num_attention_heads"], config["kv_lora_rank"]
    plain, rope, values = (config[key] for key in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"))
    queries = heads * (plain + rope)
    found: dict[str, tuple[int, ...]] = {"q_proj.weight": (queries, width)}
    if down := config["q_lora_rank"]:
        found = {"q_a_proj.weight": (down, width), "q_a_layernorm.weight": (down,), "q_b_proj.weight": (queries, down)}
    found |= {
        "kv_a_proj_with_mqa.weight": (rank + rope, width),
        "kv_a_layernorm.weight": (rank,),
        "kv_b_proj.weight": (heads * (plain + values), rank),
        "o_proj.weight": (width, heads * values),
    }
    return {f"self_attn.{part}": shape for part, shape in found.items()}


def feed_forward(config: Config, layer: int) -> dict[str, tuple[int, ...]]:
    width = config["hidden_size"]

    def gated(place: str, hidden: int) -> dict[str, tuple[int, ...]]:
        inward = {f"{place}.{part}_proj.weight": (hidden, width) for part in ("gate", "up")}
        return {**inward, f"{place}.down_proj.weight": (width, hidden)}

    if layer < config.get("first_k_dense_replace", config["num_hidden_layers"]):
        return gated("mlp", config["intermediate_size"])
    count, hidden = config["n_routed_experts"], config["moe_intermediate_size"]
    found: dict[str, tuple[int, ...]] = {"mlp.gate.weight": (count, width)}
    if config["model_type"] == "mistral4":
        found |= {"mlp.experts.gate_up_proj": (count, 2 * hidden, width)}
        found |= {"mlp.experts.down_proj": (count, width, hidden)}
        return found | gated("mlp.shared_experts", hidden * config["n_shared_experts"])
    if config["model_type"] != "deepseek_v2":
        found["mlp.gate.e_score_correction_bias"] = (count,)
    for expert in range(count):
        found |= gated(f"mlp.experts.{expert}", hidden)
    return found | gated("mlp.shared_experts", hidden * config["n_shared_experts"])


def write_folder(folder: Path, config: Config) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors_of(config)))
    return folder


IN_GGUF = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.q_a_proj": "attn_q_a",
    "self_attn.q_a_layernorm": "attn_q_a_norm",
    "self_attn.q_b_proj": "attn_q_b",
    "self_attn.kv_a_proj_with_mqa": "attn_kv_a_mqa",
    "self_attn.kv_a_layernorm": "attn_kv_a_norm",
    "self_attn.kv_b_proj": "attn_kv_b",
    "self_attn.o_proj": "attn_output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.gate": "ffn_gate_inp",
    "mlp.experts.gate_proj": "ffn_gate_exps",
    "mlp.experts.up_proj": "ffn_up_exps",
    "mlp.experts.down_proj": "ffn_down_exps",
    "mlp.experts.gate_up_proj": "ffn_gate_up_exps",
    "mlp.shared_experts.gate_proj": "ffn_gate_shexp",
    "mlp.shared_experts.up_proj": "ffn_up_shexp",
    "mlp.shared_experts.down_proj": "ffn_down_shexp",
}


def write_gguf(path: Path, config: Config, whole: bool = False, words: Path | None = None) -> Path:
    """The same model as llama.cpp's converter writes it (``conversion/deepseek.py``, ``minicpm.py``). ``whole``: as it
    did before it took the matrix of keys and values apart, in 2025; MiniCPM3's is whole to this day. ``words``: a file
    whose tokenizer it has."""
    if minicpm := config["model_type"] == "minicpm3":
        whole = True
    architecture = config["model_type"] if config["model_type"] in ("minicpm3", "mistral4") else "deepseek2"
    writer = GGUFWriter(path, architecture)
    plain, rope, values = (config[key] for key in ("qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"))
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_attention_heads"] if whole else 1)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if config["q_lora_rank"]:
        writer.add_q_lora_rank(config["q_lora_rank"])
    writer.add_kv_lora_rank(config["kv_lora_rank"])
    writer.add_key_length(plain + rope if whole else config["kv_lora_rank"] + rope)
    writer.add_rope_dimension_count(rope)
    if minicpm:
        for kind in ("short", "long"):
            factors = np.array(config["rope_scaling"][f"{kind}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{kind}.weight", factors)
    else:
        writer.add_value_length(values if whole else config["kv_lora_rank"])
        if not whole:
            writer.add_key_length_mla(plain + rope)
            writer.add_value_length_mla(values)
        writer.add_rope_freq_base(config.get("rope_parameters", config)["rope_theta"])
        if "factor" in (scaling := config.get("rope_scaling", config.get("rope_parameters", {}))):
            write_yarn(writer, scaling)
        write_experts(writer, config)
    if words:
        add_words(writer, words)
    for name, numbers in gguf_tensors(config, whole).items():
        writer.add_tensor(name, numbers)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_experts(writer: GGUFWriter, config: Config) -> None:
    writer.add_leading_dense_block_count(config.get("first_k_dense_replace", config["num_hidden_layers"]))
    writer.add_expert_feed_forward_length(config.get("moe_intermediate_size", config["intermediate_size"]))
    writer.add_expert_shared_count(config.get("n_shared_experts", 0))
    if "n_routed_experts" not in config:
        return
    writer.add_expert_count(config["n_routed_experts"])
    writer.add_expert_used_count(config["num_experts_per_tok"])
    writer.add_expert_weights_scale(config["routed_scaling_factor"])
    if config["norm_topk_prob"]:
        writer.add_expert_weights_norm(True)
    if config.get("scoring_func") == "sigmoid":
        writer.add_expert_gating_func(ExpertGatingFuncType.SIGMOID)
    writer.add_expert_group_count(config["n_group"])
    writer.add_expert_group_used_count(config["topk_group"])


def write_yarn(writer: GGUFWriter, scaling: Mapping[str, Any]) -> None:
    writer.add_string(f"{writer.arch}.rope.scaling.type", "yarn")
    writer.add_rope_scaling_factor(scaling["factor"])
    writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])
    writer.add_rope_scaling_yarn_beta_fast(scaling["beta_fast"])
    writer.add_rope_scaling_yarn_beta_slow(scaling["beta_slow"])
    writer.add_rope_scaling_yarn_log_mul(0.1 * scaling["mscale_all_dim"])
    if "llama_4_scaling_beta" in scaling:
        writer.add_attn_temperature_scale(scaling["llama_4_scaling_beta"])


def gguf_tensors(config: Config, whole: bool) -> dict[str, Array]:
    found: dict[str, Array] = {}
    experts: dict[str, list[Array]] = {}
    for name, numbers in tensors_of(config).items():
        before, is_expert, after = name.partition(".experts.")
        if numbers.ndim == 3:
            found[gguf_name(f"{name}.weight")] = numbers
        elif is_expert:
            experts.setdefault(gguf_name(f"{before}.experts.{after.partition('.')[2]}"), []).append(numbers)
        elif name.endswith("e_score_correction_bias"):
            found[f"blk.{name.split('.')[2]}.exp_probs_b.bias"] = numbers
        elif name.endswith("kv_b_proj.weight") and not whole:
            keys, values = key_value_parts(config, numbers)
            layer = name.split(".")[2]
            found |= {f"blk.{layer}.attn_k_b.weight": keys, f"blk.{layer}.attn_v_b.weight": values}
        else:
            found[gguf_name(name)] = numbers
    return {**found, **{name: np.stack(numbers) for name, numbers in experts.items()}}


def key_value_parts(config: Config, numbers: Array) -> tuple[Array, Array]:
    """Each head's keys, turned, and its values."""
    plain = config["qk_nope_head_dim"]
    heads = numbers.reshape(config["num_attention_heads"], plain + config["v_head_dim"], -1)
    return np.ascontiguousarray(heads[:, :plain].swapaxes(1, 2)), np.ascontiguousarray(heads[:, plain:])


def gguf_name(name: str) -> str:
    stem, _, ending = name.rpartition(".")
    if not stem.startswith("model.layers."):
        return f"{IN_GGUF[stem]}.{ending}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{IN_GGUF[part]}.{ending}"
