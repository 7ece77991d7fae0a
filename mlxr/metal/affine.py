"""Matrices of affine codes: ``value = code * scale + bias``, a scale and a bias for each group of a row's columns.

Codes have 1 to 6 or 8 bits and lie side by side from the lowest bit up, as if a row were one long little-endian number:
MLX's layout (``mx.quantize``), which others are rewritten as.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.fp4 import by_halves
from mlxr.metal.tensors import Tensor, TensorType

BITS = (1, 2, 3, 4, 5, 6, 8)
LEAST_GROUP = 32
"""Columns: groups are multiples of this."""

CHUNK_VALUES = 1 << 22
"""Unpacked at once: bounds the intermediate arrays to some tens of megabytes."""

Codes = NDArray[np.uint8]
Floats = NDArray[np.float32]

NATIVE: dict[int, tuple[str, int]] = {
    1: ("AFFINE2", 36),
    2: ("AFFINE2", 36),
    3: ("AFFINE3", 36),
    4: ("Q4_1", 20),
    5: ("Q5_1", 24),
    6: ("AFFINE6", 36),
    8: ("AFFINE8", 36),
}
"""The native kernels' name for codes of so many bits, and the bytes of a block of 32 as they take it."""


def affine(
    name: str, shape: tuple[int, int], bits: int, group: int, packed: Codes, scales: Floats, biases: Floats
) -> Tensor:
    """Returns the matrix ``shape`` of ``packed`` codes uint8 ``[rows, columns * bits / 8]``; ``scales`` and ``biases``
    float32 ``[rows, columns / group]``."""
    extras: dict[str, NDArray[np.generic]] = {
        "scales": scales,
        "biases": biases,
        "bits": np.array(bits, np.int32),
        "group": np.array(group, np.int32),
    }
    return Tensor(name, TensorType.AFFINE, shape, packed, extras)


def bits_of(tensor: Tensor) -> int:
    return int(tensor.extras["bits"])


def group_of(tensor: Tensor) -> int:
    return int(tensor.extras["group"])


def scales_of(tensor: Tensor) -> tuple[Floats, Floats]:
    """Returns scales and biases, float32 ``[rows, groups]``."""
    return tensor.extras["scales"].astype(np.float32), tensor.extras["biases"].astype(np.float32)


def unpacked(packed: Codes, bits: int) -> Codes:
    """Returns the codes of bytes ``[rows, n]``: uint8 ``[rows, n * 8 / bits]``."""
    if bits == 8:
        return packed
    if bits in (1, 2, 4):
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        return (packed[:, :, None] >> shifts & np.uint8((1 << bits) - 1)).reshape(len(packed), -1)
    rows, size = packed.shape
    whole, rest = divmod(size, bits)
    words = np.zeros((rows, whole + (rest > 0), 8), np.uint8)  # eight codes each
    words[:, :whole, :bits] = packed[:, : size - rest].reshape(rows, whole, bits)
    words[:, whole:, :rest] = packed[:, None, size - rest :]
    codes = np.empty_like(words)
    for place in range(8):
        codes[..., place] = words.view("<u8")[..., 0] >> np.uint64(bits * place) & np.uint64((1 << bits) - 1)
    return codes.reshape(rows, -1)[:, : size * 8 // bits]


def packed(codes: Codes, bits: int) -> Codes:
    """Returns what ``unpacked`` has ``codes`` uint8 ``[rows, n]`` from; n * bits fills whole bytes."""
    if bits == 8:
        return codes
    if bits in (1, 2, 4):
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        together: Codes = np.bitwise_or.reduce(codes.reshape(len(codes), -1, 8 // bits) << shifts, axis=-1)
        return together
    each = np.unpackbits(codes[:, :, None], axis=-1, bitorder="little", count=bits)
    return np.packbits(each.reshape(len(codes), -1), axis=1, bitorder="little")


def dequantized(tensor: Tensor) -> Floats:
    """Returns the values of an affine matrix, float32."""
    scales, biases = scales_of(tensor)
    rows, columns = tensor.shape
    out = np.empty((rows, columns), np.float32)
    step = max(1, CHUNK_VALUES // columns)
    with np.errstate(over="ignore", invalid="ignore"):  # a damaged scale may be infinite; the logits will show it
        for start in range(0, rows, step):
            part = slice(start, start + step)
            codes = unpacked(tensor.data[part], bits_of(tensor)).reshape(*scales[part].shape, -1)
            out[part] = (codes * scales[part][..., None] + biases[part][..., None]).reshape(-1, columns)
    return out


def quantized(name: str, shape: tuple[int, int], rows: Iterable[Floats]) -> Tensor:
    """Returns a matrix, given some rows after others, as codes of 8 bits in groups of 32."""
    codes, ends = np.empty(shape, np.uint8), np.empty((2, shape[0], shape[1] // LEAST_GROUP), np.float32)
    begin = 0
    for values in rows:
        part = slice(begin, begin + len(values))
        grouped = values.reshape(len(values), -1, LEAST_GROUP)
        low = grouped.min(axis=-1)
        scale = (grouped.max(axis=-1) - low) / np.float32(255)
        steps = (grouped - low[..., None]) / np.where(scale == 0, np.float32(1), scale)[..., None]
        codes[part] = np.rint(np.nan_to_num(steps)).clip(0, 255).reshape(len(values), -1)
        ends[:, part] = scale, low
        begin += len(values)
    return affine(name, shape, 8, LEAST_GROUP, codes, *ends)


def native_blocks(tensor: Tensor) -> tuple[str, Codes]:
    """Returns an affine matrix as the native kernels take it: the name of a layout, and blocks of 32 codes under a
    scale and a bias rounded to float16, uint8 ``[rows, bytes]``."""
    scales, biases = scales_of(tensor)
    rows, columns = tensor.shape
    bits = bits_of(tensor)
    layout, size = NATIVE[bits]
    out = np.empty((rows, columns // LEAST_GROUP, size), np.uint8)
    step = max(1, CHUNK_VALUES // columns)
    repeats = group_of(tensor) // LEAST_GROUP
    for start in range(0, rows, step):
        part = slice(start, start + step)
        for at, values in ((0, scales[part]), (2, biases[part])):
            out[part, :, at : at + 2] = _halves(np.repeat(values, repeats, axis=1))
        packed = tensor.data[part].reshape(-1, columns // LEAST_GROUP, LEAST_GROUP * bits // 8)
        out[part, :, 4:] = _block_codes(packed, bits)
    return layout, out.reshape(rows, -1)


def _halves(values: Floats) -> Codes:
    with np.errstate(over="ignore"):
        return values.astype("<f2")[..., None].view(np.uint8)


def _block_codes(packed: Codes, bits: int) -> Codes:
    """Codes of blocks, from bytes ``[rows, blocks, 4 * bits]``. Those of 4 and 5 bits are ggml's: each byte has a value
    of the first half and one of the second, after the high bits, if there are any."""
    if bits == 4:
        return by_halves(packed)
    codes = unpacked(packed.reshape(-1, packed.shape[-1]), bits).reshape(*packed.shape[:2], LEAST_GROUP)
    if bits == 8:
        return codes ^ np.uint8(128)
    if bits != 5:
        return codes
    low = codes & np.uint8(15)
    nibbles = low[..., :16] | low[..., 16:] << np.uint8(4)
    return np.concatenate([np.packbits(codes >> 4, axis=-1, bitorder="little"), nibbles], axis=-1)


def _q1_0(blocks: Codes) -> tuple[Codes, Floats, Floats]:
    d = blocks[:, :, :2].copy().view("<f2")[..., 0].astype(np.float32)
    return blocks[:, :, 2:], 2 * d, -d


def _q2_0(blocks: Codes) -> tuple[Codes, Floats, Floats]:
    d = blocks[:, :, :2].copy().view("<f2")[..., 0].astype(np.float32)
    return blocks[:, :, 2:], d, -d


_AS_AFFINE = {TensorType.Q1_0: (_q1_0, 1, 128), TensorType.Q2_0: (_q2_0, 2, 64)}
"""How a block is taken apart, its bits and its values."""

AFFINE_TYPES = tuple(_AS_AFFINE)
"""Types of blocks that are affine codes: ``as_affine`` rewrites them."""


def as_affine(tensor: Tensor) -> Tensor:
    """Returns a matrix of ``AFFINE_TYPES`` with its codes side by side; nothing is lost."""
    take_apart, bits, group = _AS_AFFINE[tensor.type]
    rows, columns = tensor.shape
    codes, scales, biases = take_apart(tensor.data.reshape(rows, columns // group, -1))
    return affine(tensor.name, (rows, columns), bits, group, codes.reshape(rows, -1), scales, biases)
