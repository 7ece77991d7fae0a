"""A file's matrices taken over: which type becomes codes, floats or blocks, some rows at a time.

What becomes of each type is told in ``type_descriptions.py``; how near that is to the file's own numbers, in
``docs/precision.md``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

import mlx.core as mx
import numpy as np

from mlxr.metal import fp4, tensor_rows
from mlxr.metal.affine import AFFINE_TYPES, as_affine, bits_of, group_of, scales_of
from mlxr.metal.codebooks import CODEBOOK_TYPES, codebook
from mlxr.metal.gpu.matmul import CODEBOOK
from mlxr.metal.gpu.matmul import NUMBERS as BLOCK_NUMBERS
from mlxr.metal.mlx.blocks import SPLITTERS
from mlxr.metal.mlx.matrix_forms import (
    BLOCKS_AS_THEY_ARE,
    GROUP,
    GROUPS,
    HALF,
    MXFP4,
    MXFP8,
    NVFP4,
    Blocks,
    Codes,
    Floats,
    Kind,
    Matrix,
    evaluated,
    joined,
)
from mlxr.metal.mlx.sizes import ROUNDED_BLOCKS
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType

CHUNK_VALUES = 1 << 24
"""Values repacked at once: bounds what is needed beside the result to some hundred megabytes."""

REQUANTIZED_BITS = 8
"""What types with a scale for every 16 values become: their two scales a group of 32 don't fit MLX's one."""

REQUANTIZED = (*CODEBOOK_TYPES, TensorType.NVFP4, TensorType.MXFP8, TensorType.FP8_E4M3, TensorType.NF4)
"""Types that MLX has no form for; NVFP4 where it has one more scale, and it and MXFP8 where a device lacks the mode."""


def take_over(tensor: Tensor, usable: Container[Kind]) -> Matrix:
    """Returns the matrix of a file's tensor on the device, repacked some rows at a time. Codes of other than ``usable``
    kinds stay blocks, where these are, and become floats elsewhere."""
    if tensor.type in ROUNDED_BLOCKS and _as_they_are(tensor, usable):
        return _blocks(tensor)
    if tensor.type in AFFINE_TYPES:
        tensor = as_affine(tensor)
    if tensor.type is TensorType.AFFINE:
        return _affine(tensor) if bits_of(tensor) in usable else _floats(tensor)
    if tensor.type in _FLOATING and not tensor.extras:
        mode, bits, group, apart = _FLOATING[tensor.type]
        if mode in usable:
            packed, scales = (mx.array(np.ascontiguousarray(part)) for part in apart(tensor.data))
            return evaluated(Codes(bits, packed.view(mx.uint32), scales, None, group, mode))
    if tensor.type in SPLITTERS and not tensor.extras:
        parts = [_part(tensor, rows, usable) for rows in _chunks(tensor)]
        return parts[0] if len(parts) == 1 else joined(parts)
    match tensor.type:
        case TensorType.F16:
            values = mx.array(np.ascontiguousarray(tensor.data).view(np.float16).reshape(tensor.shape))
        case TensorType.BF16:
            words = np.ascontiguousarray(tensor.data).view(np.uint16).reshape(tensor.shape)
            values = mx.array(words).view(mx.bfloat16)
        case type if type in REQUANTIZED and REQUANTIZED_BITS in usable and tensor.shape[1] % GROUP == 0:
            parts = [_requantized(mx.array(dequantize(part))) for part in _parts(tensor)]
            return parts[0] if len(parts) == 1 else joined(parts)
        case _:
            return _floats(tensor)
    return evaluated(Floats(values.astype(HALF)))


def pack(codes: mx.array, bits: int) -> mx.array:
    """uint8 ``[rows, columns]`` to MLX's layout, uint32 ``[rows, columns * bits / 32]``: values side by side from the
    lowest bit up, as if a row were one long little-endian number."""
    rows = codes.shape[0]
    if bits == 8:
        return mx.contiguous(codes).view(mx.uint32)
    if bits == 4:
        pairs = codes.reshape(rows, -1, 2)
        return (pairs[..., 0] | (pairs[..., 1] << 4)).view(mx.uint32)
    eights = codes.reshape(rows, -1, 8).astype(mx.uint64)
    number = mx.sum(eights << (mx.arange(8) * bits).astype(mx.uint64), axis=-1, keepdims=True)
    octets = (number >> (mx.arange(bits) * 8).astype(mx.uint64)).astype(mx.uint8)
    return octets.reshape(rows, -1).view(mx.uint32)


def _affine(tensor: Tensor) -> Codes:
    """Affine codes as they lie in their file. Scales of groups that MLX lacks stand once for each that it has."""
    group = next(size for size in GROUPS if group_of(tensor) % size == 0)
    packed = mx.array(np.ascontiguousarray(tensor.data)).view(mx.uint32)
    scales, biases = (mx.array(part).astype(HALF) for part in scales_of(tensor))
    if group < group_of(tensor):
        scales, biases = (mx.repeat(part, group_of(tensor) // group, axis=1) for part in (scales, biases))
    return evaluated(Codes(bits_of(tensor), packed, scales, biases, group))


_FLOATING = {
    TensorType.MXFP4: (MXFP4, 4, fp4.MX_GROUP, fp4.mxfp4_parts),
    TensorType.MXFP8: (MXFP8, 8, fp4.MX_GROUP, fp4.mxfp8_parts),
    TensorType.NVFP4: (NVFP4, 4, fp4.NV_GROUP, fp4.nvfp4_parts),
}
"""Types that MLX has a mode for: its bits and group, and what takes blocks apart."""


def _chunks(tensor: Tensor) -> list[slice]:
    rows, columns = tensor.shape
    step = max(1, CHUNK_VALUES // max(1, columns))
    return [slice(start, min(start + step, rows)) for start in range(0, rows, step)]


def _parts(tensor: Tensor) -> Iterator[Tensor]:
    if tensor.type is TensorType.NF4 and tensor.shape[1] % int(tensor.extras["block"]):
        yield tensor  # rows share scales
        return
    for rows in _chunks(tensor):
        yield tensor_rows.rows_of(tensor, rows.start, rows.stop)


def _part(tensor: Tensor, rows: slice, usable: Container[Kind]) -> Matrix:
    codes = _codes(tensor, rows)
    if codes.kind in usable:
        return codes
    part = tensor_rows.rows_of(tensor, rows.start, rows.stop)
    return _blocks(part) if _as_they_are(tensor, usable) else _floats(part)


def _as_they_are(tensor: Tensor, usable: Container[Kind]) -> bool:
    """Whether there is a kernel for its blocks."""
    known = tensor.type in BLOCK_NUMBERS or tensor.type in CODEBOOK_TYPES
    return known and not tensor.extras and BLOCKS_AS_THEY_ARE in usable


def _blocks(tensor: Tensor) -> Blocks:
    rows = tensor.shape[0]
    if tensor.type in CODEBOOK_TYPES:
        book = codebook(tensor)
        packed = np.ascontiguousarray(book.blocks).view(np.uint8).reshape(rows, -1)
        return evaluated(Blocks(CODEBOOK, mx.array(packed), book.values.tobytes()))
    packed = np.ascontiguousarray(tensor.data).reshape(rows, -1)
    return evaluated(Blocks(BLOCK_NUMBERS[tensor.type], mx.array(packed)))


def _floats(tensor: Tensor) -> Floats:
    """The values as 16-bit floats, without MLX: what it can't multiply by it may not dequantize either."""
    return evaluated(Floats(mx.array(dequantize(tensor).astype(np.float16)).astype(HALF)))


def _codes(tensor: Tensor, rows: slice) -> Codes:
    count, columns = rows.stop - rows.start, tensor.shape[1]
    blocks = mx.array(np.ascontiguousarray(tensor.data[rows])).reshape(-1, BLOCKS[tensor.type][1])
    groups = SPLITTERS[tensor.type](blocks)
    if groups.group_size >= GROUP:
        packed = pack(groups.codes.reshape(count, columns), groups.bits)
        scales, biases = (part.reshape(count, -1).astype(HALF) for part in (groups.scales, groups.biases))
        return evaluated(Codes(groups.bits, packed, scales, biases))
    return _requantized(groups.values().reshape(count, columns))


def _requantized(values: mx.array) -> Codes:
    packed, scales, biases = mx.quantize(values, GROUP, REQUANTIZED_BITS)
    return evaluated(Codes(REQUANTIZED_BITS, packed, scales.astype(HALF), biases.astype(HALF)))
