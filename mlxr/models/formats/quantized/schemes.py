"""Which scheme a folder's matrices are quantized by, as its ``config.json`` says, and their tensors put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.models.errors import AGAIN, ModelFileError, UnsupportedModelError
from mlxr.models.formats.quantized import (
    auto_round,
    awq,
    bitsandbytes,
    compressed_tensors,
    fp8,
    gptq,
    mlx,
    modelopt,
    mxfp4,
)
from mlxr.models.formats.quantized.parts import Parts
from mlxr.models.jsonfile import optional_json
from mlxr.models.modelfile import StoredTensor

SETTING = "quantization_config"
"""Hugging Face's key; MLX's is ``mlx.SETTING``."""

CONFIG = "config.json"
BY_NVIDIA = "hf_quant_config.json"
OWN_FILES = {"quantize_config.json": "gptq", "quant_config.json": "awq"}
"""Files that had the settings, and whose they are."""

PARTS = (".qweight", ".qzeros", ".weight_packed", ".SCB", ".weight.absmax", ".weight_scale_inv", ".scales", "_blocks")
"""How names of tensors end that no matrix of floats has beside it."""

SCHEMES = {
    method: scheme.join
    for scheme in (fp8, bitsandbytes, gptq, awq, auto_round, compressed_tensors, modelopt, mxfp4)
    for method in scheme.METHODS
}
"""By ``quant_method``."""


@dataclass(frozen=True, slots=True)
class Joined:
    """``tensors``: by name, each matrix as one. ``notes``: what is to be said of how they are read."""

    tensors: dict[str, StoredTensor]
    notes: tuple[str, ...] = ()


def joined(path: Path, config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> Joined:
    """Puts the parts of a folder's quantized matrices together.

    Raises ``UnsupportedModelError`` for a scheme that mlxr lacks, ``ModelFileError`` for settings or parts that don't
    fit together.
    """
    if config.get(mlx.SETTING) is not None:  # mlx-lm writes its settings under both keys
        parts = Parts(path, tensors, CONFIG)
        mlx.join(parts, _settings(path, mlx.SETTING, config[mlx.SETTING]))
        return Joined(parts.tensors, tuple(parts.notes))
    file, given = CONFIG, _of_hugging_face(config)
    if given is None:
        file, given = _beside(path)
    if given is None:
        _require_plain(path, tensors)
        return Joined(dict(tensors))
    settings, parts = _settings(path, SETTING, given), Parts(path, tensors, file)
    _scheme(path, settings)(parts, settings)
    return Joined(parts.tensors, tuple(parts.notes))


def _of_hugging_face(config: Mapping[str, Any]) -> object:
    """The settings, which models that look at images may have within those of their language model."""
    text = config.get("text_config")
    inner = text.get(SETTING) if isinstance(text, Mapping) else None
    outer = config.get(SETTING)
    return inner if outer is None else outer


def _beside(path: Path) -> tuple[str, object]:
    """The settings in a file of their own, whose name comes first, as packages wrote them before ``config.json`` had
    them; None where there is no such file."""
    found = optional_json(path / BY_NVIDIA).get("quantization")
    if found is not None:
        return BY_NVIDIA, {**_settings(path, "quantization", found), "quant_method": modelopt.METHODS[0]}
    for name, method in OWN_FILES.items():
        if found := optional_json(path / name):
            return name, {**found, "quant_method": method}
    return CONFIG, None


def _require_plain(path: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Raises ``UnsupportedModelError`` for parts of quantized matrices of which nobody says how they are."""
    for name in tensors:
        if name.endswith(PARTS):
            reason = f"has {name[:120]!r}, a part of a quantized matrix, and no {SETTING} that says how"
            raise UnsupportedModelError(path / CONFIG, f"{reason}; fetch all files of the model")


def _settings(path: Path, key: str, given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ModelFileError(path / CONFIG, f"has a {key} that is no object; {AGAIN}")
    return given


def _scheme(path: Path, settings: Mapping[str, Any]) -> Any:
    method = settings.get("quant_method")
    if method is None and any(key.startswith(("load_in_", "bnb_")) for key in settings):
        method = bitsandbytes.METHODS[0]  # files of before the key was there
    if not isinstance(method, str) or method not in SCHEMES:
        known = ", ".join(sorted({*SCHEMES}))
        reason = f"has the quant_method {str(method)[:40]!r} in its {SETTING}; mlxr reads {known}, and MLX's own"
        raise UnsupportedModelError(path / CONFIG, f"{reason}: take the model in one of these, or as GGUF")
    return SCHEMES[method]
