"""Floating codes in blocks mean what MLX's modes make of them apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal import fp4
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import Tensor, TensorType


@pytest.mark.parametrize(
    ("type", "blocks", "parts"),
    [
        (TensorType.MXFP4, fp4.mxfp4_blocks, fp4.mxfp4_parts),
        (TensorType.MXFP8, fp4.mxfp8_blocks, fp4.mxfp8_parts),
        (TensorType.NVFP4, fp4.nvfp4_blocks, fp4.nvfp4_parts),
    ],
)
def test_blocks_of_mlx_s_codes_are_dequantized_as_mlx_does(
    type: TensorType, blocks: Callable[..., Any], parts: Callable[..., Any]
) -> None:
    mode = type.value.lower()
    q, scales = mx.quantize(mx.random.normal((6, 128), scale=0.1), mode=mode)
    codes, shared = np.array(q).view(np.uint8), np.array(scales)
    data = blocks(codes, shared)
    expected = mx.dequantize(q, scales, mode=mode, dtype=mx.float32)
    assert np.array_equal(dequantize(Tensor("w", type, (6, 128), data)), np.array(expected))
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(parts(data), (codes, shared), strict=True))
