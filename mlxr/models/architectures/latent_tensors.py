"""The matrix that makes all heads' keys and values of latents, taken apart into what latent attention multiplies by."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import Tensor, TensorType

WITH_EXTRAS = (TensorType.AFFINE, TensorType.FP8_E4M3, TensorType.NF4)
"""Types of folders that keep scales beside their codes; NVFP4 may."""


def key_value_parts(whole: Tensor, heads: int, keys: int, values: int) -> tuple[Tensor, Tensor]:
    """Returns, from ``whole`` ``[heads * (keys + values), rank]``, in which each head's keys come first, what takes
    queries to latents ``[heads * rank, keys]``, and what makes values of latents ``[heads * values, rank]``.

    The first is a transpose, in which no block of a quantized type stays whole: it is kept as floats, of the file's own
    type where that is one, else float16.
    """
    rank = whole.shape[1]
    shapes = (heads * rank, keys), (heads * values, rank)
    numbers = dequantize(whole).reshape(heads, keys + values, rank)
    turned = numbers[:, :keys].swapaxes(1, 2).reshape(shapes[0])
    key_up = _floats(whole, turned)
    if whole.extras:
        return key_up, _floats(whole, numbers[:, keys:].reshape(shapes[1]))
    rows = whole.data.reshape(heads, keys + values, -1)[:, keys:]
    return key_up, replace(whole, shape=shapes[1], data=np.ascontiguousarray(rows).reshape(shapes[1][0], -1))


def empty_parts(whole: Tensor, heads: int, keys: int, values: int) -> tuple[Tensor, Tensor]:
    """As ``key_value_parts``, of a tensor that was not read."""
    rank, nothing = whole.shape[1], np.empty((0, 0), np.uint8)
    type = whole.type if whole.type not in WITH_EXTRAS else _float_type(whole)
    return (
        Tensor(whole.name, _float_type(whole), (heads * rank, keys), nothing),
        Tensor(whole.name, type, (heads * values, rank), nothing),
    )


def _floats(whole: Tensor, numbers: NDArray[np.float32]) -> Tensor:
    type = _float_type(whole)
    stored = np.ascontiguousarray(numbers)
    if type is TensorType.BF16:
        data = (stored.view(np.uint32) >> 16).astype(np.uint16).view(np.uint8)
    else:
        data = stored.astype(np.float32 if type is TensorType.F32 else np.float16).view(np.uint8)
    return Tensor(whole.name, type, numbers.shape, data.reshape(len(numbers), -1))


def _float_type(whole: Tensor) -> TensorType:
    return whole.type if whole.type in (TensorType.F32, TensorType.BF16) else TensorType.F16
