"""AWQ folders (AutoAWQ, version ``gemm``): codes of 4 bits in groups of input features.

A matrix is ``X.qweight`` int32 ``[in, out / 8]``, ``X.qzeros`` int32 ``[groups, out / 8]`` and ``X.scales`` float16
``[groups, out]``: ``value = (code - zero) * scale``. Eight codes of a word, from its lowest bits up, are those of the
output features 0, 2, 4, 6, 1, 3, 5, 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.models.formats.quantized.parts import (
    FLOATS,
    AssembledTensor,
    Floats,
    Parts,
    affine_or_half,
    floats,
    integers,
    misshapen,
    require_stored,
)

METHODS = ("awq",)
BITS = 4
MIDDLE = 8
"""The zero of matrices that have none of their own."""
ORDER = np.array([0, 4, 1, 5, 2, 6, 3, 7])
"""Where in a word the code of each output feature stands."""


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts matrices and their scales together."""
    version = str(settings.get("version", "gemm")).lower()
    if version != "gemm":
        raise parts.unsupported(f"has AWQ's version {version[:40]!r}; mlxr reads gemm, so take that")
    bits, group = settings.get("bits", settings.get("w_bit")), settings.get("group_size", settings.get("q_group_size"))
    if bits != BITS:
        raise parts.unsupported(f"is quantized to {str(bits)[:20]} bits by AWQ; mlxr reads {BITS}")
    if not isinstance(group, int) or isinstance(group, bool) or not (group == -1 or group > 0):
        raise parts.error(f"has the group_size {str(group)[:20]}, which should be -1 or a number")
    for module in parts.modules("qweight"):
        parts.put(_matrix(parts, module, group))


def _matrix(parts: Parts, module: str, group: int) -> AssembledTensor:
    name = f"{module}.weight"
    codes, scales = parts.take(module, "qweight"), parts.take(module, "scales")
    zeros = parts.optional(module, "qzeros")
    stored = [codes, scales, *([] if zeros is None else [zeros])]
    require_stored(name, codes, "I32", "U32")
    require_stored(name, scales, *FLOATS)
    if not all(len(part.shape) == 2 for part in stored):
        raise misshapen(name, "are no matrices", *stored)
    inputs, outputs = codes.shape[0], codes.shape[1] * 8
    width = inputs if group == -1 else group
    groups = inputs // width
    if inputs % 2 or inputs % width or scales.shape != (groups, outputs):
        raise misshapen(name, f"AWQ's groups of {group} do not make", *stored)
    if zeros is not None:
        require_stored(name, zeros, "I32", "U32")
        if zeros.shape != (groups, outputs // 8):
            raise misshapen(name, f"AWQ's groups of {group} do not make", *stored)

    def read() -> tuple[NDArray[np.uint8], Floats, Floats]:
        scale = np.ascontiguousarray(floats(scales).T)
        zero = np.full_like(scale, MIDDLE) if zeros is None else _features(integers(zeros))
        return _packed(integers(codes)), scale, -scale * zero

    return affine_or_half(name, (outputs, inputs), BITS, width, stored, "AWQ 4-bit", read)


def _features(words: NDArray[Any]) -> NDArray[np.uint8]:
    """Codes of words ``[n, m]`` by output feature: uint8 ``[8 m, n]``."""
    across = np.ascontiguousarray(words.T).view("<u4")
    shifts = (4 * ORDER).astype(np.uint32)
    codes = (across[:, None, :] >> shifts[:, None] & np.uint32(15)).astype(np.uint8)
    return codes.reshape(-1, words.shape[0])


def _packed(words: NDArray[Any]) -> NDArray[np.uint8]:
    """Words ``[in, out / 8]`` as codes side by side along input features, ``[out, in / 2]``."""
    out = np.empty((8 * words.shape[1], words.shape[0] // 2), np.uint8)
    even, odd = words[::2].view(np.uint32), words[1::2].view(np.uint32)
    for feature, lane in enumerate(ORDER):
        shift = np.uint32(4 * lane)
        pairs = (even >> shift & np.uint32(15)) | (odd >> shift & np.uint32(15)) << np.uint32(4)
        out[feature::8] = pairs.astype(np.uint8).T
    return out
