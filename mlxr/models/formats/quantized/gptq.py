"""GPTQ folders (AutoGPTQ, GPTQModel): codes of 2, 3, 4 or 8 bits in groups of input features.

A matrix is ``X.qweight`` int32 ``[in * bits / 32, out]``, codes of a column one after another from the lowest bit up;
``X.qzeros`` int32 ``[groups, out * bits / 32]`` likewise along a row; ``X.scales`` float16 ``[groups, out]``; and
``X.g_idx`` int32 ``[in]``, each input feature's group: ``value = (code - zero) * scale``. In the format ``gptq`` zeros
are stored less one; in ``gptq_v2`` they are not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import affine
from mlxr.models.formats.quantized.act_order import column_groups, reordered
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
from mlxr.models.modelfile import StoredTensor

METHODS = ("gptq",)
BITS = (2, 3, 4, 8)
FORMATS = {"gptq": 1, "gptq_v2": 0}
"""What is added to stored zeros, by ``checkpoint_format``."""


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts matrices and their scales together."""
    kind = settings.get("checkpoint_format") or settings.get("format") or "gptq"
    if not isinstance(kind, str) or kind not in FORMATS:
        reason = f"has GPTQ's checkpoint_format {str(kind)[:40]!r}; mlxr reads {' and '.join(FORMATS)}"
        raise parts.unsupported(f"{reason}, so take the model in one of these")
    for module in parts.modules("qweight"):
        bits, group = _own(parts, settings, module)
        parts.put(_matrix(parts, module, bits, group, FORMATS[kind]))


def _own(parts: Parts, settings: Mapping[str, Any], module: str) -> tuple[int, int]:
    """Bits and group of a ``module``: of the first of ``dynamic`` rules that fits it, else of all."""
    given = dict(settings)
    rules = settings.get("dynamic")
    for rule, own in (rules if isinstance(rules, Mapping) else {}).items():
        if not rule.startswith("-:") and isinstance(own, Mapping) and _fits(parts, rule.removeprefix("+:"), module):
            given |= own
            break
    bits, group = given.get("bits"), given.get("group_size", -1)
    if bits not in BITS or isinstance(bits, bool):
        raise parts.unsupported(f"quantizes {module[:100]} to {str(bits)[:20]} bits by GPTQ; mlxr reads {BITS}")
    if not isinstance(group, int) or isinstance(group, bool) or not (group == -1 or group > 0):
        raise parts.error(f"has the group_size {str(group)[:20]}, which should be -1 or a number")
    return bits, group


def _fits(parts: Parts, expression: str, module: str) -> bool:
    try:
        return re.match(expression, module) is not None
    except re.error as error:
        raise parts.error(f"has a rule in dynamic, {expression[:60]!r}, that is none: {error}") from None


def _matrix(parts: Parts, module: str, bits: int, group: int, added: int) -> AssembledTensor:
    name = f"{module}.weight"
    codes, zeros, scales = (parts.take(module, suffix) for suffix in ("qweight", "qzeros", "scales"))
    order = parts.optional(module, "g_idx")
    require_stored(name, codes, "I32", "U32")
    require_stored(name, zeros, "I32", "U32")
    require_stored(name, scales, *FLOATS)
    shape, groups = _shape(name, bits, group, codes, zeros, scales)
    width = shape[1] if group == -1 else group
    stored = [codes, zeros, scales]
    indices = column_groups(order, shape[1], width, groups)

    def numbers() -> tuple[Floats, Floats]:
        """Scales, and what zeros come to, ``[out, groups]``."""
        packed = np.ascontiguousarray(integers(zeros)).view(np.uint8).reshape(groups, -1)
        zero = affine.unpacked(packed, bits)[:, : shape[0]] + np.uint8(added) & np.uint8((1 << bits) - 1)
        scale = np.ascontiguousarray(floats(scales).T)
        return scale, -scale * zero.T

    def read() -> tuple[NDArray[np.uint8], Floats, Floats]:
        scale, bias = numbers()
        return np.ascontiguousarray(integers(codes).T).view(np.uint8), scale, bias

    if indices is None:
        return affine_or_half(name, shape, bits, width, stored, f"GPTQ {bits}-bit", read)
    return reordered(parts, name, shape, bits, stored, f"GPTQ {bits}-bit", read, indices)


def _shape(
    name: str, bits: int, group: int, codes: StoredTensor, zeros: StoredTensor, scales: StoredTensor
) -> tuple[tuple[int, int], int]:
    """The matrix's shape and its number of groups."""
    if all(len(part.shape) == 2 for part in (codes, zeros, scales)) and codes.shape[0] * 32 % bits == 0:
        inputs, outputs, groups = codes.shape[0] * 32 // bits, codes.shape[1], scales.shape[0]
        whole = groups == (1 if group == -1 else -(-inputs // group))
        if whole and scales.shape[1] == outputs and zeros.shape == (groups, -(-outputs * bits // 32)):
            return (outputs, inputs), groups
    raise misshapen(name, f"GPTQ's {bits} bits in groups of {group} do not make", codes, zeros, scales)
