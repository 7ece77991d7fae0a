"""Tiny random checkpoints of Gemma 4 and 3n, as ``checkpoints.py`` has them of other families."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray

if __package__:
    from tests.models.architectures.checkpoints import SMALL, safetensors
    from tests.models.architectures.checkpoints_hybrid import add_words
else:  # run by record_logits.py, without mlxr
    from checkpoints import SMALL, safetensors
    from checkpoints_hybrid import add_words

Array = NDArray[np.float32]
Config = Mapping[str, Any]

ROPES = {
    "full_attention": {"rope_type": "proportional", "partial_rotary_factor": 0.25, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
}
NEAR, WHOLE = "sliding_attention", "full_attention"
GEMMA4 = {
    **SMALL,
    "model_type": "gemma4_text",
    "hidden_activation": "gelu_pytorch_tanh",
    "head_dim": 16,
    "global_head_dim": 32,
    "tie_word_embeddings": True,
    "final_logit_softcapping": 30.0,
    "sliding_window": 9,
    "attention_bias": False,
    "rope_parameters": ROPES,
    "hidden_size_per_layer_input": 0,
    "num_kv_shared_layers": 0,
    "attention_k_eq_v": False,
    "use_double_wide_mlp": False,
    "enable_moe_block": False,
}

CASES: dict[str, Config] = {
    "gemma4 with shared keys": {
        **GEMMA4,
        "num_hidden_layers": 7,
        "num_key_value_heads": 1,
        "layer_types": [NEAR, WHOLE, NEAR, WHOLE, NEAR, NEAR, WHOLE],
        "hidden_size_per_layer_input": 16,
        "vocab_size_per_layer_input": SMALL["vocab_size"],
        "num_kv_shared_layers": 3,
        "use_double_wide_mlp": True,
    },
    "gemma4 with values that are keys": {
        **GEMMA4,
        "num_hidden_layers": 4,
        "layer_types": [NEAR, NEAR, WHOLE, WHOLE],
        "num_global_key_value_heads": 1,
        "attention_k_eq_v": True,
        "use_bidirectional_attention": "vision",
    },
    "gemma4 with experts": {
        **GEMMA4,
        "num_hidden_layers": 3,
        "layer_types": [NEAR, NEAR, WHOLE],
        "num_global_key_value_heads": 1,
        "attention_k_eq_v": True,
        "enable_moe_block": True,
        "num_experts": 8,
        "top_k_experts": 3,
        "moe_intermediate_size": 48,
    },
}


GEMMA3N = {
    **SMALL,
    "model_type": "gemma3n_text",
    "hidden_activation": "gelu_pytorch_tanh",
    "num_hidden_layers": 7,
    "head_dim": 16,
    "intermediate_size": [96] * 7,
    "tie_word_embeddings": True,
    "final_logit_softcapping": 30.0,
    "sliding_window": 9,
    "attention_bias": False,
    "rope_parameters": {**ROPES, "full_attention": {"rope_type": "default", "rope_theta": 1e6}},
    "layer_types": [NEAR, WHOLE, NEAR, WHOLE, NEAR, NEAR, WHOLE],
    "hidden_size_per_layer_input": 16,
    "vocab_size_per_layer_input": SMALL["vocab_size"],
    "num_kv_shared_layers": 3,
    "activation_sparsity_pattern": [0.9, 0.4, 0.0, 0.0, 0.0, 0.95, 0.0],
    "altup_num_inputs": 4,
    "altup_active_idx": 0,
    "altup_correct_scale": True,
    "altup_coef_clip": 120.0,
    "laurel_rank": 8,
}
CASES |= {
    "gemma3n": GEMMA3N,
    "gemma3n with another active stream": {**GEMMA3N, "altup_active_idx": 2},
}


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by Hugging Face's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(23)

    def made(shape: tuple[int, ...]) -> Array:
        if len(shape) == 1:
            return random.uniform(0.5, 1.5, shape).astype(np.float32)
        return (random.standard_normal(shape) * 1.5 / math.sqrt(shape[-1])).astype(np.float32)

    width, size = config["hidden_size"], config["hidden_size_per_layer_input"]
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], width)}
    if size:
        numbers = config["num_hidden_layers"] * size
        vocabulary = config["vocab_size_per_layer_input"]
        shapes |= {
            "model.embed_tokens_per_layer.weight": (vocabulary, numbers),
            "model.per_layer_model_projection.weight": (numbers, width),
            "model.per_layer_projection_norm.weight": (size,),
        }
    for layer in range(config["num_hidden_layers"]):
        parts = {**attention(config, layer), **feed_forward(config, layer)}
        parts |= streams(config) if is_3n(config) else {"layer_scalar": (1,)}
        if size:
            parts |= {
                "per_layer_input_gate.weight": (size, width),
                "per_layer_projection.weight": (width, size),
                "post_per_layer_input_norm.weight": (width,),
            }
        shapes |= {f"model.layers.{layer}.{part}": shape for part, shape in parts.items()}
    shapes["model.norm.weight"] = (width,)
    for stream in range(config.get("altup_num_inputs", 1) - 1):
        for part in ("projections", "unembed_projections"):
            shapes[f"model.altup_{part}.{stream}.weight"] = (width, width)
    return {name: made(shape) for name, shape in shapes.items()}


def is_3n(config: Config) -> bool:
    return bool(config["model_type"].startswith("gemma3n"))


def streams(config: Config) -> dict[str, tuple[int, ...]]:
    """Shapes of what a layer of Gemma 3n has besides its halves."""
    width, count, rank = config["hidden_size"], config["altup_num_inputs"], config["laurel_rank"]
    return {
        "altup.modality_router.weight": (count, width),
        "altup.router_norm.weight": (width,),
        "altup.prediction_coefs.weight": (count**2, count),
        "altup.correction_coefs.weight": (count, count),
        "altup.correct_output_scale": (width,),
        "laurel.linear_left.weight": (rank, width),
        "laurel.linear_right.weight": (width, rank),
        "laurel.post_laurel_norm.weight": (width,),
    }


def heads(config: Config, layer: int) -> tuple[int, int]:
    """A layer's key heads and how long they are."""
    if is_3n(config) or config["layer_types"][layer] == NEAR:
        return config["num_key_value_heads"], config["head_dim"]
    count = config.get("num_global_key_value_heads", 0) if config["attention_k_eq_v"] else 0
    return count or config["num_key_value_heads"], config["global_head_dim"]


def shares(config: Config, layer: int) -> bool:
    """Whether it reads the keys and values of an earlier layer."""
    return bool(layer >= config["num_hidden_layers"] - config["num_kv_shared_layers"])


def attention(config: Config, layer: int) -> dict[str, tuple[int, ...]]:
    width, (count, size) = config["hidden_size"], heads(config, layer)
    queries = config["num_attention_heads"] * size
    found: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj.weight": (queries, width),
        "self_attn.o_proj.weight": (width, queries),
        "self_attn.q_norm.weight": (size,),
    }
    if not shares(config, layer):
        found |= {"self_attn.k_proj.weight": (count * size, width), "self_attn.k_norm.weight": (size,)}
        if not config.get("attention_k_eq_v") or config["layer_types"][layer] == NEAR:
            found["self_attn.v_proj.weight"] = (count * size, width)
    return found | dict.fromkeys(("input_layernorm.weight", "post_attention_layernorm.weight"), (width,))


def feed_forward(config: Config, layer: int) -> dict[str, tuple[int, ...]]:
    width, hidden = config["hidden_size"], hidden_size(config, layer)
    found: dict[str, tuple[int, ...]] = {
        "mlp.gate_proj.weight": (hidden, width),
        "mlp.up_proj.weight": (hidden, width),
        "mlp.down_proj.weight": (width, hidden),
        "pre_feedforward_layernorm.weight": (width,),
        "post_feedforward_layernorm.weight": (width,),
    }
    if config.get("enable_moe_block"):
        count, size = config["num_experts"], config["moe_intermediate_size"]
        found |= {
            "router.proj.weight": (count, width),
            "router.scale": (width,),
            "router.per_expert_scale": (count,),
            "experts.gate_up_proj": (count, 2 * size, width),
            "experts.down_proj": (count, width, size),
            "post_feedforward_layernorm_1.weight": (width,),
            "pre_feedforward_layernorm_2.weight": (width,),
            "post_feedforward_layernorm_2.weight": (width,),
        }
    return found


def hidden_size(config: Config, layer: int) -> int:
    if is_3n(config):
        return int(config["intermediate_size"][layer])
    return int(config["intermediate_size"]) * (2 if config["use_double_wide_mlp"] and shares(config, layer) else 1)


def write_folder(folder: Path, config: Config) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors_of(config)))
    return folder


IN_GGUF = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.embed_tokens_per_layer.weight": "per_layer_token_embd.weight",
    "model.per_layer_model_projection.weight": "per_layer_model_proj.weight",
    "model.per_layer_projection_norm.weight": "per_layer_proj_norm.weight",
    "model.norm.weight": "output_norm.weight",
    "self_attn.q_proj.weight": "attn_q.weight",
    "self_attn.k_proj.weight": "attn_k.weight",
    "self_attn.v_proj.weight": "attn_v.weight",
    "self_attn.o_proj.weight": "attn_output.weight",
    "self_attn.q_norm.weight": "attn_q_norm.weight",
    "self_attn.k_norm.weight": "attn_k_norm.weight",
    "input_layernorm.weight": "attn_norm.weight",
    "post_attention_layernorm.weight": "post_attention_norm.weight",
    "mlp.gate_proj.weight": "ffn_gate.weight",
    "mlp.up_proj.weight": "ffn_up.weight",
    "mlp.down_proj.weight": "ffn_down.weight",
    "pre_feedforward_layernorm.weight": "ffn_norm.weight",
    "post_feedforward_layernorm.weight": "post_ffw_norm.weight",
    "post_feedforward_layernorm_1.weight": "post_ffw_norm_1.weight",
    "pre_feedforward_layernorm_2.weight": "pre_ffw_norm_2.weight",
    "post_feedforward_layernorm_2.weight": "post_ffw_norm_2.weight",
    "router.proj.weight": "ffn_gate_inp.weight",
    "router.scale": "ffn_gate_inp.scale",
    "router.per_expert_scale": "ffn_down_exps.scale",
    "experts.gate_up_proj": "ffn_gate_up_exps.weight",
    "experts.down_proj": "ffn_down_exps.weight",
    "per_layer_input_gate.weight": "inp_gate.weight",
    "per_layer_projection.weight": "proj.weight",
    "post_per_layer_input_norm.weight": "post_norm.weight",
    "layer_scalar": "layer_output_scale.weight",
    "altup.modality_router.weight": "altup_router.weight",
    "altup.router_norm.weight": "altup_router_norm.weight",
    "altup.prediction_coefs.weight": "altup_predict_coef.weight",
    "altup.correction_coefs.weight": "altup_correct_coef.weight",
    "altup.correct_output_scale": "altup_correct_scale.weight",
    "laurel.linear_left.weight": "laurel_l.weight",
    "laurel.linear_right.weight": "laurel_r.weight",
    "laurel.post_laurel_norm.weight": "laurel_post_norm.weight",
}


def write_gguf(path: Path, config: Config, words: Path | None = None) -> Path:
    """The same model as llama.cpp's converter writes it (``conversion/gemma.py``). ``words``: a file whose tokenizer it
    has."""
    writer = GGUFWriter(path, "gemma3n" if is_3n(config) else "gemma4")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_rope_freq_base(config["rope_parameters"][WHOLE]["rope_theta"])
    writer.add_rope_freq_base_swa(config["rope_parameters"][NEAR]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_sliding_window(config["sliding_window"])
    writer.add_sliding_window_pattern([kind == NEAR for kind in config["layer_types"]])
    writer.add_shared_kv_layers(config["num_kv_shared_layers"])
    writer.add_embedding_length_per_layer_input(config["hidden_size_per_layer_input"])
    writer.add_final_logit_softcapping(config["final_logit_softcapping"])
    writer.add_vocab_size(config["vocab_size"])
    if words:
        add_words(writer, words)
    tensors = tensors_of(config)
    if is_3n(config):
        add_3n_settings(writer, config)
        for part, name in (("projections", "altup_proj"), ("unembed_projections", "altup_unembd_proj")):
            found = [tensors.pop(f"model.altup_{part}.{at}.weight") for at in range(config["altup_num_inputs"] - 1)]
            writer.add_tensor(f"{name}.weight", np.stack(found))
    else:
        add_4_settings(writer, config)
    for name, values in tensors.items():
        writer.add_tensor(gguf_name(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def add_3n_settings(writer: GGUFWriter, config: Config) -> None:
    writer.add_feed_forward_length(config["intermediate_size"][0])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_altup_active_idx(config["altup_active_idx"])
    writer.add_altup_num_inputs(config["altup_num_inputs"])
    shares = config["activation_sparsity_pattern"]
    writer.add_activation_sparsity_scale([NormalDist().inv_cdf(share) if share else -math.inf for share in shares])


def add_4_settings(writer: GGUFWriter, config: Config) -> None:
    layers = range(config["num_hidden_layers"])
    wide = [hidden_size(config, layer) for layer in layers]
    writer.add_feed_forward_length(wide if config["use_double_wide_mlp"] else wide[0])
    counts = [heads(config, layer)[0] for layer in layers]
    writer.add_head_count_kv(counts if "num_global_key_value_heads" in config else counts[0])
    writer.add_key_length(config["global_head_dim"])
    writer.add_value_length(config["global_head_dim"])
    writer.add_key_length_swa(config["head_dim"])
    writer.add_value_length_swa(config["head_dim"])
    writer.add_rope_dimension_count(config["global_head_dim"])
    writer.add_rope_dimension_count_swa(config["head_dim"])
    if config["enable_moe_block"]:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["top_k_experts"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    pairs = config["global_head_dim"] // 2
    turned = int(config["global_head_dim"] * config["rope_parameters"][WHOLE]["partial_rotary_factor"] / 2)
    writer.add_tensor("rope_freqs.weight", np.array([1.0] * turned + [1e30] * (pairs - turned), np.float32))


def gguf_name(name: str) -> str:
    if not name.startswith("model.layers."):
        return IN_GGUF[name]
    _, _, layer, part = name.split(".", 3)
    return f"blk.{layer}.{IN_GGUF[part]}"
