"""Matrices with zeros behind each group of rows or columns, for heads that are shorter in files than kernels take."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType


def padded_rows(tensor: Tensor, groups: int, rows: int) -> Tensor:
    """Returns a matrix each of whose ``groups`` of rows has zeros behind it, so that it has ``rows``. What keeps scales
    beside its blocks becomes halves."""
    own, columns = tensor.shape[0] // groups, tensor.shape[1]
    tensor = as_halves(tensor) if tensor.extras else tensor
    data = np.pad(tensor.data.reshape(groups, own, -1), ((0, 0), (0, rows - own), (0, 0)))
    return replace(tensor, shape=(groups * rows, columns), data=data.reshape(groups * rows, -1))


def padded_columns(tensor: Tensor, groups: int, columns: int) -> Tensor:
    """Returns the same of a matrix's columns. What has blocks that belong to two groups becomes halves, too."""
    rows, own = tensor.shape[0], tensor.shape[1] // groups
    values = BLOCKS[tensor.type][0] if tensor.type in BLOCKS else 0
    if tensor.extras or not values or own % values or columns % values:
        tensor, values = as_halves(tensor), 1
    data = tensor.data.reshape(rows, groups, -1)
    wide = data.shape[2] * columns // own
    padded = np.pad(data, ((0, 0), (0, 0), (0, wide - data.shape[2])))
    return replace(tensor, shape=(rows, groups * columns), data=padded.reshape(rows, -1))


def as_halves(tensor: Tensor) -> Tensor:
    """Returns a matrix's numbers as 16-bit floats."""
    halves = dequantize(tensor).astype(np.float16).reshape(tensor.shape)
    return Tensor(tensor.name, TensorType.F16, tensor.shape, halves.view(np.uint8))
