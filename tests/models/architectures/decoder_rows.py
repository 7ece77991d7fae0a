"""The tensors of a layer of each decoder: what they are called in a folder and in a GGUF file, and their shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Config = Mapping[str, Any]
Row: TypeAlias = "tuple[str, str, tuple[int, ...]]"
"""A tensor's name in a folder and in a GGUF file, within its layer, and its shape in a folder."""


def head_dim(config: Config) -> int:
    return int(config.get("head_dim", config["hidden_size"] // config["num_attention_heads"]))


def layer_rows(config: Config, layer: int) -> list[Row]:
    """The tensors of a layer."""
    kind = config["model_type"]
    rows = attention(config)
    if kind == "phi":
        rows = [(name.replace("o_proj", "dense"), gguf, shape) for name, gguf, shape in rows]
    rows += LAYER_PARTS[kind](config, layer)
    if kind in BIASED:
        rows += [bias(row) for row in rows[:3]]
    return rows


def bias(row: Row) -> Row:
    """The bias beside a weight."""
    name, gguf, shape = row
    return name.replace("weight", "bias"), gguf.replace("weight", "bias"), shape[:1]


BIASED = ("glm4_moe", "starcoder2", "phi", "stablelm")
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


def routed(width: int, hidden: int, count: int, shared: int) -> list[Row]:
    """Experts that are chosen with a bias, and one as wide as ``shared`` of them that every token uses."""
    return [
        norm("mlp.gate", "ffn_gate_inp", count, width),
        ("mlp.gate.e_score_correction_bias", "exp_probs_b.bias", (count,)),
        *mixture(width, hidden, count),
        *gated(width, hidden * shared, "mlp.shared_experts", "_shexp"),
    ]


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
    return [*routed(width, hidden, config["n_routed_experts"], config["n_shared_experts"]), *norms]


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


def _plain(config: Config, layer: int) -> list[Row]:
    """A perceptron with two or three matrices, and a norm before each half."""
    width, hidden = config["hidden_size"], config["intermediate_size"]
    rows = gated(width, hidden)[1:] if config["hidden_act"] == "relu2" else gated(width, hidden)
    norms = before(width)
    biases = [bias(row) for row in norms] if "layer_norm_eps" in config else []
    return [*rows, *norms, *biases]


def _starcoder2(config: Config, layer: int) -> list[Row]:
    width, hidden = config["hidden_size"], config["intermediate_size"]
    rows = [norm("mlp.c_fc", "ffn_up", hidden, width), norm("mlp.c_proj", "ffn_down", width, hidden), *before(width)]
    return [*rows, *[bias(row) for row in rows], bias(attention(config)[3])]


def _phi(config: Config, layer: int) -> list[Row]:
    width, hidden = config["hidden_size"], config["intermediate_size"]
    rows = [
        norm("mlp.fc1", "ffn_up", hidden, width),
        norm("mlp.fc2", "ffn_down", width, hidden),
        norm("input_layernorm", "attn_norm", width),
    ]
    return [*rows, *[bias(row) for row in rows], ("self_attn.dense.bias", "attn_output.bias", (width,))]


def _olmoe(config: Config, layer: int) -> list[Row]:
    width, dim, count = config["hidden_size"], head_dim(config), config["num_experts"]
    sizes = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    router = norm("mlp.gate", "ffn_gate_inp", count, width)
    return [router, *mixture(width, config["intermediate_size"], count), *before(width), *heads_normed(*sizes)]


def _minimax_m2(config: Config, layer: int) -> list[Row]:
    width, dim, count = config["hidden_size"], head_dim(config), config["num_local_experts"]
    sizes = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    names = {"mlp": "block_sparse_moe", "gate_proj": "w1", "up_proj": "w3", "down_proj": "w2"}
    experts = []
    for name, gguf, shape in mixture(width, config["intermediate_size"], count):
        parts = [names.get(part, part) for part in name.split(".")]
        experts.append((".".join(parts), gguf, shape))
    return [
        norm("block_sparse_moe.gate", "ffn_gate_inp", count, width),
        ("block_sparse_moe.e_score_correction_bias", "exp_probs_b.bias", (count,)),
        *experts,
        *before(width),
        *heads_normed(*sizes),
    ]


def _dots1(config: Config, layer: int) -> list[Row]:
    width, dim, hidden = config["hidden_size"], head_dim(config), config["moe_intermediate_size"]
    norms = [*before(width), *heads_normed(dim, dim)]
    if layer < config["first_k_dense_replace"]:
        return [*gated(width, config["intermediate_size"]), *norms]
    return [*routed(width, hidden, config["n_routed_experts"], config["n_shared_experts"]), *norms]


def _ernie4_5_moe(config: Config, layer: int) -> list[Row]:
    width, hidden, count = config["hidden_size"], config["moe_intermediate_size"], config["moe_num_experts"]
    if layer < config["moe_layer_start_index"]:
        return [*gated(width, config["intermediate_size"]), *before(width)]
    statics = ("mlp.moe_statics.e_score_correction_bias", "exp_probs_b.bias", (1, count))
    rows = routed(width, hidden, count, config["moe_num_shared_experts"])
    return [statics, *[row for row in rows if "exp_probs_b" not in row[1]], *before(width)]


LAYER_PARTS = {
    "starcoder2": _starcoder2,
    "phi": _phi,
    "stablelm": _plain,
    "arcee": _plain,
    "gemma": _plain,
    "olmoe": _olmoe,
    "minimax_m2": _minimax_m2,
    "dots1": _dots1,
    "solar_open": _glm4_moe,
    "ernie4_5_moe": _ernie4_5_moe,
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
