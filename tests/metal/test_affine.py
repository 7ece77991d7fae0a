"""Affine codes: packed and unpacked, dequantized as MLX does, rewritten for the native kernels without a loss."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.affine import AFFINE_TYPES, BITS, affine, as_affine, packed, unpacked
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import TensorType
from tests.metal.tensors import random_tensor


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group", [32, 64, 128])
def test_codes_are_what_mlx_quantizes_to(bits: int, group: int) -> None:
    with mx.stream(mx.cpu):  # a GPU's MLX rounds otherwise, and may have no codes of one bit
        q, scales, biases = mx.quantize(mx.random.normal((5, 256)), group, bits)
        expected = np.array(mx.dequantize(q, scales, biases, group, bits))
    data = np.array(q).view(np.uint8)
    codes = unpacked(data, bits)
    assert codes.shape == (5, 256)
    assert np.array_equal(packed(codes, bits), data)
    tensor = affine("w", (5, 256), bits, group, data, np.array(scales), np.array(biases))
    assert np.allclose(dequantize(tensor), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("type", AFFINE_TYPES)
def test_a_block_type_s_codes_mean_the_same_side_by_side(type: TensorType) -> None:
    tensor = random_tensor(type, 7, 512, np.random.default_rng(0))
    assert np.array_equal(dequantize(as_affine(tensor)), dequantize(tensor))
