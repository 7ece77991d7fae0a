"""What stored blocks mean, held against the ``gguf`` package and the published formulas."""

from __future__ import annotations

import warnings

import gguf
import numpy as np
import pytest

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from tests.models.files import SCALES, random_blocks


@pytest.mark.parametrize("type", [type for type in SCALES if type is not TensorType.Q8_K])
def test_blocks_mean_exactly_what_the_gguf_package_reads(type: TensorType) -> None:
    columns = 3 * BLOCKS[type][0]
    data = random_blocks(type, 50, columns, np.random.default_rng(3))
    expected = gguf.dequantize(data, gguf.GGMLQuantizationType[type.value])
    assert np.array_equal(dequantize(Tensor("w", type, (50, columns), data)), expected)


def test_q8_k_is_a_float_scale_times_each_byte() -> None:
    data = random_blocks(TensorType.Q8_K, 4, 256, np.random.default_rng(3))
    scale, levels = data[:, :4].copy().view("<f4"), data[:, 4:260].view(np.int8)
    assert np.array_equal(dequantize(Tensor("w", TensorType.Q8_K, (4, 256), data)), scale * levels.astype(np.float32))


def test_a_tensor_larger_than_a_chunk_is_converted_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    data = random_blocks(TensorType.Q4_0, 9, 96, np.random.default_rng(3))
    tensor = Tensor("w", TensorType.Q4_0, (9, 96), data)
    whole = dequantize(tensor)
    monkeypatch.setattr("mlxr.metal.reference.dequantize.CHUNK_VALUES", 128)
    assert np.array_equal(dequantize(tensor), whole)


def test_bfloat16_is_the_upper_half_of_a_float32() -> None:
    values = np.array([[1.0, -2.5, 3.140625, 1e30]], np.float32)
    halves = (values.view(np.uint32) >> 16).astype("<u2").view(np.uint8)
    expected = (values.view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert np.array_equal(dequantize(Tensor("w", TensorType.BF16, (1, 4), halves)), expected)


def test_float16_and_float32_are_taken_as_they_are() -> None:
    values = np.array([[1.5, -0.25]])
    for type, kind in ((TensorType.F16, "<f2"), (TensorType.F32, "<f4")):
        data = values.astype(kind).view(np.uint8)
        assert np.array_equal(dequantize(Tensor("w", type, (1, 2), data)), values)


def test_a_damaged_scale_gives_infinities_without_a_warning() -> None:
    data = np.full((1, 34), 0xFF, np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not np.isfinite(dequantize(Tensor("w", TensorType.Q8_0, (1, 32), data))).any()


def fp8(codes: list[list[int]], scale: np.ndarray, block: tuple[int, int] | None = None) -> Tensor:
    extras = {"scale": scale, **({"block": np.array(block, np.int32)} if block else {})}
    data = np.array(codes, np.uint8)
    return Tensor("w", TensorType.FP8_E4M3, data.shape, data, extras)


def test_fp8_codes_mean_what_the_e4m3_paper_says() -> None:
    tensor = fp8([[0x00, 0x01, 0x08, 0x38, 0x39, 0x7E, 0xC0, 0x7F]], np.array(1.0, np.float32))
    expected = [0.0, 2**-9, 2**-6, 1.0, 1.125, 448.0, -2.0, np.nan]
    assert np.array_equal(dequantize(tensor)[0], np.array(expected, np.float32), equal_nan=True)


def test_fp8_scales_apply_to_the_tensor_or_to_each_block_even_a_cut_one() -> None:
    one = [[0x38] * 3] * 3
    assert np.array_equal(dequantize(fp8(one, np.array(0.5, np.float32))), np.full((3, 3), 0.5))
    blocks = np.array([[1, 2], [3, 4]], np.float32)
    assert dequantize(fp8(one, blocks, (2, 2))).tolist() == [[1, 1, 2], [1, 1, 2], [3, 3, 4]]


def test_nf4_takes_the_high_nibble_first_and_scales_each_block() -> None:
    levels = np.linspace(-1, 1, 16, dtype=np.float32)
    data = np.array([[0x0F, 0xF0], [0x12, 0x34]], np.uint8)
    extras = {"absmax": np.array([2.0, 10.0], np.float32), "block": np.array(4, np.int32), "map": levels}
    expected = [[-2, 2, 2, -2], [10 * levels[1], 10 * levels[2], 10 * levels[3], 10 * levels[4]]]
    assert np.array_equal(dequantize(Tensor("w", TensorType.NF4, (2, 4), data, extras)), np.array(expected, np.float32))


def test_nf4_scales_may_be_quantized_themselves() -> None:
    levels = np.linspace(-1, 1, 16, dtype=np.float32)
    extras = {
        "absmax": np.array([0, 255, 128], np.uint8),
        "nested_absmax": np.array([2.0, 4.0], np.float32),
        "nested_map": np.arange(256, dtype=np.float32),
        "nested_block": np.array(2, np.int32),
        "offset": np.array(0.5, np.float32),
        "block": np.array(2, np.int32),
        "map": levels,
    }
    tensor = Tensor("w", TensorType.NF4, (1, 6), np.array([[0xFF, 0xFF, 0xFF]], np.uint8), extras)
    assert dequantize(tensor).tolist() == [[0.5, 0.5, 510.5, 510.5, 512.5, 512.5]]
