"""MXFP4 experts as OpenAI publishes gpt-oss (``quant_method: mxfp4``).

The matrices of all experts of a layer are ``X_blocks`` uint8 ``[experts, out, in / 32, 16]``, the first of two values
in the low nibble, and ``X_scales`` uint8 ``[experts, out, in / 32]``, powers of two. They are read as ``X.weight``
``[experts, out, in]``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlxr.metal import fp4
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.formats.quantized.parts import AssembledTensor, Parts, integers, misshapen, require_stored
from mlxr.models.modelfile import StoredTensor

METHODS = ("mxfp4",)
BLOCKS, SCALES = "_blocks", "_scales"
"""How the names of the two parts end."""


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts codes and scales together."""
    for name in [name for name in parts.tensors if name.endswith(BLOCKS)]:
        module, _, matrix = name.removesuffix(BLOCKS).rpartition(".")
        codes, scales = (parts.take(module, f"{matrix}{ending}") for ending in (BLOCKS, SCALES))
        parts.put(_experts(f"{module}.{matrix}.weight", codes, scales))


def _experts(name: str, codes: StoredTensor, scales: StoredTensor) -> AssembledTensor:
    for part in (codes, scales):
        require_stored(name, part, "U8")
    if len(codes.shape) != 4 or codes.shape[-1] != fp4.MX_GROUP // 2 or scales.shape != codes.shape[:-1]:
        raise misshapen(name, "blocks of 32 values do not make", codes, scales)
    count, rows, groups = scales.shape
    shape = count * rows, groups * fp4.MX_GROUP

    def make() -> Tensor:
        packed = integers(codes).reshape(shape[0], -1)
        return Tensor(name, TensorType.MXFP4, shape, fp4.mxfp4_blocks(packed, integers(scales).reshape(shape[0], -1)))

    return AssembledTensor(name, TensorType.MXFP4, (count, rows, shape[1]), [codes, scales], "MXFP4", make)
