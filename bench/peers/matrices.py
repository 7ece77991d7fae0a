"""The matrices whose products are timed: the same random blocks for both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.tensors import TensorType
from tests.models.files import SCALES, random_blocks

SIZE = 4096
"""Rows and columns."""


def file_matrix(type: TensorType) -> NDArray[np.uint8]:
    """A matrix as a file holds it: uint8 ``[SIZE, bytes per row]``."""
    rng = np.random.default_rng(0)
    if type in SCALES:
        return random_blocks(type, SIZE, SIZE, rng)
    values = rng.standard_normal((SIZE, SIZE), np.float32) / 16
    match type:
        case TensorType.F32:
            return values.view(np.uint8)
        case TensorType.F16:
            return values.astype(np.float16).view(np.uint8)
        case TensorType.BF16:
            return np.ascontiguousarray((values.view(np.uint32) >> 16).astype(np.uint16)).view(np.uint8)
        case _:
            raise ValueError(f"no file has blocks of {type} to make at random")
