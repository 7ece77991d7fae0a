"""Matrices that MLX quantized (``mx.quantize``), as mlx-lm writes them into folders.

A matrix ``X.weight`` is packed codes, uint32 ``[..., out, in * bits / 32]``, values side by side from the lowest bit
up. Mode ``affine``: ``X.scales`` and ``X.biases`` ``[..., out, in / group_size]``, ``value = code * scale + bias``.
Modes ``mxfp4``, ``mxfp8`` and ``nvfp4``: ``X.scales`` uint8, E8M0 for each 32 values or E4M3 for each 16. Matrices of
three dimensions are those of experts (``switch_mlp``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import fp4
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from mlxr.models.formats.quantized.fp4 import values as nvfp4_values
from mlxr.models.formats.quantized.parts import (
    FLOATS,
    AssembledTensor,
    Floats,
    Parts,
    affine_or_half,
    floats,
    half,
    integers,
    misshapen,
    require_stored,
)
from mlxr.models.modelfile import StoredTensor

SETTING = "quantization"
"""The key of ``config.json`` by which such a folder is known."""

GROUP_SIZES = (32, 64, 128)
BITS = (1, 2, 3, 4, 5, 6, 8)
MODES: dict[str, tuple[int, int, TensorType]] = {
    "mxfp4": (4, 32, TensorType.MXFP4),
    "mxfp8": (8, 32, TensorType.MXFP8),
    "nvfp4": (4, 16, TensorType.NVFP4),
}
"""Modes that are not affine: bits, group size, and the type whose blocks hold the same."""
BLOCKS_OF = {
    TensorType.MXFP4: fp4.mxfp4_blocks,
    TensorType.MXFP8: fp4.mxfp8_blocks,
    TensorType.NVFP4: fp4.nvfp4_blocks,
}


@dataclass(frozen=True, slots=True)
class Quantization:
    """``bits`` a code, ``group_size`` codes with one scale (and bias)."""

    bits: int
    group_size: int
    mode: str = "affine"


def join(parts: Parts, settings: Mapping[str, Any]) -> None:
    """Puts codes, scales and biases together."""
    for module in parts.modules("scales"):
        quantization = _quantization(parts, settings, module)
        codes, scales = parts.take(module, "weight"), parts.take(module, "scales")
        if quantization.mode == "affine":
            parts.put(_affine(codes, scales, parts.take(module, "biases"), quantization))
        else:
            parts.put(_floating(codes, scales, quantization))


def _quantization(parts: Parts, settings: Mapping[str, Any], module: str) -> Quantization:
    """What holds for a ``module``: its own settings, or those for all."""
    own = settings.get(module)
    given = {**settings, **own} if isinstance(own, Mapping) else settings
    mode = given.get("mode", "affine")
    if isinstance(mode, str) and mode in MODES:
        only = Quantization(*MODES[mode][:2], mode)
        if (given.get("bits", only.bits), given.get("group_size", only.group_size)) != (only.bits, only.group_size):
            shown = f"{str(given.get('bits'))[:20]} bits in groups of {str(given.get('group_size'))[:20]}"
            reason = f"quantizes {module[:100]} to {shown} by {mode}"
            raise parts.error(f"{reason}, which has {only.bits} in {only.group_size}")
        return only
    if mode != "affine":
        known = ", ".join(("affine", *MODES))
        raise parts.unsupported(f"is quantized in MLX's mode {str(mode)[:40]!r}; mlxr reads {known}")
    bits, group_size = given.get("bits"), given.get("group_size")
    if bits not in BITS or group_size not in GROUP_SIZES or isinstance(bits, bool):
        reason = f"quantizes {module[:100]} to {str(bits)[:20]} bits in groups of {str(group_size)[:20]}"
        raise parts.unsupported(f"{reason}; mlxr reads {BITS} bits in groups of {GROUP_SIZES}")
    return Quantization(bits, group_size)


def _shape(quantization: Quantization, codes: StoredTensor, *others: StoredTensor) -> tuple[int, ...]:
    """The matrix's shape. Raises ``ModelFileError`` for parts that do not fit together."""
    bits, size = quantization.bits, quantization.group_size
    packed = len(codes.shape) in (2, 3) and codes.stored_as == "U32" and codes.shape[-1] * 32 % bits == 0
    inputs = codes.shape[-1] * 32 // bits if packed else 0
    if not packed or inputs % size or any(part.shape != (*codes.shape[:-1], inputs // size) for part in others):
        raise misshapen(codes.name, f"{bits} bits in groups of {size} do not make", codes, *others)
    return (*codes.shape[:-1], inputs)


def _affine(
    codes: StoredTensor, scales: StoredTensor, biases: StoredTensor, quantization: Quantization
) -> AssembledTensor:
    shape = _shape(quantization, codes, scales, biases)
    for part in (scales, biases):
        require_stored(codes.name, part, *FLOATS)
    groups = shape[-1] // quantization.group_size

    def read() -> tuple[NDArray[np.uint8], Floats, Floats]:
        return _bytes(codes), floats(scales).reshape(-1, groups), floats(biases).reshape(-1, groups)

    bits, size = quantization.bits, quantization.group_size
    tensor = affine_or_half(codes.name, _flat(shape), bits, size, [codes, scales, biases], f"{bits}-bit", read)
    tensor.shape = shape
    return tensor


def _floating(codes: StoredTensor, scales: StoredTensor, quantization: Quantization) -> AssembledTensor:
    shape = _shape(quantization, codes, scales)
    require_stored(codes.name, scales, "U8")
    type = MODES[quantization.mode][2]
    if shape[-1] % BLOCKS[type][0]:  # half a block of NVFP4
        return AssembledTensor(
            codes.name, TensorType.F16, shape, [codes, scales], type.value, partial(_half, codes, scales)
        )
    read = partial(_blocks, codes, scales, type, _flat(shape))
    return AssembledTensor(codes.name, type, shape, [codes, scales], type.value, read)


def _blocks(codes: StoredTensor, scales: StoredTensor, type: TensorType, shape: tuple[int, int]) -> Tensor:
    return Tensor(codes.name, type, shape, BLOCKS_OF[type](_bytes(codes), _rows(scales)))


def _half(codes: StoredTensor, scales: StoredTensor) -> Tensor:
    return half(codes.name, nvfp4_values(_bytes(codes), _rows(scales)))


def _rows(scales: StoredTensor) -> NDArray[np.uint8]:
    return integers(scales).reshape(-1, scales.shape[-1])


def _bytes(codes: StoredTensor) -> NDArray[np.uint8]:
    """Packed codes, a row of the matrix each."""
    return integers(codes).reshape(-1, codes.shape[-1]).view(np.uint8)


def _flat(shape: tuple[int, ...]) -> tuple[int, int]:
    return int(np.prod(shape[:-1])), shape[-1]
