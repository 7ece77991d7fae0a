"""Types of matrices in MLX folders: plain numbers, or codes under scales, by the names that people type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

PLAIN = {"f32": "F32", "float32": "F32", "f16": "F16", "float16": "F16", "bf16": "BF16", "bfloat16": "BF16"}
MODES = {"mxfp4": (32, 4), "mxfp8": (32, 8), "nvfp4": (16, 4)}
"""MLX's ways to quantize besides its own affine one: values that share a scale, and bits."""
AFFINE_BITS, AFFINE_GROUPS = (2, 3, 4, 5, 6, 8), (32, 64, 128)


@dataclass(frozen=True, slots=True)
class Quantization:
    """``mode``: MLX's name. ``group``: values that share a scale. ``bits``: of each."""

    mode: str
    group: int
    bits: int

    def settings(self) -> dict[str, Any]:
        """As mlx-lm has them in ``config.json``."""
        return {"group_size": self.group, "bits": self.bits, "mode": self.mode}

    @property
    def has_biases(self) -> bool:
        return self.mode == "affine"


@dataclass(frozen=True, slots=True)
class MatrixType:
    """What matrices become: ``dtype`` where they are not quantized (empty: as they are)."""

    dtype: str = ""
    quantization: Quantization | None = None


def matrix_type(type: str, group: int) -> MatrixType:
    """Returns what ``4bit``, ``mxfp4`` or ``bf16`` means. Raises ``ValueError`` with the list of all."""
    name = type.strip().lower()
    if name in PLAIN or not name:
        if group:
            raise ValueError(
                f"{group} values share a scale where matrices are quantized: give a type such as 4bit, too"
            )
        return MatrixType(PLAIN.get(name, ""))
    if name in MODES:
        fixed, bits = MODES[name]
        if group not in (0, fixed):
            raise ValueError(f"{name} has {fixed} values a scale, and not {group}")
        return MatrixType("", Quantization(name, fixed, bits))
    match = re.fullmatch(r"q?(\d)[-_ ]?(?:bits?)?", name)
    if match and int(match[1]) in AFFINE_BITS:
        if group not in (0, *AFFINE_GROUPS):
            raise ValueError(f"{group} values can't share a scale; MLX takes {', '.join(map(str, AFFINE_GROUPS))}")
        return MatrixType("", Quantization("affine", group or 64, int(match[1])))
    known = [*(f"{bits}bit" for bits in AFFINE_BITS), *MODES, "f16", "bf16", "f32"]
    raise ValueError(f"{type[:40]!r} is no type of MLX folders; choose from {', '.join(known)}")
