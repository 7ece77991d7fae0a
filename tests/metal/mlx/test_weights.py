"""Matrices in MLX's layout hold the file's own numbers, as nearly as is said of each type."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.affine import BITS
from mlxr.metal.mlx import weights
from mlxr.metal.mlx.matrix_forms import CODE_KINDS, Codes, Matrix, dequantized
from mlxr.metal.mlx.type_descriptions import HELD_AS
from mlxr.metal.mlx.weights import pack, take_over
from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import Tensor, TensorType
from tests.metal.tensors import random_affine, random_tensor

USABLE = frozenset(CODE_KINDS)
NEAREST = {"exact": 0.0, "scales rounded to 16 bits": 3e-4, "rounded": 3e-4}


def error(tensor: Tensor, matrix: Matrix) -> float:
    """Root mean square, of that of the file's values. On the CPU, since not every GPU's MLX has codes of one bit."""
    with mx.stream(mx.cpu):
        held = dequantized(matrix, mx.float32) if isinstance(matrix, Codes) else matrix.values
        values = np.array(held.astype(mx.float32), np.float64)
    expected = dequantize(tensor).astype(np.float64)
    difference = values - expected
    return float(np.sqrt((difference**2).mean() / (expected**2).mean()))


def described(codes: Codes) -> str:
    return f"{codes.kind} codes" if codes.mode != "affine" else f"{codes.bits}-bit codes"


@pytest.mark.parametrize("type", list(TensorType))
def test_each_type_is_as_near_as_is_said_of_it(type: TensorType) -> None:
    tensor = random_tensor(type, 37, 512, np.random.default_rng(0))
    form, _, nearness = HELD_AS[type].partition(", ")
    matrix = take_over(tensor, USABLE)
    requantized = form == "8-bit codes" and nearness == "rounded"
    assert error(tensor, matrix) <= (6e-3 if requantized else NEAREST.get(nearness, 1e-6))
    if type is not TensorType.AFFINE:
        assert form == (described(matrix) if isinstance(matrix, Codes) else "16-bit floats")


@pytest.mark.parametrize("bits", [4, 5, 8])
def test_codes_are_packed_as_mlx_packs_them(bits: int) -> None:
    packed, scales, biases = mx.quantize(mx.random.normal((5, 96)), 32, bits)
    spread = mx.dequantize(packed, mx.ones_like(scales), mx.zeros_like(biases), 32, bits)
    assert mx.array_equal(pack(spread.astype(mx.uint8), bits), packed)


def test_a_matrix_taken_over_in_parts_is_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    tensor = random_tensor(TensorType.Q5_K, 9, 512, np.random.default_rng(0))
    whole = take_over(tensor, USABLE)
    monkeypatch.setattr(weights, "CHUNK_VALUES", 1024)
    for one, other in zip(whole.arrays, take_over(tensor, USABLE).arrays, strict=True):
        assert mx.array_equal(one, other)


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("group", [32, 64, 128, 256])
def test_affine_codes_stay_what_they_are(bits: int, group: int) -> None:
    tensor = random_affine(bits, group, 37, 512, np.random.default_rng(0))
    matrix = take_over(tensor, USABLE)
    assert isinstance(matrix, Codes)
    assert (matrix.bits, matrix.group) == (bits, min(group, 128))
    assert error(tensor, matrix) == 0.0
    assert error(tensor, take_over(tensor, USABLE - {bits})) < 5e-4


@pytest.mark.parametrize("type", [TensorType.MXFP4, TensorType.MXFP8, TensorType.NVFP4])
def test_floating_codes_are_mlx_s_own(type: TensorType) -> None:
    tensor = random_tensor(type, 37, 512, np.random.default_rng(0))
    mode = type.value.lower()
    matrix = take_over(tensor, USABLE)
    assert isinstance(matrix, Codes)
    own = mx.dequantize(matrix.packed, matrix.scales, mode=mode, dtype=mx.float32)
    assert np.array_equal(np.array(own), dequantize(tensor))
    plain = take_over(tensor, USABLE - {mode})
    assert isinstance(plain, Codes)
    assert plain.mode == "affine"
    assert error(tensor, plain) < (6e-3 if type is not TensorType.MXFP4 else 1e-6)


def test_codes_that_a_device_computes_wrong_become_floats() -> None:
    tensor = random_tensor(TensorType.Q4_0, 9, 64, np.random.default_rng(0))
    matrix = take_over(tensor, USABLE - {4})
    assert not isinstance(matrix, Codes)
    assert error(tensor, matrix) < 5e-4


@pytest.mark.parametrize("type", [TensorType.Q4_K, TensorType.Q4_0, TensorType.Q5_K, TensorType.Q8_0])
def test_quantized_types_take_at_most_a_fifth_more_memory_than_the_file(type: TensorType) -> None:
    tensor = random_tensor(type, 64, 1024, np.random.default_rng(0))
    assert take_over(tensor, USABLE).nbytes <= 1.2 * tensor.nbytes
