"""Matrices as kernels take them: codes in groups (``mx.quantize``'s layouts), 16-bit floats, or a file's own blocks.

Which type becomes what is in ``held_as.py``; how near that is to the file's own numbers, in ``docs/precision.md``.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import mlx.core as mx
import numpy as np

from mlxr.metal import fp4, tensor_rows
from mlxr.metal.affine import AFFINE_TYPES, BITS, as_affine, bits_of, group_of, scales_of
from mlxr.metal.codebooks import CODEBOOK_TYPES, codebook
from mlxr.metal.gpu.matmul import CODEBOOK
from mlxr.metal.gpu.matmul import NUMBERS as BLOCK_NUMBERS
from mlxr.metal.mlx.blocks import SPLITTERS
from mlxr.metal.mlx.sizes import ROUNDED_BLOCKS
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType

GROUP = 32
"""Codes that share a scale and a bias: the smallest group that MLX has for affine codes. Blocks become these."""

GROUPS = (128, 64, 32)
"""All that it has."""

AFFINE, MXFP4, MXFP8, NVFP4 = "affine", "mxfp4", "mxfp8", "nvfp4"
"""MLX's modes."""

BLOCKS_AS_THEY_ARE = "blocks"
"""Stands among kinds of codes for the blocks of a file, which kernels of our own multiply by."""

HALF = mx.float16
"""Scales, biases and activations. float16 keeps 11 bits where bfloat16 keeps 8, and most files' scales are float16
themselves; residuals stay float32, since some models' outgrow float16."""

CHUNK_VALUES = 1 << 24
"""Values repacked at once: bounds what is needed beside the result to some hundred megabytes."""

REQUANTIZED_BITS = 8
"""What types with a scale for every 16 values become: their two scales a group of 32 don't fit MLX's one."""

Kind = int | str
"""Of codes: the bits of affine ones, the mode of others."""

CODE_KINDS: tuple[Kind, ...] = (*BITS, MXFP4, MXFP8, NVFP4)

KINDS: tuple[Kind, ...] = (*CODE_KINDS, BLOCKS_AS_THEY_ARE)
"""All that matrices can be held as, floats aside."""

REQUANTIZED = (*CODEBOOK_TYPES, TensorType.NVFP4, TensorType.MXFP8, TensorType.FP8_E4M3, TensorType.NF4)
"""Types that MLX has no form for; NVFP4 where it has one more scale, and it and MXFP8 where a device lacks the mode."""


@dataclass(frozen=True, slots=True)
class Codes:
    """``packed`` uint32 ``[out, in * bits / 32]``; ``scales``, ``biases`` 16-bit ``[out, in / group]``. Modes other
    than affine have scales of 8 bits and no biases."""

    bits: int
    packed: mx.array
    scales: mx.array
    biases: mx.array | None
    group: int = GROUP
    mode: str = AFFINE

    @property
    def arrays(self) -> tuple[mx.array, ...]:
        parts = (self.packed, self.scales, self.biases)
        return tuple(part for part in parts if part is not None)

    @property
    def layout(self) -> tuple[object, ...]:
        """What matrices that are multiplied as one share."""
        return self.mode, self.bits, self.group

    @property
    def kind(self) -> Kind:
        return self.bits if self.mode == AFFINE else self.mode

    def of(self, arrays: Sequence[mx.array]) -> Codes:
        """Returns codes of this layout in other ``arrays``."""
        packed, scales, *biases = arrays
        return replace(self, packed=packed, scales=scales, biases=biases[0] if biases else None)

    def wide(self, dtype: mx.Dtype) -> tuple[mx.array, mx.array | None]:
        """Returns scales and biases, as kernels take them for inputs of ``dtype``."""
        if self.biases is None:
            return self.scales, None
        return self.scales.astype(dtype), self.biases.astype(dtype)

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)


@dataclass(frozen=True, slots=True)
class Floats:
    """``values``: 16-bit ``[out, in]``."""

    values: mx.array

    @property
    def arrays(self) -> tuple[mx.array, ...]:
        return (self.values,)

    @property
    def layout(self) -> tuple[object, ...]:
        return ("floats",)

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes)


@dataclass(frozen=True, slots=True)
class Blocks:
    """``packed``: uint8 ``[out, bytes of a row]``, blocks of the type that ``matmul.NUMBERS`` has ``number`` for, or of
    a codebook whose 16 ``values`` are given."""

    number: int
    packed: mx.array
    values: bytes = bytes(16)

    @property
    def arrays(self) -> tuple[mx.array, ...]:
        return (self.packed,)

    @property
    def inputs(self) -> tuple[mx.array, mx.array]:
        """What kernels take."""
        return self.packed, mx.array(np.frombuffer(self.values, np.uint8))

    @property
    def layout(self) -> tuple[object, ...]:
        return "blocks", self.number, self.values

    def of(self, arrays: Sequence[mx.array]) -> Blocks:
        """Returns blocks of this layout in another array."""
        (packed,) = arrays
        return replace(self, packed=packed)

    @property
    def nbytes(self) -> int:
        return int(self.packed.nbytes)


Matrix = Codes | Floats | Blocks
Made = TypeVar("Made", Codes, Floats, Blocks)


@dataclass(slots=True)
class Held:
    """A ``Weight``'s handle. An operation that lays the matrix out anew (joined, split) replaces ``matrix`` by a lazy
    view of the new layout, so that the numbers are in memory once."""

    matrix: Matrix


def take_over(tensor: Tensor, usable: Container[Kind]) -> Matrix:
    """The matrix of a file's tensor on the device, repacked some rows at a time. Codes of other than ``usable`` kinds
    stay blocks, where these are, and become floats elsewhere."""
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
            return _evaluated(Codes(bits, packed.view(mx.uint32), scales, None, group, mode))
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
    return _evaluated(Floats(values.astype(HALF)))


def joined(matrices: list[Matrix]) -> Matrix:
    """Stacks matrices of one layout along their rows: one product then gives all of theirs side by side."""
    arrays = [mx.concatenate(list(parts)) for parts in zip(*(m.arrays for m in matrices), strict=True)]
    first = matrices[0]
    mx.eval(*arrays)  # now, so that nothing they were made from stays in memory
    return Floats(*arrays) if isinstance(first, Floats) else first.of(arrays)


def rows_of(matrix: Matrix, begin: int, end: int) -> Matrix:
    """Some rows of it, not computed yet."""
    arrays = [array[begin:end] for array in matrix.arrays]
    return Floats(*arrays) if isinstance(matrix, Floats) else matrix.of(arrays)


def split(codes: Codes, parts: int) -> Codes:
    """Its columns in equal ``parts``, one behind the other: arrays ``[parts, out, ...]``."""
    arrays = [mx.contiguous(a.reshape(a.shape[0], parts, -1).swapaxes(0, 1)) for a in codes.arrays]
    return _evaluated(codes.of(arrays))


def unsplit(codes: Codes) -> Codes:
    """What ``split`` was made from, not computed yet."""
    return codes.of([a.swapaxes(0, 1).reshape(a.shape[1], -1) for a in codes.arrays])


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


def dequantized(codes: Codes, dtype: mx.Dtype = HALF) -> mx.array:
    scales, biases = codes.wide(dtype)
    return mx.dequantize(codes.packed, scales, biases, codes.group, codes.bits, codes.mode, dtype=dtype)


def _affine(tensor: Tensor) -> Codes:
    """Affine codes as they lie in their file. Scales of groups that MLX lacks stand once for each that it has."""
    group = next(size for size in GROUPS if group_of(tensor) % size == 0)
    packed = mx.array(np.ascontiguousarray(tensor.data)).view(mx.uint32)
    scales, biases = (mx.array(part).astype(HALF) for part in scales_of(tensor))
    if group < group_of(tensor):
        scales, biases = (mx.repeat(part, group_of(tensor) // group, axis=1) for part in (scales, biases))
    return _evaluated(Codes(bits_of(tensor), packed, scales, biases, group))


_FLOATING = {
    TensorType.MXFP4: (MXFP4, 4, fp4.MX_GROUP, fp4.mxfp4_parts),
    TensorType.MXFP8: (MXFP8, 8, fp4.MX_GROUP, fp4.mxfp8_parts),
    TensorType.NVFP4: (NVFP4, 4, fp4.NV_GROUP, fp4.nvfp4_parts),
}
"""Types that MLX has a mode for: its bits and group, and what takes blocks apart."""


def rows_at(matrix: Matrix, at: mx.array) -> mx.array:
    """Returns the rows ``at`` int32 ``[T]``, which must be there, float32 ``[T, in]``."""
    if isinstance(matrix, Floats):
        return matrix.values[at].astype(mx.float32)
    assert isinstance(matrix, Codes), "tables are looked up in codes or floats"
    return dequantized(matrix.of([array[at] for array in matrix.arrays]), mx.float32)


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
        return _evaluated(Blocks(CODEBOOK, mx.array(packed), book.values.tobytes()))
    packed = np.ascontiguousarray(tensor.data).reshape(rows, -1)
    return _evaluated(Blocks(BLOCK_NUMBERS[tensor.type], mx.array(packed)))


def _floats(tensor: Tensor) -> Floats:
    """The values as 16-bit floats, without MLX: what it can't multiply by it may not dequantize either."""
    return _evaluated(Floats(mx.array(dequantize(tensor).astype(np.float16)).astype(HALF)))


def _codes(tensor: Tensor, rows: slice) -> Codes:
    count, columns = rows.stop - rows.start, tensor.shape[1]
    blocks = mx.array(np.ascontiguousarray(tensor.data[rows])).reshape(-1, BLOCKS[tensor.type][1])
    groups = SPLITTERS[tensor.type](blocks)
    if groups.group_size >= GROUP:
        packed = pack(groups.codes.reshape(count, columns), groups.bits)
        scales, biases = (part.reshape(count, -1).astype(HALF) for part in (groups.scales, groups.biases))
        return _evaluated(Codes(groups.bits, packed, scales, biases))
    return _requantized(groups.values().reshape(count, columns))


def _requantized(values: mx.array) -> Codes:
    packed, scales, biases = mx.quantize(values, GROUP, REQUANTIZED_BITS)
    return _evaluated(Codes(REQUANTIZED_BITS, packed, scales.astype(HALF), biases.astype(HALF)))


def _evaluated(matrix: Made) -> Made:
    """Computed now, so that nothing it was made from stays in memory."""
    mx.eval(*matrix.arrays)
    return matrix
