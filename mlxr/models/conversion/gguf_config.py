"""A GGUF file's metadata as the ``config.json`` of a folder of the same model: a row for each setting.

What a row leaves out, or has wrong, would be another model: ``require_same`` compares what mlxr reads from both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from typing import Any

import numpy as np

from mlxr.metal.specs import ExpertsSpec, RopeStyle
from mlxr.models.architectures import config_json
from mlxr.models.architectures.families.family import ModelSpec
from mlxr.models.architectures.header_weights import HeaderWeights
from mlxr.models.architectures.spec import DecoderSpec
from mlxr.models.conversion.gguf_config_rows import ROWS
from mlxr.models.conversion.gguf_source import Config, Source, numbers
from mlxr.models.conversion.rope_tensors import llama3_factors
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.header import ModelHeader
from mlxr.models.hyperparameters import Format, Hyperparameters

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

LLAMA3_SETTINGS = (1.0, 4.0)
"""``low_freq_factor`` and ``high_freq_factor`` of Llama 3.1 and all that follow it."""


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
    if "rope_scaling" not in row.without:
        config |= _rope_scaling(source)
    for computed in row.computed:
        config |= computed(source)
    for key in row.without:
        config.pop(key, None)
    config["vocab_size"] = header.tensors[header.table.names["embedding"]].shape[0]
    config["tie_word_embeddings"] = header.table.names["head"] not in header.tensors
    for key, name in (("bos", "bos_token_id"), ("eos", "eos_token_id"), ("padding", "pad_token_id")):
        value = header.parameters.values.get(f"tokenizer.ggml.{key}_token_id")
        if isinstance(value, int) and 0 <= value < config["vocab_size"]:
            config[name] = value
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


def _rope_scaling(source: Source) -> Config:
    factors = source.header.tensors.get("rope_freqs.weight")
    if factors is not None:
        return {"rope_scaling": _llama3(source, numbers(factors))}
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


UNSAID = "tied", "biases", "choice_bias", "tiled"
"""Fields of specs that tensors tell or that are a format's own."""


def _difference(ours: Any, theirs: Any, at: str = "") -> str:
    """Where two specs differ, empty where they don't: by names of fields. How rows are ordered is the format's; which
    biases there are, and whether the output is tied, is seen by the tensors."""
    if dataclasses.is_dataclass(ours) and type(ours) is type(theirs):
        names = [field.name for field in dataclasses.fields(ours) if field.name not in UNSAID]
        if isinstance(ours, ExpertsSpec) and ours.groups == 1:
            names.remove("group_best")
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
