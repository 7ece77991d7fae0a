"""Tiny random checkpoints with short convolutions and Mamba-2, as ``checkpoints.py`` has them of other families."""

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
else:  # run by record_logits.py, without mlxr
    from checkpoints import SMALL, safetensors
    from checkpoints_hybrid import add_words

Array = NDArray[np.float32]
Tensors = dict[str, Array]
Config = Mapping[str, Any]

PLAIN = {key: value for key, value in SMALL.items() if key not in ("head_dim", "rms_norm_eps", "num_hidden_layers")}
LFM2 = {
    **PLAIN,
    "num_hidden_layers": 4,
    "layer_types": ["conv", "full_attention", "conv", "conv"],
    "norm_eps": 1e-5,
    "conv_L_cache": 3,
    "conv_bias": False,
    "rope_theta": 1e6,
    "tie_word_embeddings": True,
}
GRANITE = {
    **PLAIN,
    "model_type": "granitemoehybrid",
    "hidden_act": "silu",
    "num_hidden_layers": 4,
    "layer_types": ["mamba", "attention", "mamba", "mamba"],
    "position_embedding_type": "nope",
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "attention_multiplier": 0.1,
    "embedding_multiplier": 12.0,
    "residual_multiplier": 0.22,
    "logits_scaling": 4.0,
    "num_local_experts": 0,
    "num_experts_per_tok": 0,
    "intermediate_size": 96,
    "shared_intermediate_size": 96,
    "mamba_n_heads": 4,
    "mamba_n_groups": 1,
    "mamba_d_state": 16,
    "mamba_d_head": 32,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_chunk_size": 16,
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
    "rope_theta": 10000.0,
}
NEMOTRON = {
    **PLAIN,
    "model_type": "nemotron_h",
    "head_dim": 32,
    "layer_norm_epsilon": 1e-5,
    "mlp_hidden_act": "relu2",
    "mlp_bias": False,
    "attention_bias": False,
    "use_bias": False,
    "use_conv_bias": True,
    "mamba_num_heads": 4,
    "mamba_head_dim": 32,
    "mamba_hidden_act": "silu",
    "mamba_proj_bias": False,
    "n_groups": 2,
    "ssm_state_size": 16,
    "conv_kernel": 4,
    "expand": 2,
    "chunk_size": 16,
    "time_step_limit": [0.0, math.inf],
    "time_step_min": 1e-9,
    "time_step_max": 0.1,
    "time_step_floor": 1e-4,
    "residual_in_fp32": False,
    "rescale_prenorm_residual": True,
    "num_logits_to_keep": 1,
}
MIXTURE = {
    "n_routed_experts": 8,
    "n_shared_experts": 1,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 48,
    "moe_shared_expert_intermediate_size": 80,
    "routed_scaling_factor": 2.5,
    "n_group": 1,
    "topk_group": 1,
    "norm_topk_prob": True,
}

FALCON = {
    **PLAIN,
    "model_type": "falcon_h1",
    "hidden_act": "silu",
    "num_hidden_layers": 3,
    "head_dim": 32,
    "rms_norm_eps": 1e-5,
    "attention_bias": False,
    "mlp_bias": False,
    "projectors_bias": False,
    "rope_theta": 1e11,
    "mamba_d_ssm": 96,
    "mamba_n_heads": 3,
    "mamba_d_head": 32,
    "mamba_n_groups": 1,
    "mamba_d_state": 16,
    "mamba_d_conv": 4,
    "mamba_expand": 2,
    "mamba_chunk_size": 16,
    "mamba_conv_bias": True,
    "mamba_proj_bias": False,
    "mamba_norm_before_gate": False,
    "mamba_rms_norm": False,
    "attention_in_multiplier": 0.8,
    "attention_out_multiplier": 1.3,
    "key_multiplier": 0.6,
    "ssm_in_multiplier": 1.2,
    "ssm_out_multiplier": 0.7,
    "ssm_multipliers": [0.5, 0.9, 1.4, 0.7, 1.1],
    "mlp_multipliers": [0.9, 0.4],
    "embedding_multiplier": 3.0,
    "lm_head_multiplier": 0.4,
}

CASES: dict[str, Config] = {
    "lfm2": {**LFM2, "model_type": "lfm2", "block_auto_adjust_ff_dim": False},
    "lfm2 with biases": {
        **LFM2,
        "model_type": "lfm2",
        "conv_bias": True,
        "conv_L_cache": 4,
        "block_ff_dim": 150,
        "block_auto_adjust_ff_dim": True,
        "block_ffn_dim_multiplier": 1.1,
        "block_multiple_of": 16,
        "full_attn_idxs": [1],
        "block_use_swiglu": True,
        "num_heads": 4,
    },
    "lfm2_moe": {
        **LFM2,
        "model_type": "lfm2_moe",
        "num_dense_layers": 1,
        "num_experts": 8,
        "num_experts_per_tok": 3,
        "moe_intermediate_size": 48,
        "norm_topk_prob": True,
        "use_expert_bias": True,
        "routed_scaling_factor": 1.0,
    },
    "granite 4": {
        **GRANITE,
        "num_local_experts": 8,
        "num_experts_per_tok": 3,
        "intermediate_size": 48,
        "shared_intermediate_size": 80,
        "mamba_n_groups": 2,
    },
    "granite 4, dense": {**GRANITE, "tie_word_embeddings": True},
    "granite 4 with biases": {**GRANITE, "mamba_proj_bias": True},
    "granite 4 with ropes": {**GRANITE, "layer_types": ["attention"] * 4, "position_embedding_type": "rope"},
    "falcon_h1": FALCON,
    "falcon_h1 with norms": {
        **FALCON,
        "mamba_rms_norm": True,
        "mamba_n_heads": 4,
        "mamba_d_ssm": 128,
        "mamba_n_groups": 2,
    },
    "nemotron_h": {**NEMOTRON, "num_hidden_layers": 6, "hybrid_override_pattern": "M-M*-M"},
    "nemotron_h with experts": {
        **NEMOTRON,
        **MIXTURE,
        "num_hidden_layers": 5,
        "layers_block_type": ["linear_attention", "moe", "full_attention", "moe", "linear_attention"],
    },
    "nemotron_h with latent experts": {
        **NEMOTRON,
        **MIXTURE,
        "num_hidden_layers": 5,
        "hybrid_override_pattern": "MEME*",
        "moe_latent_size": 32,
    },
}
IN_MLX = [case for case in CASES if not case.startswith("falcon")]
"""Of mlx-lm's folders of Falcon-H1 one can't tell whether multipliers are in their matrices."""

IN_GGUF = [case for case in CASES if not case.endswith("with biases")]
"""llama.cpp's files have no biases of projections."""


def config_of(case: str) -> dict[str, Any]:
    return dict(CASES[case])


def kinds_of(config: Config) -> list[str]:
    """Returns what each layer mixes by, or what it is."""
    letters = {"M": "linear_attention", "-": "mlp", "*": "full_attention", "E": "moe"}
    if "hybrid_override_pattern" in config:
        return [letters[letter] for letter in config["hybrid_override_pattern"]]
    return list(config.get("layers_block_type", config.get("layer_types", ())))


def hidden_of(config: Config) -> int:
    """Returns how long an LFM2's perceptrons are, fitted as its makers fit them."""
    if not config.get("block_auto_adjust_ff_dim"):
        return int(config["intermediate_size"])
    hidden = int(config["block_ffn_dim_multiplier"] * int(2 * config["block_ff_dim"] / 3))
    return -(-hidden // config["block_multiple_of"]) * int(config["block_multiple_of"])


class Maker:
    """Random weights, the same everywhere: NumPy keeps this generator as it is."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.tensors: Tensors = {}
        self._random = np.random.RandomState(11)

    def matrix(self, name: str, *shape: int, scale: float = 1.5) -> None:
        values = self._random.standard_normal(shape) * scale / math.sqrt(shape[-1])
        self.tensors[f"{name}.weight"] = values.astype(np.float32)

    def norm(self, name: str, size: int) -> None:
        self.tensors[f"{name}.weight"] = self._random.uniform(0.5, 1.5, size).astype(np.float32)

    def vector(self, name: str, size: int, low: float = -0.5, high: float = 0.5) -> None:
        self.tensors[name] = self._random.uniform(low, high, size).astype(np.float32)

    def attention(self, name: str, output: str = "o_proj") -> None:
        width, heads, kv_heads = (
            self.config[key] for key in ("hidden_size", "num_attention_heads", "num_key_value_heads")
        )
        head_dim = self.config.get("head_dim", width // heads)
        for part, count in (("q_proj", heads), ("k_proj", kv_heads), ("v_proj", kv_heads)):
            self.matrix(f"{name}.{part}", count * head_dim, width)
        self.matrix(f"{name}.{output}", width, heads * head_dim)

    def mamba(self, name: str, heads: int, head_dim: int, groups: int, state: int, taps: int, biased: bool) -> None:
        width, inner = self.config["hidden_size"], heads * head_dim
        channels = inner + 2 * groups * state
        self.matrix(f"{name}.in_proj", inner + channels + heads, width)
        self.matrix(f"{name}.out_proj", width, inner)
        if biased:
            self.vector(f"{name}.in_proj.bias", inner + channels + heads)
            self.vector(f"{name}.out_proj.bias", width)
        self.matrix(f"{name}.conv1d", channels, 1, taps)
        self.vector(f"{name}.conv1d.bias", channels)
        self.vector(f"{name}.dt_bias", heads, -3.0, 1.0)
        self.vector(f"{name}.A_log", heads, 0.0, 2.0)
        self.vector(f"{name}.D", heads)
        self.norm(f"{name}.norm", inner)


def tensors_of(config: Config) -> Tensors:
    """The weights by Hugging Face's names."""
    maker = Maker(config)
    kind = config["model_type"]
    makers = {"lfm2": _lfm2, "lfm2_moe": _lfm2, "nemotron_h": _nemotron, "falcon_h1": _falcon}
    makers.get(kind, _granite)(maker, config)
    if not config["tie_word_embeddings"]:
        maker.matrix("lm_head", config["vocab_size"], config["hidden_size"])
    return maker.tensors


def _lfm2(maker: Maker, config: Config) -> None:
    width, head_dim = config["hidden_size"], config["hidden_size"] // config["num_attention_heads"]
    maker.matrix("model.embed_tokens", config["vocab_size"], width)
    for layer, kind in enumerate(kinds_of(config)):
        name = f"model.layers.{layer}"
        if kind == "conv":
            maker.matrix(f"{name}.conv.in_proj", 3 * width, width)
            maker.matrix(f"{name}.conv.conv", width, 1, config["conv_L_cache"])
            maker.matrix(f"{name}.conv.out_proj", width, width)
            if config["conv_bias"]:
                for part, size in (("in_proj", 3 * width), ("conv", width), ("out_proj", width)):
                    maker.vector(f"{name}.conv.{part}.bias", size)
        else:
            maker.attention(f"{name}.self_attn", "out_proj")
            maker.norm(f"{name}.self_attn.q_layernorm", head_dim)
            maker.norm(f"{name}.self_attn.k_layernorm", head_dim)
        maker.norm(f"{name}.operator_norm", width)
        maker.norm(f"{name}.ffn_norm", width)
        if layer < config.get("num_dense_layers", config["num_hidden_layers"]):
            _perceptron(maker, f"{name}.feed_forward", hidden_of(config))
            continue
        maker.matrix(f"{name}.feed_forward.gate", config["num_experts"], width)
        maker.vector(f"{name}.feed_forward.expert_bias", config["num_experts"], -0.2, 0.2)
        for expert in range(config["num_experts"]):
            _perceptron(maker, f"{name}.feed_forward.experts.{expert}", config["moe_intermediate_size"])
    maker.norm("model.embedding_norm", width)


def _perceptron(maker: Maker, name: str, hidden: int) -> None:
    width = maker.config["hidden_size"]
    for part, shape in (("w1", (hidden, width)), ("w3", (hidden, width)), ("w2", (width, hidden))):
        maker.matrix(f"{name}.{part}", *shape)


def _granite(maker: Maker, config: Config) -> None:
    width, hidden, shared = (config[key] for key in ("hidden_size", "intermediate_size", "shared_intermediate_size"))
    maker.matrix("model.embed_tokens", config["vocab_size"], width)
    for layer, kind in enumerate(kinds_of(config)):
        name = f"model.layers.{layer}"
        if kind == "mamba":
            sizes = (config[f"mamba_{key}"] for key in ("n_heads", "d_head", "n_groups", "d_state", "d_conv"))
            maker.mamba(f"{name}.mamba", *sizes, config["mamba_proj_bias"])
        else:
            maker.attention(f"{name}.self_attn")
        maker.norm(f"{name}.input_layernorm", width)
        maker.norm(f"{name}.post_attention_layernorm", width)
        maker.matrix(f"{name}.shared_mlp.input_linear", 2 * shared, width)
        maker.matrix(f"{name}.shared_mlp.output_linear", width, shared)
        if count := config["num_local_experts"]:
            maker.matrix(f"{name}.block_sparse_moe.router.layer", count, width)
            maker.matrix(f"{name}.block_sparse_moe.input_linear", count, 2 * hidden, width)
            maker.matrix(f"{name}.block_sparse_moe.output_linear", count, width, hidden)
    maker.norm("model.norm", width)


def _falcon(maker: Maker, config: Config) -> None:
    width, hidden = config["hidden_size"], config["intermediate_size"]
    maker.matrix("model.embed_tokens", config["vocab_size"], width)
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        maker.norm(f"{name}.input_layernorm", width)
        maker.attention(f"{name}.self_attn")
        sizes = (config[f"mamba_{key}"] for key in ("n_heads", "d_head", "n_groups", "d_state", "d_conv"))
        maker.mamba(f"{name}.mamba", *sizes, config["mamba_proj_bias"])
        if not config["mamba_rms_norm"]:
            del maker.tensors[f"{name}.mamba.norm.weight"]
        maker.norm(f"{name}.pre_ff_layernorm", width)
        for part, shape in (("gate", (hidden, width)), ("up", (hidden, width)), ("down", (width, hidden))):
            maker.matrix(f"{name}.feed_forward.{part}_proj", *shape)
    maker.norm("model.final_layernorm", width)


def _nemotron(maker: Maker, config: Config) -> None:
    width, hidden = config["hidden_size"], config["intermediate_size"]
    maker.matrix("backbone.embeddings", config["vocab_size"], width)
    for layer, kind in enumerate(kinds_of(config)):
        name = f"backbone.layers.{layer}"
        maker.norm(f"{name}.norm", width)
        mixer = f"{name}.mixer"
        if kind == "linear_attention":
            keys = ("mamba_num_heads", "mamba_head_dim", "n_groups", "ssm_state_size", "conv_kernel")
            maker.mamba(mixer, *(config[key] for key in keys), config["use_bias"])
        elif kind == "full_attention":
            maker.attention(mixer)
        elif kind == "mlp":
            maker.matrix(f"{mixer}.up_proj", hidden, width)
            maker.matrix(f"{mixer}.down_proj", width, hidden)
        else:
            _squared_experts(maker, mixer, config)
    maker.norm("backbone.norm_f", width)


def _squared_experts(maker: Maker, mixer: str, config: Config) -> None:
    width, hidden, shared = (
        config[key] for key in ("hidden_size", "moe_intermediate_size", "moe_shared_expert_intermediate_size")
    )
    narrow = config.get("moe_latent_size") or width
    maker.matrix(f"{mixer}.gate", config["n_routed_experts"], width)
    maker.vector(f"{mixer}.gate.e_score_correction_bias", config["n_routed_experts"], -0.2, 0.2)
    for expert in range(config["n_routed_experts"]):
        maker.matrix(f"{mixer}.experts.{expert}.up_proj", hidden, narrow)
        maker.matrix(f"{mixer}.experts.{expert}.down_proj", narrow, hidden)
    maker.matrix(f"{mixer}.shared_experts.up_proj", shared, width)
    maker.matrix(f"{mixer}.shared_experts.down_proj", width, shared)
    if narrow != width:
        maker.matrix(f"{mixer}.fc1_latent_proj", narrow, width)
        maker.matrix(f"{mixer}.fc2_latent_proj", width, narrow)


def write_folder(folder: Path, config: Config) -> Path:
    return _written(folder, config, tensors_of(config))


def write_mlx_folder(folder: Path, config: Config) -> Path:
    """As mlx-lm's: experts together, gates and ups apart, taps behind channels. Nothing is quantized."""
    tensors: Tensors = {}
    for name, values in _together(tensors_of(config)).items():
        if name.endswith(("conv1d.weight", "conv.conv.weight")):
            values = values.swapaxes(1, 2)
        for own, part in _mlx_parts(name, values, config).items():
            tensors[own] = np.ascontiguousarray(part)
    quantization = {"group_size": 64, "bits": 4}
    return _written(folder, {**config, "quantization": quantization, "quantization_config": quantization}, tensors)


def _mlx_parts(name: str, values: Array, config: Config) -> Tensors:
    kind = config["model_type"]
    if kind == "lfm2_moe":
        names = {".w1.": ".gate_proj.", ".w2.": ".down_proj.", ".w3.": ".up_proj.", ".experts.": ".switch_mlp."}
        for old, new in names.items():
            name = name.replace(old, new)
    if kind == "nemotron_h" and ".experts." in name:
        stem = name.replace(".experts.", ".switch_mlp.")
        return {stem.replace("up_proj", "fc1").replace("down_proj", "fc2"): values}
    if ".block_sparse_moe.input_linear." in name:
        stem, (gate, up) = name.replace(".input_linear.", ".switch_mlp.{}_proj."), np.split(values, 2, axis=1)
        return {stem.format("gate"): gate, stem.format("up"): up}
    if kind == "granitemoehybrid" and not config["num_local_experts"] and ".shared_mlp." in name:
        stem = name.replace(".shared_mlp.", ".mlp.")
        if name.endswith("output_linear.weight"):
            return {stem.replace("output_linear", "down_proj"): values}
        gate, up = np.split(values, 2)
        return {stem.replace("input_linear", "gate_proj"): gate, stem.replace("input_linear", "up_proj"): up}
    return {name.replace(".block_sparse_moe.output_linear.", ".block_sparse_moe.switch_mlp.down_proj."): values}


def _written(folder: Path, config: Config, tensors: Tensors) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(safetensors(tensors))
    return folder


def _together(tensors: Tensors) -> Tensors:
    """The tensors with those of experts above one another, by names without the expert's number."""
    whole: Tensors = {}
    parts: dict[str, list[Array]] = {}
    for name, values in tensors.items():
        before, found, after = name.partition(".experts.")
        if found:
            parts.setdefault(f"{before}.experts.{after.partition('.')[2]}", []).append(values)
        else:
            whole[name] = values
    return {**whole, **{name: np.stack(values) for name, values in parts.items()}}


IN_GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "backbone.embeddings": "token_embd",
    "model.embedding_norm": "token_embd_norm",
    "model.norm": "output_norm",
    "backbone.norm_f": "output_norm",
    "lm_head": "output",
    "model.final_layernorm": "output_norm",
    "pre_ff_layernorm": "ffn_norm",
    "feed_forward.gate_proj": "ffn_gate",
    "operator_norm": "attn_norm",
    "input_layernorm": "attn_norm",
    "norm": "attn_norm",
    "ffn_norm": "ffn_norm",
    "post_attention_layernorm": "ffn_norm",
    "q_proj": "attn_q",
    "k_proj": "attn_k",
    "v_proj": "attn_v",
    "o_proj": "attn_output",
    "self_attn.out_proj": "attn_output",
    "q_layernorm": "attn_q_norm",
    "k_layernorm": "attn_k_norm",
    "conv.conv": "shortconv.conv",
    "conv.in_proj": "shortconv.in_proj",
    "conv.out_proj": "shortconv.out_proj",
    "feed_forward.w1": "ffn_gate",
    "feed_forward.w2": "ffn_down",
    "feed_forward.w3": "ffn_up",
    "feed_forward.gate": "ffn_gate_inp",
    "feed_forward.experts.w1": "ffn_gate_exps",
    "feed_forward.experts.w2": "ffn_down_exps",
    "feed_forward.experts.w3": "ffn_up_exps",
    "in_proj": "ssm_in",
    "out_proj": "ssm_out",
    "conv1d": "ssm_conv1d",
    "mamba.norm": "ssm_norm",
    "mixer.norm": "ssm_norm",
    "up_proj": "ffn_up",
    "down_proj": "ffn_down",
    "mixer.gate": "ffn_gate_inp",
    "experts.up_proj": "ffn_up_exps",
    "experts.down_proj": "ffn_down_exps",
    "shared_experts.up_proj": "ffn_up_shexp",
    "shared_experts.down_proj": "ffn_down_shexp",
    "fc1_latent_proj": "ffn_latent_down",
    "fc2_latent_proj": "ffn_latent_up",
    "router.layer": "ffn_gate_inp",
    "block_sparse_moe.output_linear": "ffn_down_exps",
}
"""By the end of the name, whose longest part counts."""

WITHOUT_ENDING = {
    "A_log": "ssm_a",
    "D": "ssm_d",
    "dt_bias": "ssm_dt.bias",
    "expert_bias": "exp_probs_b.bias",
    "e_score_correction_bias": "exp_probs_b.bias",
}


def gguf_tensors(config: Config) -> Tensors:
    """The weights as llama.cpp's ``conversion`` writes them."""
    found: Tensors = {}
    for name, values in _together(tensors_of(config)).items():
        for own, part in _gguf_parts(name, values, config).items():
            found[own] = np.ascontiguousarray(part)
    return found


def _falcon_factor(name: str, config: Config) -> Any:
    """Returns what llama.cpp's converter multiplies a tensor of Falcon-H1 by."""
    enters, leaves = config["attention_in_multiplier"], config["attention_out_multiplier"]
    gate, down = config["mlp_multipliers"]
    factors = {
        "q_proj": enters,
        "k_proj": enters * config["key_multiplier"],
        "v_proj": enters,
        "o_proj": leaves,
        "gate_proj": gate,
        "down_proj": down,
        "out_proj": config["ssm_out_multiplier"],
        "lm_head": config["lm_head_multiplier"],
        "embed_tokens": config["embedding_multiplier"],
    }
    part = name.split(".")[-2]
    if part == "in_proj":
        shared = config["mamba_n_groups"] * config["mamba_d_state"]
        sizes = [config["mamba_d_ssm"]] * 2 + [shared] * 2 + [config["mamba_n_heads"]]
        rows = np.repeat(config["ssm_multipliers"], sizes) * config["ssm_in_multiplier"]
        return rows[:, None].astype(np.float32)
    return np.float32(factors.get(part, 1.0))


def _gguf_parts(name: str, values: Array, config: Config) -> Tensors:
    if config["model_type"] == "falcon_h1":
        values = values * _falcon_factor(name, config)
    parts = name.split(".")
    layer = f"blk.{parts[2]}." if parts[1] == "layers" else ""
    if parts[-1] in WITHOUT_ENDING:
        own = layer + WITHOUT_ENDING[parts[-1]]
        if parts[-1] == "A_log":
            return {own: -np.exp(values)[:, None]}
        return {own: values[:, None] if parts[-1] == "D" else values}
    stem, _, ending = name.rpartition(".")
    if stem.endswith("input_linear"):
        sparse = "block_sparse_moe" in name
        behind = "_exps" if sparse else "_shexp" if config["num_local_experts"] else ""
        gate, up = np.split(values, 2, axis=1 if sparse else 0)
        return {f"{layer}ffn_gate{behind}.weight": gate, f"{layer}ffn_up{behind}.weight": up}
    if stem.endswith("shared_mlp.output_linear"):
        return {f"{layer}ffn_down{'_shexp' if config['num_local_experts'] else ''}.weight": values}
    known = max((end for end in IN_GGUF_NAMES if f".{stem}".endswith(f".{end}")), key=len)
    own = f"{layer}{IN_GGUF_NAMES[known]}" + ("" if known == "pre_ff_layernorm" else f".{ending}")
    if known in ("conv1d", "conv.conv") and ending == "weight":
        return {own: values[:, 0]}
    if known in ("mamba.norm", "mixer.norm"):
        return {own: values.reshape(config.get("mamba_n_groups", config.get("n_groups")), -1)}
    if config["model_type"] == "granitemoehybrid" and known in ("q_proj", "k_proj"):
        size = config["hidden_size"] // config["num_attention_heads"]
        return {own: values.reshape(-1, 2, size // 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape)}
    return {own: values}


ARCHITECTURES = {
    "lfm2": "lfm2",
    "lfm2_moe": "lfm2moe",
    "granitemoehybrid": "granitehybrid",
    "nemotron_h": "nemotron_h",
    "falcon_h1": "falcon-h1",
}


def write_gguf(path: Path, config: Config, words: Path | None = None) -> Path:
    """The same model as llama.cpp's converter writes it. ``words``: a file whose tokenizer it has."""
    kind, kinds = config["model_type"], kinds_of(config)
    architecture = ARCHITECTURES[kind]
    if "n_routed_experts" in config:
        architecture = "nemotron_h_moe"
    if kind == "granitemoehybrid" and not any(own == "mamba" for own in kinds):
        architecture = "granite"
    writer = GGUFWriter(path, architecture)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_head_count(config["num_attention_heads"])
    attends = [own in ("attention", "full_attention") for own in kinds]
    own_keys = [config["num_key_value_heads"] if own else 0 for own in attends]
    writer.add_head_count_kv(own_keys or config["num_key_value_heads"])
    writer.add_vocab_size(config["vocab_size"])
    writers = {
        "lfm2": _write_lfm2,
        "lfm2_moe": _write_lfm2,
        "nemotron_h": _write_nemotron,
        "falcon_h1": _write_falcon,
    }
    writers.get(kind, _write_granite)(writer, config)
    if words:
        add_words(writer, words)
    for name, values in gguf_tensors(config).items():
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _write_lfm2(writer: GGUFWriter, config: Config) -> None:
    writer.add_feed_forward_length(hidden_of(config))
    writer.add_layer_norm_rms_eps(config["norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_shortconv_l_cache(config["conv_L_cache"])
    if "num_experts" in config:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_leading_dense_block_count(config["num_dense_layers"])
        writer.add_expert_gating_func(ExpertGatingFuncType.SIGMOID)


def _write_granite(writer: GGUFWriter, config: Config) -> None:
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_attention_scale(config["attention_multiplier"])
    writer.add_embedding_scale(config["embedding_multiplier"])
    writer.add_residual_scale(config["residual_multiplier"])
    writer.add_logit_scale(config["logits_scaling"])
    writer.add_expert_shared_feed_forward_length(config["shared_intermediate_size"])
    if config["num_local_experts"]:
        writer.add_expert_count(config["num_local_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
    inner = config["mamba_expand"] * config["hidden_size"]
    _write_mamba(writer, *(config[f"mamba_{key}"] for key in ("d_conv", "d_state", "n_groups", "n_heads")), inner)
    writer.add_rope_scaling_finetuned("mamba" not in kinds_of(config))


def _write_falcon(writer: GGUFWriter, config: Config) -> None:
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_rope_freq_base(config["rope_theta"])
    _write_mamba(writer, *(config[f"mamba_{key}"] for key in ("d_conv", "d_state", "n_groups", "n_heads", "d_ssm")))


def _write_nemotron(writer: GGUFWriter, config: Config) -> None:
    kinds = kinds_of(config)
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    hidden = config["moe_intermediate_size"] if "n_routed_experts" in config else config["intermediate_size"]
    writer.add_feed_forward_length([hidden if own in ("moe", "mlp") else 0 for own in kinds])
    heads, head_dim = config["mamba_num_heads"], config["mamba_head_dim"]
    _write_mamba(writer, config["conv_kernel"], config["ssm_state_size"], config["n_groups"], heads, heads * head_dim)
    writer.add_rope_scaling_finetuned(False)
    if "n_routed_experts" in config:
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
        writer.add_expert_shared_feed_forward_length(config["moe_shared_expert_intermediate_size"])
        writer.add_expert_count(config["n_routed_experts"])
        writer.add_expert_shared_count(config["n_shared_experts"])
        writer.add_expert_weights_norm(config["norm_topk_prob"])
        writer.add_expert_weights_scale(config["routed_scaling_factor"])
        writer.add_expert_group_count(config["n_group"])
    if config.get("moe_latent_size"):
        writer.add_moe_latent_size(config["moe_latent_size"])


def _write_mamba(writer: GGUFWriter, taps: int, state: int, groups: int, heads: int, inner: int) -> None:
    writer.add_ssm_conv_kernel(taps)
    writer.add_ssm_state_size(state)
    writer.add_ssm_group_count(groups)
    writer.add_ssm_inner_size(inner)
    writer.add_ssm_time_step_rank(heads)
