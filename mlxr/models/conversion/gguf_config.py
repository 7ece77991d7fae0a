"""A GGUF file's metadata as the ``config.json`` of a folder of the same model: a row for each setting.

What a row leaves out, or has wrong, would be another model: ``require_same`` compares what mlxr reads from both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from mlxr.metal.specs import AttentionSpec, RopeStyle
from mlxr.models.architectures import config_json
from mlxr.models.architectures.families.family import ModelSpec
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.architectures.weights import HeaderWeights
from mlxr.models.conversion.rope_tensors import llama3_factors
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.header import ModelHeader
from mlxr.models.hyperparameters import Format, Hyperparameters

Config = dict[str, Any]

COMMON: Mapping[str, str] = {
    "block_count": "num_hidden_layers",
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "attention.key_length": "head_dim",
    "rope.freq_base": "rope_theta",
}
"""What any family may have, by GGUF's keys."""

EXPERTS: Mapping[str, str] = {
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
}
WINDOW: Mapping[str, str] = {"attention.sliding_window": "sliding_window"}
MULTIPLIERS: Mapping[str, str] = {
    "attention.scale": "attention_multiplier",
    "embedding_scale": "embedding_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}
SOFTCAPS: Mapping[str, str] = {
    "attn_logit_softcapping": "attn_logit_softcapping",
    "final_logit_softcapping": "final_logit_softcapping",
}
LLAMA3_SETTINGS = (1.0, 4.0)
"""``low_freq_factor`` and ``high_freq_factor`` of Llama 3.1 and all that follow it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A GGUF file, and the model that mlxr reads from it."""

    header: ModelHeader
    spec: DecoderSpec

    def get(self, key: str) -> Any:
        """Returns a setting by GGUF's key; None where there is none."""
        return plain(self.header.parameters.values.get(self.header.parameters.prefix + key))

    def has(self, role: str) -> bool:
        """Returns whether the first layer has a tensor of that role."""
        name = self.header.table.names.get(role)
        return name is not None and name.format(layer=0, expert=0) in self.header.tensors

    @property
    def head_size(self) -> int:
        return int(self.get("attention.key_length") or self.get("embedding_length") // self.get("attention.head_count"))

    @property
    def attention(self) -> list[AttentionSpec]:
        return [layer.mixer for layer in self.spec.layers if isinstance(layer.mixer, AttentionSpec)]


Computed = Callable[[Source], Config]


def _llama(source: Source) -> Config:
    made: Config = {"attention_bias": source.has("query_bias"), "mlp_bias": source.has("up_bias")}
    if source.get("expert_count"):
        made |= {"model_type": "mixtral", "architectures": ["MixtralForCausalLM"]}
        made |= {
            "num_local_experts": source.get("expert_count"),
            "num_experts_per_tok": source.get("expert_used_count"),
        }
    elif source.get("attention.sliding_window"):
        made |= {"model_type": "mistral", "architectures": ["MistralForCausalLM"]}
    return made


def _query_scale(source: Source) -> Config:
    """Gemma's: what scores are divided by the root of."""
    return {"query_pre_attn_scalar": round(source.attention[0].scale ** -2)}


def _layer_types(source: Source) -> Config:
    return {"layer_types": ["sliding_attention" if one.window else "full_attention" for one in source.attention]}


def _rotary_share(source: Source) -> Config:
    return {"partial_rotary_factor": (source.get("rope.dimension_count") or source.head_size) / source.head_size}


def _smollm3(source: Source) -> Config:
    turned = [int(one.rope is not None) for one in source.attention]
    every = turned.index(0) + 1 if 0 in turned else len(turned) + 1
    return {"no_rope_layers": turned, "no_rope_layer_interval": every, "attention_bias": False, "mlp_bias": False}


def _gemma3(source: Source) -> Config:
    near = source.get("rope.freq_base_swa") or 10000.0
    base = source.get("rope.freq_base") or 1_000_000.0
    every = [one.window for one in source.attention].index(0) + 1
    return {"rope_local_base_freq": near, "rope_theta": base, "sliding_window_pattern": every, **_query_scale(source)}


def _sparse(source: Source) -> Config:
    router = source.header.table.names["router"]
    layers = range(len(source.spec.layers))
    dense = [layer for layer in layers if router.format(layer=layer) not in source.header.tensors]
    return {"decoder_sparse_step": 1, "mlp_only_layers": dense}


def _biases(source: Source) -> Config:
    return {"use_bias": source.has("up_bias") or source.has("query_bias")}


def _stablelm(source: Source) -> Config:
    made = {"use_qkv_bias": source.has("query_bias"), "qk_layernorm": source.has("query_norm")}
    return {**made, "use_parallel_residual": not source.has("feed_forward_norm"), **_rotary_share(source)}


def _attention_bias(source: Source) -> Config:
    return {"attention_bias": source.has("query_bias")}


def _seed_oss(source: Source) -> Config:
    return {**_attention_bias(source), "attention_out_bias": source.has("output_bias")}


def _head_norms(source: Source) -> Config:
    return {"use_qk_norm": source.has("query_norm")}


def _phi3(source: Source) -> Config:
    original = source.get("rope.scaling.original_context_length")
    made: Config = {**_rotary_share(source), "original_max_position_embeddings": original}
    factors = {kind: source.header.tensors.get(f"rope_factors_{kind}.weight") for kind in ("short", "long")}
    if all(factors.values()):
        values = {f"{kind}_factor": _numbers(tensor) for kind, tensor in factors.items()}
        made["rope_scaling"] = {"type": "longrope", "rope_type": "longrope", **values}
    return made


@dataclass(frozen=True, slots=True)
class Row:
    """One architecture of GGUF files as folders have it.

    model_type, model_class: ``model_type``, and the one of ``architectures``.
    keys: further settings, by GGUF's keys.
    fixed: what all models of it have.
    computed: what follows from others, or from the tensors.
    """

    model_type: str
    model_class: str
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fixed: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    computed: tuple[Computed, ...] = ()


_SILU: Config = {"hidden_act": "silu"}
_GELU: Config = {"hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh"}
_LAYER_NORM: Mapping[str, str] = {"attention.layer_norm_epsilon": "layer_norm_eps"}

ROWS: Mapping[str, Row] = {
    "llama": Row("llama", "LlamaForCausalLM", WINDOW, _SILU, (_llama,)),
    "arcee": Row("arcee", "ArceeForCausalLM", {}, {"hidden_act": "relu2"}),
    "smollm3": Row("smollm3", "SmolLM3ForCausalLM", {}, _SILU, (_smollm3,)),
    "granite": Row("granite", "GraniteForCausalLM", MULTIPLIERS, {**_SILU, "attention_bias": False, "mlp_bias": False}),
    "qwen2": Row("qwen2", "Qwen2ForCausalLM", {}, {**_SILU, "use_sliding_window": False}),
    "qwen2moe": Row("qwen2_moe", "Qwen2MoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": False}, (_sparse,)),
    "qwen3": Row("qwen3", "Qwen3ForCausalLM", {}, {**_SILU, "attention_bias": False}),
    "qwen3moe": Row("qwen3_moe", "Qwen3MoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": True}, (_sparse,)),
    "seed_oss": Row("seed_oss", "SeedOssForCausalLM", {}, {**_SILU, "mlp_bias": False}, (_seed_oss,)),
    "starcoder2": Row(
        "starcoder2",
        "Starcoder2ForCausalLM",
        {"attention.layer_norm_epsilon": "norm_epsilon"},
        {"hidden_act": "gelu_pytorch_tanh"},
        (_biases,),
    ),
    "ernie4_5": Row("ernie4_5", "Ernie4_5ForCausalLM", {}, _SILU, (_biases,)),
    "olmo2": Row("olmo2", "Olmo2ForCausalLM", {}, {**_SILU, "attention_bias": False}),
    "olmoe": Row("olmoe", "OlmoeForCausalLM", EXPERTS, {**_SILU, "norm_topk_prob": False, "attention_bias": False}),
    "exaone4": Row("exaone4", "Exaone4ForCausalLM", WINDOW, _SILU, (_layer_types,)),
    "command-r": Row(
        "cohere", "CohereForCausalLM", {**_LAYER_NORM, "logit_scale": "logit_scale"}, _SILU, (_head_norms,)
    ),
    "cohere2": Row(
        "cohere2", "Cohere2ForCausalLM", {**_LAYER_NORM, **WINDOW, "logit_scale": "logit_scale"}, _SILU, (_layer_types,)
    ),
    "glm4": Row("glm4", "Glm4ForCausalLM", {}, _SILU, (_rotary_share, _attention_bias)),
    "stablelm": Row("stablelm", "StableLmForCausalLM", _LAYER_NORM, _SILU, (_stablelm,)),
    "phi3": Row("phi3", "Phi3ForCausalLM", WINDOW, _SILU, (_phi3,)),
    "gemma": Row("gemma", "GemmaForCausalLM", {}, _GELU),
    "gemma2": Row("gemma2", "Gemma2ForCausalLM", {**WINDOW, **SOFTCAPS}, _GELU, (_query_scale,)),
    "gemma3": Row("gemma3_text", "Gemma3ForCausalLM", {**WINDOW, **SOFTCAPS}, _GELU, (_gemma3,)),
}
"""By GGUF's name for an architecture: those of which mlxr writes folders."""


def config_of(header: ModelHeader) -> Config:
    """Returns the ``config.json`` of a GGUF file's model. Raises ``UnsupportedModelError`` for one of another family,
    or that a folder of it would not describe."""
    row = ROWS.get(header.architecture)
    if row is None:
        reason = f"is of the architecture {header.architecture!r}, of which mlxr writes no MLX folders yet"
        raise UnsupportedModelError(header.path, f"{reason}; it writes {', '.join(sorted(ROWS))}, and runs this file")
    spec = header.family.read(header.parameters, HeaderWeights(header.path, header.tensors))
    if not isinstance(spec, DecoderSpec):
        raise UnsupportedModelError(header.path, "makes no text, and MLX folders are of models that do")
    source = Source(header, spec)
    config: Config = {"model_type": row.model_type, "architectures": [row.model_class]}
    for key, name in {**COMMON, **row.keys}.items():
        if (value := source.get(key)) is not None:
            config[name] = value
    config.setdefault("num_key_value_heads", config.get("num_attention_heads"))
    config.setdefault("head_dim", source.head_size)
    config.setdefault("rope_theta", 10000.0)
    config |= row.fixed
    config |= _rope_scaling(source)
    for computed in row.computed:
        config |= computed(source)
    config["vocab_size"] = header.tensors[header.table.names["embedding"]].shape[0]
    config["tie_word_embeddings"] = header.table.names["head"] not in header.tensors
    for key, name in (("bos", "bos_token_id"), ("eos", "eos_token_id"), ("padding", "pad_token_id")):
        value = header.parameters.values.get(f"tokenizer.ggml.{key}_token_id")
        if isinstance(value, int) and 0 <= value < config["vocab_size"]:
            config[name] = value
    config = {key: value for key, value in config.items() if value is not None}
    require_same(header, spec, config)
    return config


def require_same(header: ModelHeader, spec: ModelSpec, config: Config) -> None:
    """Raises ``UnsupportedModelError`` where a ``config.json`` does not describe the model that a GGUF file does."""
    table = header.family.tables[Format.MLX]
    own = config_json.flattened(config)
    settings = {**table.defaults, **{table.keys.get(key, key): value for key, value in own.items()}}
    parameters = Hyperparameters(header.path, settings, format=Format.MLX, keys=config_json.KEYS)
    try:
        other = header.family.read(parameters, HeaderWeights(header.path, {}))
        at = _difference(spec, other)
    except (ModelFileError, UnsupportedModelError) as error:
        at = error.reason
    if at:
        reason = f"is a {header.family.name} whose settings mlxr writes to no MLX folder yet ({at})"
        raise UnsupportedModelError(header.path, f"{reason}; it runs this file as it is")


def plain(value: Any) -> Any:
    """Returns a value of metadata as JSON has it. Numbers are 32 bits in the file, and as short as these allow."""
    if isinstance(value, np.ndarray):
        return [plain(one) for one in value.tolist()]
    if isinstance(value, float):
        return float(str(np.float32(value)))
    return value


def _numbers(tensor: Any) -> list[float]:
    return [plain(float(one)) for one in tensor.read().data.view(np.float32).reshape(-1)]


def _rope_scaling(source: Source) -> Config:
    factors = source.header.tensors.get("rope_freqs.weight")
    if factors is not None:
        return {"rope_scaling": _llama3(source, _numbers(factors))}
    kind, factor = source.get("rope.scaling.type"), source.get("rope.scaling.factor")
    if factor is None or kind in ("none", "longrope"):
        return {}
    scaling = {"rope_type": kind or "linear", "type": kind or "linear", "factor": factor}
    if kind == "yarn":
        keys = {
            "original_context_length": "original_max_position_embeddings",
            "yarn_attn_factor": "attention_factor",
            "yarn_beta_fast": "beta_fast",
            "yarn_beta_slow": "beta_slow",
        }
        found = {name: source.get(f"rope.scaling.{key}") for key, name in keys.items()}
        scaling |= {name: value for name, value in found.items() if value is not None}
    return {"rope_scaling": scaling}


def _llama3(source: Source, factors: list[float]) -> Config:
    """The settings that make those factors."""
    low, high = LLAMA3_SETTINGS
    scaling: Config = {"rope_type": "llama3", "factor": max(factors), "low_freq_factor": low, "high_freq_factor": high}
    base = source.get("rope.freq_base") or 10000.0
    for original in (8192, *(1 << exponent for exponent in range(5, 21))):
        scaling["original_max_position_embeddings"] = original
        made = llama3_factors({**scaling, "rope_theta": base}, source.head_size)
        if len(made) == len(factors) and np.allclose(made, factors, rtol=1e-4):
            return scaling
    reason = "scales its rope by factors of its own, for which config.json has no setting"
    raise UnsupportedModelError(source.header.path, f"{reason}; mlxr writes no MLX folder of it, and runs this file")


def _difference(ours: Any, theirs: Any, at: str = "") -> str:
    """Where two specs differ, empty where they don't: by names of fields. How rows are ordered is the format's; which
    biases there are, and whether the output is tied, is seen by the tensors."""
    if dataclasses.is_dataclass(ours) and type(ours) is type(theirs):
        names = [field.name for field in dataclasses.fields(ours) if field.name not in ("tied", "biases")]
        parts = [_difference(getattr(ours, name), getattr(theirs, name), name) for name in names]
        return next(filter(None, parts), "")
    if isinstance(ours, RopeStyle) and isinstance(theirs, RopeStyle):
        return ""
    if isinstance(ours, float | int) and isinstance(theirs, float | int) and not isinstance(ours, Enum):
        return "" if math.isclose(ours, theirs, rel_tol=1e-5, abs_tol=1e-12) else at
    if isinstance(ours, np.ndarray) or isinstance(theirs, np.ndarray):
        return "" if np.allclose(ours, theirs, rtol=1e-5) else at
    if isinstance(ours, tuple | list) and isinstance(theirs, tuple | list) and len(ours) == len(theirs):
        return next(filter(None, (_difference(a, b, at) for a, b in zip(ours, theirs, strict=True))), "")
    return "" if ours == theirs else at
