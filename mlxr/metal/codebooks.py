"""Types of few bits that have no kernel of their own, as one that has: an index into 16 values for each weight.

ggml's types below 4 bits (IQ1 to IQ3: points of a lattice, kept as indices into a grid; TQ: three values) take at most
16 different values a tensor, times a scale for every 16 weights or 32. Written so, nothing is lost, and one kernel
serves all of them.
The grids are the ``gguf`` package's; the layouts are ggml's (``ggml-common.h``, ``ggml-quants.c``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.tensors import BLOCKS, Tensor, TensorType

VALUES = 256
"""Weights of a block."""

CHUNK_BLOCKS = 1 << 15
"""Blocks rewritten at once: 8 M weights, some tens of megabytes beside the result."""

BLOCK = np.dtype([("d", "<f4"), ("scales", "i1", 16), ("codes", "u1", VALUES // 2)])
"""A block as kernels take it: weight i is ``d * scales[i / 16] * values[code i]``, the even code in the low nibble."""

BLOCK_OF_32 = np.dtype([("d", "<f4"), ("scales", "i1", 8), ("codes", "u1", VALUES // 2)])
"""The same with ``scales[i / 32]``."""

Blocks = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Codebook:
    """A matrix of ``BLOCK`` or ``BLOCK_OF_32`` ``[rows, columns / 256]``, and the int8 ``[16]`` values that its codes
    stand for."""

    blocks: NDArray[np.void]
    values: NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Parts:
    """Of n blocks: ``d`` float32 ``[n]``, ``scales`` ``[n, 16]``, ``codes`` uint32 ``[n, 32]``, eight in each."""

    d: NDArray[Any]
    scales: NDArray[Any]
    codes: NDArray[np.uint32]


def codebook(tensor: Tensor, block: np.dtype[np.void] = BLOCK) -> Codebook:
    """Returns the matrix with a code for each weight. ``CODEBOOK_TYPES`` are those this is for. ``block``:
    ``BLOCK_OF_32`` too for those of ``SCALES_OF_32``."""
    values, size = BLOCKS[tensor.type]
    assert values == VALUES
    data = np.ascontiguousarray(tensor.data).reshape(-1, size)
    read, points = _READERS[tensor.type]
    grid = Grid(tensor.type)
    blocks, every = np.empty(len(data), block), 1 if block == BLOCK else 2
    for start in range(0, len(data), CHUNK_BLOCKS):
        part, out = read(data[start : start + CHUNK_BLOCKS], grid), blocks[start : start + CHUNK_BLOCKS]
        out["d"], out["scales"] = part.d, part.scales[:, ::every]
        out["codes"] = part.codes.astype("<u4", copy=False).view(np.uint8).reshape(len(out), -1)
    return Codebook(blocks.reshape(tensor.shape[0], -1), np.array(points, np.int8))


class Grid:
    """A type's lattice points, each with the codes of its coordinates side by side: uint32 ``[points]``."""

    def __init__(self, type: TensorType) -> None:
        from gguf import quants

        known = getattr(quants, type.value)
        self.codes = np.zeros(0, np.uint32)
        if getattr(known, "grid_hex", None) is not None:
            known.init_grid()
            points = known.grid.reshape(known.grid_shape)
            self.codes = _packed(np.searchsorted(np.array(known.grid_map, np.float32), points))
        self.signs = _packed(8 * (np.arange(256)[:, None] >> np.arange(8) & 1))
        """Of each byte, the codes' sign bits: 8 for each bit that is set."""
        self.even_signs = self.signs[np.frombuffer(quants.IQ2_XXS.ksigns, np.uint8)]
        """The same of seven bits, where the eighth makes their number even."""


def _packed(codes: NDArray[Any]) -> NDArray[np.uint32]:
    """Codes ``[n, k]`` of 4 bits side by side, the first lowest."""
    places = 4 * np.arange(codes.shape[1], dtype=np.uint32)
    packed: NDArray[np.uint32] = np.bitwise_or.reduce(codes.astype(np.uint32) << places, axis=1)
    return packed


def _halves(blocks: Blocks, at: int) -> NDArray[np.float32]:
    return _field(blocks, at, 1, "<f2")[:, 0].astype(np.float32)


def _field(blocks: Blocks, at: int, count: int, type: str) -> NDArray[Any]:
    size = np.dtype(type).itemsize
    return np.ascontiguousarray(blocks[:, at : at + count * size]).view(type)


def _shifted(words: NDArray[Any], shifts: tuple[int, ...], mask: int) -> NDArray[Any]:
    """Fields of ``mask`` at ``shifts`` of every word: ``[n, words * shifts]``."""
    fields: NDArray[Any] = words[:, :, None] >> np.array(shifts, words.dtype) & words.dtype.type(mask)
    return fields.reshape(len(words), -1)


def _odd(scales: NDArray[Any], repeats: int = 1) -> NDArray[Any]:
    return np.repeat(2 * scales.astype(np.int16) + 1, repeats, axis=1)


def _iq2_xxs(blocks: Blocks, grid: Grid) -> Parts:
    words = _field(blocks, 2, 16, "<u4").reshape(-1, 8, 2)
    points = np.ascontiguousarray(words[:, :, 0]).view(np.uint8)
    signs = _shifted(words[:, :, 1], (0, 7, 14, 21), 127)
    codes = grid.codes[points] | grid.even_signs[signs]
    return Parts(_halves(blocks, 0) / 8, _odd(words[:, :, 1] >> 28, 2), codes)


def _iq2_xs(blocks: Blocks, grid: Grid) -> Parts:
    words, scales = _field(blocks, 2, 32, "<u2"), blocks[:, 66:74]
    codes = grid.codes[words & 511] | grid.even_signs[words >> 9]
    return Parts(_halves(blocks, 0) / 8, _odd(_shifted(scales, (0, 4), 15)), codes)


def _iq2_s(blocks: Blocks, grid: Grid) -> Parts:
    low, signs, high, scales = blocks[:, 2:34], blocks[:, 34:66], blocks[:, 66:74], blocks[:, 74:82]
    points = low.astype(np.uint16) | _shifted(high, (0, 2, 4, 6), 3).astype(np.uint16) << 8
    codes = grid.codes[points] | grid.signs[signs]
    return Parts(_halves(blocks, 0) / 8, _odd(_shifted(scales, (0, 4), 15)), codes)


def _iq3_xxs(blocks: Blocks, grid: Grid) -> Parts:
    points, words = blocks[:, 2:66], _field(blocks, 66, 8, "<u4")
    codes = _eights(grid.codes[points]) | grid.even_signs[_shifted(words, (0, 7, 14, 21), 127)]
    return Parts(_halves(blocks, 0) / 4, _odd(words >> 28, 2), codes)


def _iq3_s(blocks: Blocks, grid: Grid) -> Parts:
    low, high, signs, scales = blocks[:, 2:66], blocks[:, 66:74], blocks[:, 74:106], blocks[:, 106:110]
    points = low.astype(np.uint16) | _shifted(high, tuple(range(8)), 1).astype(np.uint16) << 8
    codes = _eights(grid.codes[points]) | grid.signs[signs]
    return Parts(_halves(blocks, 0), _odd(_shifted(scales, (0, 4), 15), 2), codes)


def _eights(fours: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Two points of four coordinates as one of eight."""
    return fours[:, ::2] | fours[:, 1::2] << np.uint32(16)


def _iq1_s(blocks: Blocks, grid: Grid) -> Parts:
    low, words = blocks[:, 2:34], _field(blocks, 34, 8, "<u2")
    points = low.astype(np.uint16) | _shifted(words, (0, 3, 6, 9), 7) << 8
    codes = grid.codes[points] | grid.signs[np.repeat(255 * (words >> 15), 4, axis=1)]
    return Parts(_halves(blocks, 0) / 8, _odd(words >> 12 & 7, 2), codes)


def _iq1_m(blocks: Blocks, grid: Grid) -> Parts:
    low, high, words = blocks[:, :32], blocks[:, 32:48], _field(blocks, 48, 4, "<u2")
    points = low.astype(np.uint16) | _shifted(high, (0, 4), 7).astype(np.uint16) << 8
    codes = grid.codes[points] | grid.signs[255 * _shifted(high, (3, 7), 1)]
    # The scale's 16 bits are the upper four of each word.
    bits = np.bitwise_or.reduce(words >> 12 << np.array([0, 4, 8, 12], np.uint16), axis=1, dtype=np.uint16)
    d = bits.view(np.float16).astype(np.float32)
    return Parts(d / 8, _odd(_shifted(words, (0, 3, 6, 9), 7)), codes)


def _tq1_0(blocks: Blocks, grid: Grid) -> Parts:
    powers = np.array([1, 3, 9, 27, 81], np.uint8)
    parts = [(blocks[:, :32], 5), (blocks[:, 32:48], 5), (blocks[:, 48:52], 4)]
    digits = [(part[:, None, :] * powers[:count, None]).reshape(len(blocks), -1) for part, count in parts]
    return _ternary(_halves(blocks, 52), np.concatenate(digits, axis=1).astype(np.uint16) * 3 >> 8)


def _tq2_0(blocks: Blocks, grid: Grid) -> Parts:
    pairs = blocks[:, :64].reshape(len(blocks), 2, 1, 32) >> np.array([0, 2, 4, 6], np.uint8)[:, None] & 3
    return _ternary(_halves(blocks, 64), pairs.reshape(len(blocks), -1))


def _ternary(d: NDArray[np.float32], codes: NDArray[Any]) -> Parts:
    return Parts(d, np.ones((len(d), 16), np.int8), _packed(codes.reshape(-1, 8)).reshape(len(d), -1))


def _signed(*points: int) -> tuple[int, ...]:
    """A code's values where its highest bit is the sign."""
    padded = (*points, *[0] * (8 - len(points)))
    return (*padded, *(-point for point in padded))


_LATTICE_2 = _signed(0x08, 0x19, 0x2B)
_SHIFTED_TERNARY = (-7, 1, 9, 0, 0, 0, 0, 0, -9, -1, 7, 0, 0, 0, 0, 0)
"""Eighths: -1, 0 or 1, an eighth more, or less where the highest bit is set."""
_TERNARY = (-1, 0, 1, 2, *[0] * 12)

_READERS: dict[TensorType, tuple[Callable[[Blocks, Grid], Parts], tuple[int, ...]]] = {
    TensorType.IQ1_S: (_iq1_s, _SHIFTED_TERNARY),
    TensorType.IQ1_M: (_iq1_m, _SHIFTED_TERNARY),
    TensorType.IQ2_XXS: (_iq2_xxs, _LATTICE_2),
    TensorType.IQ2_XS: (_iq2_xs, _LATTICE_2),
    TensorType.IQ2_S: (_iq2_s, _LATTICE_2),
    TensorType.IQ3_XXS: (_iq3_xxs, _signed(0x04, 0x0C, 0x14, 0x1C, 0x24, 0x2C, 0x34, 0x3E)),
    TensorType.IQ3_S: (_iq3_s, _signed(0x01, 0x03, 0x05, 0x07, 0x09, 0x0B, 0x0D, 0x0F)),
    TensorType.TQ1_0: (_tq1_0, _TERNARY),
    TensorType.TQ2_0: (_tq2_0, _TERNARY),
}

CODEBOOK_TYPES = tuple(_READERS)

SCALES_OF_16 = (TensorType.IQ1_M, TensorType.IQ2_XS, TensorType.IQ2_S)
SCALES_OF_32 = tuple(type for type in CODEBOOK_TYPES if type not in SCALES_OF_16)
"""Of these, the types that have a scale for each 16 weights or for 32, at least."""
