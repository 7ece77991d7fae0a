"""Matrices as kernels take them: codes in groups (``mx.quantize``'s layouts), 16-bit floats, or a file's own blocks."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import mlx.core as mx
import numpy as np

from mlxr.metal.affine import BITS

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

Kind = int | str
"""Of codes: the bits of affine ones, the mode of others."""

CODE_KINDS: tuple[Kind, ...] = (*BITS, MXFP4, MXFP8, NVFP4)

KINDS: tuple[Kind, ...] = (*CODE_KINDS, BLOCKS_AS_THEY_ARE)
"""All that matrices can be held as, floats aside."""


@dataclass(frozen=True, slots=True)
class UsableKinds:
    """Those of ``kinds`` of codes that are affine, or of one of ``modes``."""

    kinds: Container[Kind]
    modes: tuple[str, ...]

    def __contains__(self, kind: object) -> bool:
        return (isinstance(kind, int) or kind in self.modes) and kind in self.kinds


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
    return evaluated(codes.of(arrays))


def unsplit(codes: Codes) -> Codes:
    """Returns what ``split`` was made from, not computed yet."""
    return codes.of([a.swapaxes(0, 1).reshape(a.shape[1], -1) for a in codes.arrays])


def dequantized(codes: Codes, dtype: mx.Dtype = HALF) -> mx.array:
    scales, biases = codes.wide(dtype)
    return mx.dequantize(codes.packed, scales, biases, codes.group, codes.bits, codes.mode, dtype=dtype)


def rows_at(matrix: Matrix, at: mx.array) -> mx.array:
    """Returns the rows ``at`` int32 ``[T]``, which must be there, float32 ``[T, in]``."""
    if isinstance(matrix, Floats):
        return matrix.values[at].astype(mx.float32)
    assert isinstance(matrix, Codes), "tables are looked up in codes or floats"
    return dequantized(matrix.of([array[at] for array in matrix.arrays]), mx.float32)


def evaluated(matrix: Made) -> Made:
    """Computed now, so that nothing it was made from stays in memory."""
    mx.eval(*matrix.arrays)
    return matrix
