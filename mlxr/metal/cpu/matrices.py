"""Matrices as the native kernels keep them: in their file's own bits, or the nearest that have a kernel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal import fp4
from mlxr.metal.affine import AFFINE_TYPES, as_affine, native_blocks
from mlxr.metal.codebooks import BLOCK, BLOCK_OF_32, CODEBOOK_TYPES, SCALES_OF_32, codebook
from mlxr.metal.cpu import _native
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensor_rows import block_scales
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.metal.weights import Weight

HELD_AS = {
    TensorType.AFFINE: "blocks of 32 codes, scales rounded to 16 bits",
    TensorType.Q1_0: "2-bit codes in blocks of 32, exact",
    TensorType.Q2_0: "2-bit codes in blocks of 32, exact",
    TensorType.MXFP8: "FP8 with its scales, exact",
}
"""Types that are repacked, in words, for people."""

FLOATS = (TensorType.F32, TensorType.F16, TensorType.BF16)
"""Types that may be kept as 16-bit codes."""


def pack(engine: _native.Engine, tensor: Tensor, encoder: bool, pause: Callable[[], None] | None = None) -> Weight:
    """Does what ``Backend.weight`` says of a tensor of two dimensions. ``pause`` is called every millisecond or so."""
    rows, columns = tensor.shape
    if encoder and tensor.type in FLOATS and engine.has_int16(columns):
        matrix = engine.pack_int16(rows, columns, np.ascontiguousarray(dequantize(tensor)))
        return Weight((rows, columns), matrix, matrix.nbytes)
    try:
        if tensor.type in AFFINE_TYPES:
            tensor = as_affine(tensor)
        elif tensor.type is TensorType.MXFP8:
            tensor = _float8(tensor)
        if tensor.type is TensorType.AFFINE:
            layout, codes = native_blocks(tensor)
            matrix = engine.pack(layout, rows, columns, codes, pause=pause)
        elif tensor.type in CODEBOOK_TYPES:
            layout, block = ("CODEBOOK32", BLOCK_OF_32) if tensor.type in SCALES_OF_32 else ("CODEBOOK", BLOCK)
            book = codebook(tensor, block)
            blocks, values = book.blocks.view(np.uint8), book.values.astype(np.float32)
            matrix = engine.pack(layout, rows, columns, blocks, map=values, pause=pause)
        else:
            matrix = engine.pack(tensor.type.value, rows, columns, tensor.data, pause=pause, **_extras(tensor))
    except ValueError as error:
        raise ValueError(f"{tensor.name} ({tensor.type}, {rows} x {columns}): {error}") from error
    return Weight((rows, columns), matrix, matrix.nbytes)


def held_as(tensor: Tensor) -> str:
    """Returns how a tensor's type is repacked, in words; '' where it is kept as it is."""
    if tensor.type in CODEBOOK_TYPES:
        return "4-bit indices into a table of its values, exact"
    if tensor.type is TensorType.NVFP4 and tensor.extras:
        return "its own codes, scales rounded to 16 bits"
    return HELD_AS.get(tensor.type, "")


def _extras(tensor: Tensor) -> dict[str, Any]:
    """Arguments of ``_native.Engine.pack`` for what a type keeps beside its blocks."""
    extras = tensor.extras
    if tensor.type is TensorType.FP8_E4M3 and "scale" in extras:
        scale = np.ascontiguousarray(extras["scale"], np.float32)
        block = extras.get("block")
        rows, columns = (0, 0) if block is None else (int(n) for n in block)
        return {"scale": scale.reshape(-1), "scale_rows": rows, "scale_cols": columns}
    if tensor.type is TensorType.NVFP4 and "scale" in extras:
        scale = np.ascontiguousarray(extras["scale"], np.float32)
        return {"scale": scale.reshape(-1), "scale_rows": extras["scale"].ndim}
    if tensor.type is TensorType.NF4:
        return {
            "absmax": np.ascontiguousarray(block_scales(extras)),
            "absmax_block": int(extras["block"]),
            "map": np.ascontiguousarray(extras["map"], np.float32),
        }
    return {}


def _float8(tensor: Tensor) -> Tensor:
    """MXFP8 as FP8 with a scale for each 32 values of a row."""
    codes, exponents = fp4.mxfp8_parts(tensor.data)
    extras: dict[str, NDArray[np.generic]] = {"scale": fp4.powers(exponents), "block": np.array([1, fp4.MX_GROUP])}
    return Tensor(tensor.name, TensorType.FP8_E4M3, tensor.shape, codes, extras)
