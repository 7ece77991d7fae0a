"""Which scheme a folder's matrices are quantized by, as its ``config.json`` says, and their tensors put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxr.models.errors import ModelFileError, UnsupportedModelError
from mlxr.models.formats.quantized import awq, bitsandbytes, compressed_tensors, fp8, gptq, mlx, modelopt, mxfp4
from mlxr.models.formats.quantized.parts import Parts
from mlxr.models.modelfile import StoredTensor

SETTING = "quantization_config"
"""Hugging Face's key; MLX's is ``mlx.SETTING``."""

SCHEMES = {
    method: scheme.join
    for scheme in (fp8, bitsandbytes, gptq, awq, compressed_tensors, modelopt, mxfp4)
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
        parts = Parts(path, tensors)
        mlx.join(parts, _settings(path, mlx.SETTING, config[mlx.SETTING]))
    elif (given := _of_hugging_face(config)) is not None:
        settings = _settings(path, SETTING, given)
        parts = Parts(path, tensors)
        _scheme(path, settings)(parts, settings)
    else:
        return Joined(dict(tensors))
    return Joined(parts.tensors, tuple(parts.notes))


def _of_hugging_face(config: Mapping[str, Any]) -> object:
    """The settings, which models that look at images may have within those of their language model."""
    text = config.get("text_config")
    inner = text.get(SETTING) if isinstance(text, Mapping) else None
    outer = config.get(SETTING)
    return inner if outer is None else outer


def _settings(path: Path, key: str, given: object) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise ModelFileError(path / "config.json", f"has a {key} that is no object")
    return given


def _scheme(path: Path, settings: Mapping[str, Any]) -> Any:
    method = settings.get("quant_method")
    if method is None and any(key.startswith(("load_in_", "bnb_")) for key in settings):
        method = bitsandbytes.METHODS[0]  # files of before the key was there
    if not isinstance(method, str) or method not in SCHEMES:
        known = ", ".join(sorted({*SCHEMES}))
        reason = f"has the quant_method {str(method)[:40]!r} in its {SETTING}; mlxr reads {known}, and MLX's own"
        raise UnsupportedModelError(path / "config.json", f"{reason}: take the model in one of these, or as GGUF")
    return SCHEMES[method]
