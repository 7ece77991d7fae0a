"""Adapters in folders as PEFT saves them: ``adapter_config.json`` and ``adapter_model.safetensors``, where a module
``NAME`` of the model has ``base_model.model.NAME.lora_A.weight`` ``[rank, in]`` and, likewise, ``lora_B`` ``[out,
rank]``.

Scaling is ``lora_alpha / r``, or ``lora_alpha / sqrt(r)`` with ``use_rslora`` (Kalajdzievski 2023).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlxr.models.adapters.file import AdapterFile, Pair, checked, paired
from mlxr.models.adapters.file_names import CONFIG, PEFT_PICKLE, PEFT_WEIGHTS
from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.safetensors.folder import read_tensors
from mlxr.models.hyperparameters import Format, Hyperparameters
from mlxr.models.jsonfile import read_json
from mlxr.models.modelfile import StoredTensor

PREFIX = "base_model.model."
_HALF = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")
_MODULE_NAME = re.compile(r"\^?[A-Za-z0-9_.]+\$?")

REFUSED = {
    "use_dora": "DoRA, which changes the size of the model's own weights; merge it into the weights",
    "modules_to_save": "whole modules that replace the model's own; merge it into the weights",
    "lora_bias": "biases of its own; merge it into the weights",
    "fan_in_fan_out": "transposed matrices, of models that mlxr does not run",
    "use_qalora": "QALoRA, whose inputs are pooled; merge it into the weights",
    "use_bdlora": "block-diagonal matrices; merge it into the weights",
    "layer_replication": "layers that the model has several times; merge it into the weights",
    "alora_invocation_tokens": "an activated LoRA, which takes effect from some tokens on; use a plain one",
    "trainable_token_indices": "tokens with new embeddings; merge it into the weights",
    "target_parameters": "parameters that are no linear layers (experts); merge it into the weights",
    "arrow_config": "a router over several adapters; use these one by one",
    "kasa_config": "KaSA, which changes the model's own weights; merge it into the weights",
    "monteclora_config": "sampled weights; merge it into the weights",
}
"""Settings that mean more than a low-rank product, where they are set: what the adapter has by them."""

UNDERSTOOD = frozenset(
    {"peft_type", "auto_mapping", "base_model_name_or_path", "revision", "task_type", "inference_mode", "peft_version"}
    | {"r", "lora_alpha", "lora_dropout", "use_rslora", "rank_pattern", "alpha_pattern", "bias", "init_lora_weights"}
    | {"target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "megatron_config", "megatron_core"}
    | {"loftq_config", "eva_config", "corda_config", "lora_ga_config", "velora_config", "qalora_group_size"}
    | {"runtime_config", "ensure_weight_tying"}
)
"""Settings that are read here, or that tell how the adapter was trained alone."""

CHANGED_BASES = ("pissa", "olora", "corda", "loftq", "lora_ga")
"""Ways to begin that take something away from the model's own weights (``init_lora_weights``)."""


def open_peft(folder: Path) -> AdapterFile:
    """Raises ``ModelFileError`` for malformed and missing files, ``UnsupportedModelError`` for adapters of another
    kind."""
    settings_file = folder / CONFIG
    config = Hyperparameters(settings_file, read_json(settings_file))
    _require_plain(config)
    path = folder / PEFT_WEIGHTS
    if not path.exists():
        if (folder / PEFT_PICKLE).exists():
            reason = (
                f"has its weights in {PEFT_PICKLE}, a pickle, which mlxr never reads; save it with safe_serialization"
            )
            raise UnsupportedModelError(folder, reason)
        raise ModelFileError(path, "is missing")
    halves: dict[str, dict[str, StoredTensor]] = {"A": {}, "B": {}}
    for name, tensor in read_tensors(path).items():
        found = _HALF.fullmatch(name)
        if found is None:
            reason = f"has the tensor {name!r}, which is no part of a low-rank adapter for a linear layer"
            raise UnsupportedModelError(path, f"{reason}; merge the adapter into the model's weights")
        halves[found[2]][found[1].removeprefix(PREFIX)] = tensor
    pairs = {
        f"{module}.weight": Pair(down, up, _scaling(config, module, down))
        for module, (down, up) in paired(path, halves["A"], halves["B"]).items()
    }
    base = config.text("base_model_name_or_path", "")
    return checked(path, Format.HUGGING_FACE, "", base, pairs)


def _require_plain(config: Hyperparameters) -> None:
    kind = config.text("peft_type")
    if kind != "LORA":
        raise UnsupportedModelError(config.path, f"is an adapter of the type {kind[:40]!r}; mlxr knows 'LORA'")
    for name, meaning in REFUSED.items():
        if config.values.get(name):
            raise UnsupportedModelError(config.path, f"has {name}: {meaning}")
    unknown = next((name for name, value in config.values.items() if value and name not in UNDERSTOOD), None)
    if unknown is not None:
        reason = f"has the setting {unknown[:60]!r}, which mlxr does not know; merge it into the model's weights"
        raise UnsupportedModelError(config.path, reason)
    bias = config.text("bias", "none")
    if bias != "none":
        reason = f"has bias {bias[:40]!r}, biases of its own; mlxr takes 'none', so merge it into the weights"
        raise UnsupportedModelError(config.path, reason)
    begun = config.values.get("init_lora_weights", True)
    if isinstance(begun, str) and begun.lower().startswith(CHANGED_BASES):
        reason = f"has init_lora_weights {begun[:40]!r}: it is for weights other than the model's own"
        raise UnsupportedModelError(config.path, f"{reason}; save it with path_initial_model_for_weight_conversion")


def _scaling(config: Hyperparameters, module: str, down: StoredTensor) -> float:
    rank = _of_pattern(config, "rank_pattern", module)
    alpha = _of_pattern(config, "alpha_pattern", module)
    rank = config.positive("r") if rank is None else rank
    alpha = config.number("lora_alpha") if alpha is None else alpha
    if not down.shape or down.shape[0] != rank:
        reason = f"says that {module!r} has rank {rank:g}, and {down.name!r} has the shape {down.shape}"
        raise ModelFileError(config.path, f"{reason}; export the adapter again")
    return alpha / math.sqrt(rank) if config.flag("use_rslora", False) else alpha / rank


def _of_pattern(config: Hyperparameters, key: str, module: str) -> float | None:
    """What the first pattern that fits the end of a module's name says; None where none does."""
    patterns: Any = config.values.get(key) or {}
    if not isinstance(patterns, Mapping):
        raise ModelFileError(config.path, f"has a {key} that is no object of numbers by module")
    for pattern, value in patterns.items():
        # Others are regular expressions, which may take for ever.
        if not _MODULE_NAME.fullmatch(pattern):
            reason = f"has the {key} {pattern[:100]!r}; mlxr takes names of modules there, so spell them out"
            raise UnsupportedModelError(config.path, reason)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            raise ModelFileError(config.path, f"has a {key} of {str(value)[:40]} for {pattern[:100]!r}")
        if _fits(pattern.removesuffix("$"), module):
            return float(value)
    return None


def _fits(pattern: str, module: str) -> bool:
    """As PEFT's ``get_pattern_key``: a whole name, or its end behind a dot."""
    if pattern.startswith("^"):
        return False if not module.startswith(pattern[1:]) else module == pattern[1:]
    return f".{module}".endswith(f".{pattern}")
