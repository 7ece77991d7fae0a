"""How a file stores a matrix: tensor types, their block sizes, and the record a backend is given.

Type numbers and block layouts are those of ggml (``ggml.h``, ``ggml-common.h``); FP8, MXFP8, NF4 and affine codes are
those of folders with safetensors.
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
    IQ1_S = "IQ1_S"
    IQ1_M = "IQ1_M"
    IQ2_XXS = "IQ2_XXS"
    IQ2_XS = "IQ2_XS"
    IQ2_S = "IQ2_S"
    IQ3_XXS = "IQ3_XXS"
    IQ3_S = "IQ3_S"
    IQ4_NL = "IQ4_NL"
    IQ4_XS = "IQ4_XS"
    TQ1_0 = "TQ1_0"
    TQ2_0 = "TQ2_0"
    MXFP4 = "MXFP4"
    NVFP4 = "NVFP4"
    MXFP8 = "MXFP8"
    Q1_0 = "Q1_0"
    Q2_0 = "Q2_0"
    FP8_E4M3 = "FP8_E4M3"
    NF4 = "NF4"
    AFFINE = "AFFINE"


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
    TensorType.IQ1_S: (256, 50),
    TensorType.IQ1_M: (256, 56),
    TensorType.IQ2_XXS: (256, 66),
    TensorType.IQ2_XS: (256, 74),
    TensorType.IQ2_S: (256, 82),
    TensorType.IQ3_XXS: (256, 98),
    TensorType.IQ3_S: (256, 110),
    TensorType.IQ4_NL: (32, 18),
    TensorType.IQ4_XS: (256, 136),
    TensorType.TQ1_0: (256, 54),
    TensorType.TQ2_0: (256, 66),
    TensorType.MXFP4: (32, 17),
    TensorType.NVFP4: (64, 36),
    TensorType.MXFP8: (32, 33),
    TensorType.Q1_0: (128, 18),
    TensorType.Q2_0: (64, 18),
    TensorType.FP8_E4M3: (1, 1),
    TensorType.NF4: (2, 1),
    TensorType.AFFINE: (1, 1),
}
"""(values, bytes) of one block of each type; AFFINE's codes have as many bits as the tensor says."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor as it lies in its file, nothing converted.

    ``data``: uint8 ``[rows, bytes per row]`` (one row for a vector), a view of the mapped file. ``shape``: logical,
    outermost first, so a matrix is ``(out_features, in_features)``. ``extras``: what the type keeps beside its blocks:

    - FP8_E4M3: ``scale`` float32, ``[]`` per tensor, or ``[ceil(out / b0), ceil(in / b1)]`` with ``block`` int32
      ``(b0, b1)``.
    - NVFP4: where folders have one more, ``scale`` float32, ``[]`` per tensor or ``[rows]``.
    - AFFINE: ``bits`` and ``group`` int32 ``[]``, ``scales`` and ``biases`` float32 ``[rows, columns / group]``; the
      data are codes side by side (``affine.py``).
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
    """Returns how many bytes a row of ``columns`` values has; raises ``ValueError`` when they fill no whole blocks."""
    values, size = BLOCKS[type]
    if columns % values:
        raise ValueError(f"{type} stores {values} values a block, and a row has {columns}")
    return columns // values * size
