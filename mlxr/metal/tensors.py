"""How a file stores a matrix: tensor types, their block sizes, and the record a backend is given.

Type numbers and block layouts are those of ggml (``ggml.h``, ``ggml-common.h``); FP8 and NF4 are safetensors'.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class TensorType(StrEnum):
    """A storage type; values are the names files and people use."""

    F32 = "F32"
    F16 = "F16"
    BF16 = "BF16"
    Q4_0 = "Q4_0"
    Q4_1 = "Q4_1"
    Q5_0 = "Q5_0"
    Q5_1 = "Q5_1"
    Q8_0 = "Q8_0"
    Q2_K = "Q2_K"
    Q3_K = "Q3_K"
    Q4_K = "Q4_K"
    Q5_K = "Q5_K"
    Q6_K = "Q6_K"
    Q8_K = "Q8_K"
    IQ4_NL = "IQ4_NL"
    IQ4_XS = "IQ4_XS"
    FP8_E4M3 = "FP8_E4M3"
    NF4 = "NF4"


BLOCKS: dict[TensorType, tuple[int, int]] = {
    TensorType.F32: (1, 4),
    TensorType.F16: (1, 2),
    TensorType.BF16: (1, 2),
    TensorType.Q4_0: (32, 18),
    TensorType.Q4_1: (32, 20),
    TensorType.Q5_0: (32, 22),
    TensorType.Q5_1: (32, 24),
    TensorType.Q8_0: (32, 34),
    TensorType.Q2_K: (256, 84),
    TensorType.Q3_K: (256, 110),
    TensorType.Q4_K: (256, 144),
    TensorType.Q5_K: (256, 176),
    TensorType.Q6_K: (256, 210),
    TensorType.Q8_K: (256, 292),
    TensorType.IQ4_NL: (32, 18),
    TensorType.IQ4_XS: (256, 136),
    TensorType.FP8_E4M3: (1, 1),
    TensorType.NF4: (2, 1),
}
"""(values, bytes) of one block of each type."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as it lies in its file, nothing converted.

    ``data``: uint8 ``[rows, bytes per row]`` (one row for a vector), a view of the mapped file. ``shape``: logical,
    outermost first, so a matrix is ``(out_features, in_features)``. ``extras``: what the type keeps beside its blocks:

    - FP8_E4M3: ``scale`` float32, ``[]`` per tensor, or ``[ceil(out / b0), ceil(in / b1)]`` with ``block`` int32
    ``(b0, b1)``.
    - NF4: ``absmax`` float32 ``[blocks]`` (or uint8, with ``nested_absmax`` float32, ``nested_map`` float32 ``[256]``,
      ``offset`` float32 ``[]`` and ``nested_block`` int32 ``[]``), ``block`` int32 ``[]`` values a block, and ``map``
      float32 ``[16]``; the packed data's high nibble comes first (bitsandbytes).
    """

    name: str
    type: TensorType
    shape: tuple[int, ...]
    data: NDArray[np.uint8]
    extras: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return int(self.data.nbytes)


def row_bytes(type: TensorType, columns: int) -> int:
    """Bytes of a row of ``columns`` values; raises ``ValueError`` when they do not fill whole blocks."""
    values, size = BLOCKS[type]
    if columns % values:
        raise ValueError(f"{type} stores {values} values a block, and a row has {columns}")
    return columns // values * size
