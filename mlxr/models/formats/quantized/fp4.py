"""FP4 matrices of folders: ``X.weight_packed`` or ``X.weight`` uint8 ``[out, in / 2]``, the first of two values low.

MXFP4 has a power of two for each 32 values of a row (E8M0, uint8); NVFP4 an E4M3 scale for each 16, and one more for
the whole matrix, which values are divided by (compressed-tensors) or multiplied with (NVIDIA's modelopt).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import fp4
from mlxr.metal.reference.dequantize import float8_values
from mlxr.metal.sizes import Scales
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.models.formats.quantized.parts import FLOATS, AssembledTensor, floats, half, integers, misshapen
from mlxr.models.modelfile import StoredTensor

Extras = dict[str, NDArray[np.generic]]

FP4_VALUES = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
"""Of E2M1 without its sign."""


def mxfp4(name: str, codes: StoredTensor, scales: StoredTensor) -> AssembledTensor:
    """Returns the matrix of packed ``codes`` and E8M0 ``scales``."""
    rows, columns = _shape(name, codes, scales, fp4.MX_GROUP)

    def make() -> Tensor:
        return Tensor(name, TensorType.MXFP4, (rows, columns), fp4.mxfp4_blocks(integers(codes), integers(scales)))

    return AssembledTensor(name, TensorType.MXFP4, (rows, columns), [codes, scales], "MXFP4", make)


def nvfp4(
    name: str, codes: StoredTensor, scales: StoredTensor, whole: StoredTensor | None, divides: bool = False
) -> AssembledTensor:
    """Returns the matrix of packed ``codes`` and E4M3 ``scales``, times (or by) the one number ``whole``. Rows that do
    not fill blocks of 64 values become 16-bit floats."""
    rows, columns = _shape(name, codes, scales, fp4.NV_GROUP)
    parts = [codes, scales, *([] if whole is None else [whole])]
    if whole is not None and (whole.stored_as not in FLOATS or np.prod(whole.shape, dtype=np.int64) != 1):
        raise misshapen(name, "has no one number for the whole matrix", *parts)

    def extras() -> Extras:
        if whole is None:
            return {}
        number = floats(whole).reshape(())
        with np.errstate(divide="ignore"):
            return {"scale": np.asarray(1 / number if divides else number, np.float32)}

    def make() -> Tensor:
        data = fp4.nvfp4_blocks(integers(codes), integers(scales))
        return Tensor(name, TensorType.NVFP4, (rows, columns), data, extras())

    def unfit() -> Tensor:
        factor = extras().get("scale", np.float32(1))
        return half(name, values(integers(codes), integers(scales)) * np.asarray(factor, np.float32))

    kind, read = (TensorType.F16, unfit) if columns % fp4.NV_BLOCK else (TensorType.NVFP4, make)
    return AssembledTensor(name, kind, (rows, columns), parts, "NVFP4", read, Scales(whole=whole is not None))


def mxfp8(name: str, codes: StoredTensor, scales: StoredTensor) -> AssembledTensor:
    """Returns the matrix of E4M3 ``codes`` ``[out, in]`` and E8M0 ``scales`` ``[out, in / 32]``."""
    if len(codes.shape) != 2 or scales.shape != (codes.shape[0], codes.shape[1] // fp4.MX_GROUP):
        raise misshapen(name, f"groups of {fp4.MX_GROUP} do not make", codes, scales)
    shape = (codes.shape[0], codes.shape[1])

    def make() -> Tensor:
        return Tensor(name, TensorType.MXFP8, shape, fp4.mxfp8_blocks(integers(codes), integers(scales)))

    return AssembledTensor(name, TensorType.MXFP8, shape, [codes, scales], "MXFP8", make)


def _shape(name: str, codes: StoredTensor, scales: StoredTensor, group: int) -> tuple[int, int]:
    columns = codes.shape[-1] * 2
    if len(codes.shape) != 2 or columns % group or scales.shape != (codes.shape[0], columns // group):
        raise misshapen(name, f"groups of {group} do not make", codes, scales)
    return codes.shape[0], columns


def values(codes: NDArray[Any], scales: NDArray[Any]) -> NDArray[np.float32]:
    """Returns what NVFP4 codes ``[rows, columns / 2]`` and scales ``[rows, columns / 16]`` mean."""
    apart = np.stack([codes & 15, codes >> 4], axis=-1).reshape(len(codes), -1)
    numbers = FP4_VALUES[apart & 7] * np.where(apart & 8, np.float32(-1), np.float32(1))
    scaled: NDArray[np.float32] = numbers * np.repeat(float8_values()[scales & 127], fp4.NV_GROUP, axis=1)
    return scaled
