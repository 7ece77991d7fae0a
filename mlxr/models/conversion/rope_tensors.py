"""Factors of rope frequencies, which GGUF files keep as tensors and folders as settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.conversion.settings import Config, head_size, rope_settings
from mlxr.models.errors import ModelFileError
from mlxr.models.quantization.encoding import Source, Whole

STILL = 1e30
"""What a frequency is divided by that is to be none."""
WHOLE_HEAD = 512
"""Of Gemma 4's layers that see everything, where a folder does not say."""


def rope_tensors(path: Path, architecture: str, config: Config) -> dict[str, Source]:
    """Returns ``rope_freqs`` of Llama 3's scaling, or the two of LongRoPE. Raises ``ModelFileError`` for settings that
    make none."""
    inner = rope_settings(config)
    try:
        if inner.get("rope_type") == "proportional":
            return {"rope_freqs.weight": _vector("rope_freqs.weight", _proportional(inner, config))}
        if str(inner.get("rope_type", "")).lower() == "llama3":
            return {"rope_freqs.weight": _vector("rope_freqs.weight", llama3_factors(inner, head_size(config)))}
        if inner.get("long_factor"):
            names = {"long": "rope_factors_long.weight", "short": "rope_factors_short.weight"}
            return {name: _vector(name, inner[f"{kind}_factor"]) for kind, name in names.items()}
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
        raise ModelFileError(path, f"has rope settings that make no factors: {error}") from None
    return {}


def _proportional(inner: Mapping[str, Any], config: Config) -> list[float]:
    """Returns 1 for the pairs of a long head that turn, and for those that do not what stops them (Gemma 4)."""
    layers = config.get("per_layer_config") or {}
    kinds = config.get("layer_types") or []
    own = [layers[key].get("head_dim") for key in layers if kinds[int(key) : int(key) + 1] == ["full_attention"]]
    size = int(config.get("global_head_dim") or next(filter(None, own), None) or WHOLE_HEAD)
    turned = int(size * inner.get("partial_rotary_factor", 1.0) / 2)
    return [1.0] * turned + [STILL] * (size // 2 - turned)


def llama3_factors(inner: Mapping[str, Any], dimensions: int) -> list[float]:
    """Returns what each frequency is divided by: 1 for short waves, ``factor`` for long ones, and between them what
    joins the two (Llama 3.1's ``rope_scaling``)."""
    base, factor = inner.get("rope_theta", 10000.0), inner.get("factor", 8.0)
    low, high = inner.get("low_freq_factor", 1.0), inner.get("high_freq_factor", 4.0)
    original = inner.get("original_max_position_embeddings", 8192)
    exponents = np.arange(0, dimensions, 2, dtype=np.float32) / np.float32(dimensions)
    frequencies = np.float32(1) / (np.float64(base) ** exponents).astype(np.float32)
    factors: list[float] = []
    for frequency in frequencies:  # in float32 all along, as others compute it
        length = np.float32(2 * math.pi) / frequency
        if length < original / high:
            factors.append(1.0)
        elif length > original / low:
            factors.append(factor)
        else:
            smooth = (original / length - low) / (high - low)
            factors.append(1 / ((1 - smooth) / factor + smooth))
    return factors


def _vector(name: str, values: Any) -> Source:
    numbers = np.asarray(values, np.float32).reshape(1, -1)

    def made() -> Tensor:
        return Tensor(name, TensorType.F32, numbers.shape, numbers.view(np.uint8))

    return Whole(name, TensorType.F32, (numbers.size,), made)
