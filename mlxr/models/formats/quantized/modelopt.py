"""Folders that NVIDIA's modelopt quantized: FP8 with one scale a matrix, or NVFP4 with two kinds of scales.

FP8: as in ``fp8.py``. NVFP4: ``X.weight`` uint8 ``[out, in / 2]``, ``X.weight_scale`` E4M3 ``[out, in / 16]`` and
``X.weight_scale_2``, one number, all multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlxr.models.formats.quantized import fp4, fp8
from mlxr.models.formats.quantized.parts import Parts, require_stored

METHODS = ("modelopt", "modelopt_fp4")
ALGORITHMS = ("FP8", "NVFP4")


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts matrices and their scales together."""
    algorithm = settings.get("quant_algo", "NVFP4")
    if algorithm not in ALGORITHMS:
        known = " and ".join(ALGORITHMS)
        raise parts.unsupported(f"has modelopt's quant_algo {str(algorithm)[:40]!r}; mlxr reads {known}")
    for module in parts.modules("weight_scale_2"):
        codes, scales, whole = (parts.take(module, name) for name in ("weight", "weight_scale", "weight_scale_2"))
        require_stored(codes.name, codes, "U8")
        require_stored(codes.name, scales, "F8_E4M3")
        parts.put(fp4.nvfp4(codes.name, codes, scales, whole))
    fp8.join(parts, {})
