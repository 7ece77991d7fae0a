"""Tiny random checkpoints of the families, as Hugging Face folders and as GGUF files of the same weights.

NumPy alone, so that ``record_logits.py`` makes the same ones where transformers is installed and mlxr is not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter
from numpy.typing import NDArray

Array = NDArray[np.float32]
Config = Mapping[str, Any]

VOCABULARY = 100
TOKENS: list[int] = np.random.RandomState(5).randint(0, VOCABULARY, 40).tolist()
POSITIONS = (0, 7, 20, 39)
"""Where logits are compared."""

SMALL = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 512,
    "rms_norm_eps": 1e-5,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}

CASES: dict[str, Config] = {
    "llama": {**SMALL, "model_type": "llama", "hidden_act": "silu", "rope_theta": 500000.0, "rope_scaling": LLAMA3},
    "llama with biases": {
        **SMALL,
        "model_type": "llama",
        "hidden_act": "silu",
        "attention_bias": True,
        "mlp_bias": True,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    },
    "mistral": {**SMALL, "model_type": "mistral", "hidden_act": "silu", "sliding_window": 9, "rope_theta": 10000.0},
    "qwen2": {**SMALL, "model_type": "qwen2", "hidden_act": "silu", "rope_theta": 1e6, "use_sliding_window": False},
    "qwen2 with windows": {
        **SMALL,
        "model_type": "qwen2",
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "use_sliding_window": True,
        "sliding_window": 9,
        "max_window_layers": 2,
        "rope_theta": 1e6,
        "rope_scaling": YARN,
    },
    "qwen3": {**SMALL, "model_type": "qwen3", "hidden_act": "silu", "attention_bias": False, "rope_theta": 1e6},
    "gemma3": {
        **SMALL,
        "model_type": "gemma3_text",
        "hidden_activation": "gelu_pytorch_tanh",
        "num_hidden_layers": 7,
        "tie_word_embeddings": True,
        "query_pre_attn_scalar": 24,
        "sliding_window": 9,
        "final_logit_softcapping": 5.0,
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
        "layer_types": ["sliding_attention"] * 5 + ["full_attention", "sliding_attention"],
    },
    "gemma2": {
        **SMALL,
        "model_type": "gemma2",
        "hidden_activation": "gelu_pytorch_tanh",
        "tie_word_embeddings": True,
        "query_pre_attn_scalar": 24,
        "sliding_window": 9,
        "attn_logit_softcapping": 2.0,
        "final_logit_softcapping": 5.0,
        "rope_theta": 10000.0,
    },
    "smollm3": {
        **SMALL,
        "model_type": "smollm3",
        "hidden_act": "silu",
        "num_hidden_layers": 5,
        "rope_theta": 50000.0,
        "no_rope_layers": [1, 1, 1, 0, 1],
    },
    "granite": {
        **SMALL,
        "model_type": "granite",
        "hidden_act": "silu",
        "attention_bias": False,
        "rope_theta": 10000.0,
        "attention_multiplier": 0.1,
        "embedding_multiplier": 12.0,
        "residual_multiplier": 0.22,
        "logits_scaling": 4.0,
    },
    "seed_oss": {
        **SMALL,
        "model_type": "seed_oss",
        "hidden_act": "silu",
        "attention_bias": True,
        "attention_out_bias": False,
        "rope_theta": 1e6,
    },
    "ernie4_5": {**SMALL, "model_type": "ernie4_5", "hidden_act": "silu", "use_bias": False, "rope_theta": 500000.0},
    "glm4": {
        **SMALL,
        "model_type": "glm4",
        "hidden_act": "silu",
        "attention_bias": True,
        "partial_rotary_factor": 0.5,
        "rope_theta": 10000.0,
    },
    "phi3": {**SMALL, "model_type": "phi3", "hidden_act": "silu", "sliding_window": 9, "rope_theta": 10000.0},
    "phi3 with a long context": {
        **SMALL,
        "model_type": "phi3",
        "hidden_act": "silu",
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.75,
        "original_max_position_embeddings": 16,
        "rope_scaling": {
            "type": "longrope",
            "short_factor": [1.0 + 0.1 * i for i in range(6)],
            "long_factor": [1.5 + 0.5 * i for i in range(6)],
        },
    },
}
MIXTURE = {**SMALL, "hidden_act": "silu", "num_experts_per_tok": 3, "rope_theta": 10000.0, "router_aux_loss_coef": 0.1}
CASES |= {
    "mixtral": {**MIXTURE, "model_type": "mixtral", "num_local_experts": 8, "sliding_window": None},
    "qwen2_moe": {
        **MIXTURE,
        "model_type": "qwen2_moe",
        "num_experts": 8,
        "moe_intermediate_size": 48,
        "shared_expert_intermediate_size": 80,
        "norm_topk_prob": False,
        "decoder_sparse_step": 1,
        "use_sliding_window": False,
    },
    "qwen3_moe": {
        **MIXTURE,
        "model_type": "qwen3_moe",
        "num_experts": 16,
        "moe_intermediate_size": 48,
        "norm_topk_prob": True,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [],
    },
    "qwen3_moe with a dense layer": {
        **MIXTURE,
        "model_type": "qwen3_moe",
        "num_experts": 16,
        "moe_intermediate_size": 48,
        "norm_topk_prob": False,
        "decoder_sparse_step": 1,
        "mlp_only_layers": [1],
    },
    "gpt_oss": {
        **SMALL,
        "model_type": "gpt_oss",
        "attention_bias": True,
        "num_hidden_layers": 4,
        "num_local_experts": 8,
        "num_experts_per_tok": 3,
        "sliding_window": 9,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "rope_theta": 150000.0,
        "rope_scaling": {"rope_type": "default"},
    },
}

WITHOUT_HEAD_DIM = (
    "qwen2",
    "qwen2 with windows",
    "granite",
    "phi3",
    "phi3 with a long context",
    "smollm3",
    "mixtral",
    "qwen2_moe",
)
"""They have no setting for it: a head is its share of the width."""


QKV = {"self_attn.qkv_proj": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")}
GATE_UP = {"mlp.gate_up_proj": ("mlp.gate_proj", "mlp.up_proj")}
FUSED = {"phi3": {**QKV, **GATE_UP}, "glm4": GATE_UP}
"""Matrices that lie above one another as one."""

THREE_BIASES = ("glm4", "seed_oss")
"""Their ``attention_bias`` means queries, keys and values."""


def config_of(case: str) -> dict[str, Any]:
    config = dict(CASES[case])
    if case in WITHOUT_HEAD_DIM:
        del config["head_dim"]
    return config


def head_dim(config: Config) -> int:
    return int(config.get("head_dim", config["hidden_size"] // config["num_attention_heads"]))


def tensors_of(config: Config) -> dict[str, Array]:
    """Random weights by Hugging Face's names, the same everywhere: NumPy keeps this generator as it is."""
    random = np.random.RandomState(11)
    gemma = config["model_type"].startswith("gemma")

    def matrix(rows: int, columns: int) -> Array:
        return (random.standard_normal((rows, columns)) * 1.5 / math.sqrt(columns)).astype(np.float32)

    def norm(size: int) -> Array:
        return (random.uniform(0.5, 1.5, size) - gemma).astype(np.float32)

    width, hidden = config["hidden_size"], config["intermediate_size"]
    queries = config["num_attention_heads"] * head_dim(config)
    keys = config["num_key_value_heads"] * head_dim(config)
    tensors = {"model.embed_tokens.weight": matrix(config["vocab_size"], width)}
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        shapes = {
            "self_attn.q_proj": (queries, width),
            "self_attn.k_proj": (keys, width),
            "self_attn.v_proj": (keys, width),
            "self_attn.o_proj": (width, queries),
            "mlp.gate_proj": (hidden, width),
            "mlp.up_proj": (hidden, width),
            "mlp.down_proj": (width, hidden),
        }
        if sparse(config, layer):
            shapes = {part: shape for part, shape in shapes.items() if not part.startswith("mlp.")}
            tensors |= {f"{name}.{part}": matrix(*shape) for part, shape in experts(config).items()}
        if config["model_type"] == "gpt_oss":
            tensors |= {f"{name}.{part}": values for part, values in gpt_oss(config, random).items()}
        for whole, parts in FUSED.get(config["model_type"], {}).items():
            shapes[whole] = (sum(shapes.pop(part)[0] for part in parts), width)
        for part, shape in shapes.items():
            tensors[f"{name}.{part}.weight"] = matrix(*shape)
            if part in biased(config):
                tensors[f"{name}.{part}.bias"] = (random.standard_normal(shape[0]) * 0.5).astype(np.float32)
        for part in norms(config):
            size = head_dim(config) if part.startswith("self_attn") else width
            tensors[f"{name}.{part}.weight"] = norm(size)
    tensors["model.norm.weight"] = norm(width)
    if not config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = matrix(config["vocab_size"], width)
    return tensors


def sparse(config: Config, layer: int) -> bool:
    return config.get("num_experts_per_tok", 0) > 0 and layer not in config.get("mlp_only_layers", [])


def experts(config: Config) -> dict[str, tuple[int, int]]:
    """Shapes of a layer's experts and what chooses them, by Hugging Face's names."""
    if config["model_type"] == "gpt_oss":
        return {}
    width, count = config["hidden_size"], config.get("num_experts", config.get("num_local_experts"))
    hidden = config.get("moe_intermediate_size", config["intermediate_size"])
    mixtral = config["model_type"] == "mixtral"
    place = "block_sparse_moe" if mixtral else "mlp"
    parts = ("w1", "w3", "w2") if mixtral else ("gate_proj", "up_proj", "down_proj")
    shapes = {f"{place}.gate.weight": (count, width)}
    for number in range(count):
        for part, shape in zip(parts, [(hidden, width), (hidden, width), (width, hidden)], strict=True):
            shapes[f"{place}.experts.{number}.{part}.weight"] = shape
    if shared := config.get("shared_expert_intermediate_size"):
        shapes |= {f"mlp.shared_expert.{part}_proj.weight": (shared, width) for part in ("gate", "up")}
        shapes |= {"mlp.shared_expert.down_proj.weight": (width, shared), "mlp.shared_expert_gate.weight": (1, width)}
    return shapes


def gpt_oss(config: Config, random: np.random.RandomState) -> dict[str, Array]:
    """A layer's experts and sinks. Gate and up take turns in what each input is multiplied by."""
    width, hidden, count = config["hidden_size"], config["intermediate_size"], config["num_local_experts"]

    def normal(*shape: int, scale: float) -> Array:
        return (random.standard_normal(shape) * scale).astype(np.float32)

    return {
        "self_attn.sinks": normal(config["num_attention_heads"], scale=1.0),
        "mlp.router.weight": normal(count, width, scale=width**-0.5),
        "mlp.router.bias": normal(count, scale=0.5),
        "mlp.experts.gate_up_proj": normal(count, width, 2 * hidden, scale=2 * width**-0.5),
        "mlp.experts.gate_up_proj_bias": normal(count, 2 * hidden, scale=0.5),
        "mlp.experts.down_proj": normal(count, hidden, width, scale=hidden**-0.5),
        "mlp.experts.down_proj_bias": normal(count, width, scale=0.5),
    }


def biased(config: Config) -> set[str]:
    qwen2 = config["model_type"] in ("qwen2", "qwen2_moe")
    found = {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"} if qwen2 else set()
    if config.get("attention_bias"):
        found = {f"self_attn.{part}_proj" for part in ("qkv" if config["model_type"] in THREE_BIASES else "qkvo")}
    return found | ({f"mlp.{part}_proj" for part in ("gate", "up", "down")} if config.get("mlp_bias") else set())


def norms(config: Config) -> list[str]:
    found = ["input_layernorm", "post_attention_layernorm"]
    if config["model_type"] == "glm4":
        found += ["post_self_attn_layernorm", "post_mlp_layernorm"]
    if config["model_type"].startswith("gemma"):
        found += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    if config["model_type"] in ("qwen3", "qwen3_moe", "gemma3_text"):
        found += ["self_attn.q_norm", "self_attn.k_norm"]
    return found


def write_folder(folder: Path, config: Config, files: int = 1, without: str = "-") -> Path:
    """A model folder; with an index where its tensors are spread over several ``files``, and ``without`` those whose
    name ends so."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {name: values for name, values in tensors_of(config).items() if not name.endswith(without)}
    names = [f"model-{number + 1:05}-of-{files:05}.safetensors" for number in range(files)]
    names = ["model.safetensors"] if files == 1 else names
    place = {tensor: names[index % files] for index, tensor in enumerate(tensors)}
    for name in names:
        (folder / name).write_bytes(safetensors({t: tensors[t] for t in tensors if place[t] == name}))
    if files > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": place}))
    return folder


def safetensors(tensors: Mapping[str, Array], format: str = "pt") -> bytes:
    header, end = {"__metadata__": {"format": format}}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": values.shape, "data_offsets": [end, end + values.nbytes]}  # type: ignore[dict-item]
        end += values.nbytes
    encoded = json.dumps(header).encode()
    encoded += b" " * (-len(encoded) % 8)
    return len(encoded).to_bytes(8, "little") + encoded + b"".join(values.tobytes() for values in tensors.values())


IN_GGUF = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
SANDWICH = {
    "post_self_attn_layernorm": "post_attention_norm",
    "post_attention_layernorm": "ffn_norm",
    "post_mlp_layernorm": "post_ffw_norm",
    "mlp.gate_up_proj": "ffn_up",
}
IN_GEMMA_GGUF = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


EXPERTS = {
    "mlp.gate": "ffn_gate_inp",
    "mlp.router": "ffn_gate_inp",
    "mlp.experts.gate_proj": "ffn_gate_exps",
    "mlp.experts.up_proj": "ffn_up_exps",
    "mlp.experts.down_proj": "ffn_down_exps",
    "mlp.shared_expert.gate_proj": "ffn_gate_shexp",
    "mlp.shared_expert.up_proj": "ffn_up_shexp",
    "mlp.shared_expert.down_proj": "ffn_down_shexp",
    "mlp.shared_expert_gate": "ffn_gate_inp_shexp",
}
OTHER_NAMES = {
    "gpt-oss": {**EXPERTS, "post_attention_layernorm": "post_attention_norm", "self_attn": "attn_sinks"},
    "qwen2moe": EXPERTS,
    "qwen3moe": EXPERTS,
    "llama": {
        "block_sparse_moe.gate": "ffn_gate_inp",
        "block_sparse_moe.experts.w1": "ffn_gate_exps",
        "block_sparse_moe.experts.w3": "ffn_up_exps",
        "block_sparse_moe.experts.w2": "ffn_down_exps",
    },
    "gemma2": IN_GEMMA_GGUF,
    "gemma3": IN_GEMMA_GGUF,
    "glm4": SANDWICH,
    "phi3": {"self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up"},
    "seed_oss": {"post_attention_layernorm": "post_attention_norm"},
}
ARCHITECTURES = {
    "mistral": "llama",
    "mixtral": "llama",
    "gemma3_text": "gemma3",
    "qwen2_moe": "qwen2moe",
    "qwen3_moe": "qwen3moe",
    "gpt_oss": "gpt-oss",
}
NEIGHBOURS = ("llama", "smollm3", "granite")
"""Their converters sort rows so that neighbours turn together."""

SETTINGS = {
    "attention_multiplier": "attention.scale",
    "embedding_multiplier": "embedding_scale",
    "residual_multiplier": "residual_scale",
    "logits_scaling": "logit_scale",
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}


def write_gguf(path: Path, config: Config) -> Path:
    """The same model as llama.cpp's ``convert_hf_to_gguf.py`` writes it."""
    architecture = ARCHITECTURES.get(config["model_type"], config["model_type"])
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head_dim(config))
    writer.add_value_length(head_dim(config))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    rope = config.get("rope_parameters", {})
    whole = rope.get("full_attention", rope)
    writer.add_rope_freq_base(whole.get("rope_theta", config.get("rope_theta")))
    if whole.get("rope_type") == "linear":
        writer.add_rope_scaling_factor(whole["factor"])
    if config.get("sliding_window"):
        writer.add_sliding_window(config["sliding_window"])
    for key, name in SETTINGS.items():
        if key in config:
            writer.add_float32(f"{architecture}.{name}", config[key])
    if "partial_rotary_factor" in config:
        writer.add_rope_dimension_count(int(head_dim(config) * config["partial_rotary_factor"]))
    if "original_max_position_embeddings" in config:
        writer.add_rope_scaling_orig_ctx_len(config["original_max_position_embeddings"])
        for kind in ("short", "long"):
            factors = np.array(config["rope_scaling"][f"{kind}_factor"], np.float32)
            writer.add_tensor(f"rope_factors_{kind}.weight", factors)
    if "query_pre_attn_scalar" in config:
        writer.add_attention_scale(config["query_pre_attn_scalar"] ** -0.5)
    if "num_experts_per_tok" in config:
        writer.add_expert_count(config.get("num_experts", config.get("num_local_experts")))
        writer.add_expert_used_count(config["num_experts_per_tok"])
        if "moe_intermediate_size" in config:
            writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        if "shared_expert_intermediate_size" in config:
            writer.add_expert_shared_feed_forward_length(config["shared_expert_intermediate_size"])
    for name, values in stacked(tensors_of(config), config).items():
        writer.add_tensor(gguf_name(name, architecture), gguf_values(name, values, architecture, config))
    if config.get("rope_scaling", {}).get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def stacked(tensors: Mapping[str, Array], config: Config) -> dict[str, Array]:
    """The tensors with those of experts above one another, by names without the expert's number."""
    if config["model_type"] == "gpt_oss":
        return dict(part for name, values in tensors.items() for part in _apart(name, values).items())
    whole: dict[str, Array] = {}
    parts: dict[str, list[Array]] = {}
    for name, values in tensors.items():
        before, found, after = name.partition(".experts.")
        if found:
            parts.setdefault(f"{before}.experts.{after.partition('.')[2]}", []).append(values)
        else:
            whole[name] = values[0] if name.endswith("shared_expert_gate.weight") else values
    return {**whole, **{name: np.stack(values) for name, values in parts.items()}}


def _apart(name: str, values: Array) -> dict[str, Array]:
    """gpt-oss's experts as other families have them: gate and up by themselves, outputs first."""
    if name.endswith("gate_up_proj"):
        turned = values.swapaxes(1, 2)
        stem = name.removesuffix("gate_up_proj")
        return {f"{stem}gate_proj.weight": turned[:, ::2].copy(), f"{stem}up_proj.weight": turned[:, 1::2].copy()}
    if name.endswith("gate_up_proj_bias"):
        stem = name.removesuffix("gate_up_proj_bias")
        return {f"{stem}gate_proj.bias": values[:, ::2].copy(), f"{stem}up_proj.bias": values[:, 1::2].copy()}
    if name.endswith("experts.down_proj"):
        return {f"{name}.weight": values.swapaxes(1, 2).copy()}
    return {f"{name.removesuffix('_bias')}.bias" if name.endswith("_proj_bias") else name: values}


def gguf_name(name: str, architecture: str) -> str:
    stem, _, ending = name.rpartition(".")
    table = {**IN_GGUF, **OTHER_NAMES.get(architecture, {})}
    if not stem.startswith("model.layers."):
        return f"{table[stem]}.{ending}"
    _, _, layer, part = stem.split(".", 3)
    return f"blk.{layer}.{table[part]}.{'weight' if ending == 'sinks' else ending}"


def gguf_values(name: str, values: Array, architecture: str, config: Config) -> Array:
    """Gemma's norms get their 1; rows of queries and keys may be sorted so that neighbours turn together."""
    if architecture.startswith("gemma") and name.endswith("norm.weight"):
        return values + 1
    if architecture in NEIGHBOURS and (".q_proj." in name or ".k_proj." in name):
        return values.reshape(-1, 2, head_dim(config) // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    return values


def llama3_factors(config: Config) -> Array:
    """What each frequency is divided by (Llama 3.1)."""
    scaling, dims = config["rope_scaling"], head_dim(config)
    original, slow, fast = (
        scaling[key] for key in ("original_max_position_embeddings", "low_freq_factor", "high_freq_factor")
    )
    factors = []
    for index in range(0, dims, 2):
        wavelength = 2 * math.pi * config["rope_theta"] ** (index / dims)
        if wavelength < original / fast:
            factors.append(1.0)
        elif wavelength > original / slow:
            factors.append(scaling["factor"])
        else:
            smooth = (original / wavelength - slow) / (fast - slow)
            factors.append(1 / ((1 - smooth) / scaling["factor"] + smooth))
    return np.array(factors, np.float32)
