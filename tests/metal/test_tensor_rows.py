"""Rows taken from a matrix, and matrices put above one another, keep their values, whatever their type keeps aside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.tensor_rows import rows_of, sorted_rows, stacked
from mlxr.metal.tensors import Tensor, TensorType
from tests.metal.tensors import random_affine, random_tensor

RNG = np.random.default_rng(0)


def fp8(scale: np.ndarray, block: tuple[int, int] | None) -> Tensor:
    plain = random_tensor(TensorType.FP8_E4M3, 48, 64, RNG)
    extras: dict[str, np.ndarray] = {"scale": scale}
    if block is not None:
        extras["block"] = np.array(block, np.int32)
    return replace(plain, extras=extras)


def matrices() -> dict[str, Tensor]:
    found = {type.value: random_tensor(type, 48, 256, RNG) for type in TensorType}
    found["FP8 per tensor"] = fp8(np.array(0.3, np.float32), None)
    found["FP8 per row"] = fp8(RNG.uniform(0.1, 1, (48, 1)).astype(np.float32), (1, 64))
    found["FP8 blocks of 16 rows"] = fp8(RNG.uniform(0.1, 1, (3, 2)).astype(np.float32), (16, 32))
    found["FP8 cut blocks"] = fp8(RNG.uniform(0.1, 1, (2, 2)).astype(np.float32), (32, 32))
    nvfp4 = random_tensor(TensorType.NVFP4, 48, 256, RNG)
    found["NVFP4 scaled"] = replace(nvfp4, extras={"scale": np.array(0.3, np.float32)})
    nf4 = random_tensor(TensorType.NF4, 48, 64, RNG)
    found["NF4 nested"] = replace(
        nf4,
        extras={
            **nf4.extras,
            "absmax": RNG.integers(0, 256, 48).astype(np.uint8),
            "nested_absmax": RNG.uniform(0.1, 1, 3).astype(np.float32),
            "nested_map": RNG.uniform(-1, 1, 256).astype(np.float32),
            "nested_block": np.array(16, np.int32),
            "offset": np.array(0.2, np.float32),
        },
    )
    return found


MATRICES = matrices()


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("span", [(0, 16), (16, 32), (5, 31), (0, 48)])
def test_rows_are_those_of_the_whole(name: str, span: tuple[int, int]) -> None:
    tensor = MATRICES[name]
    part = rows_of(tensor, *span)
    assert part.shape == (span[1] - span[0], tensor.shape[1])
    assert np.array_equal(dequantize(part), dequantize(tensor)[span[0] : span[1]])


BLOCKS = np.array([2, 0, 1])
ORDERS = {
    "every other row": np.arange(1, 48, 2),
    "blocks of 16 rows": (16 * BLOCKS[:, None] + np.arange(16)).reshape(-1),
    "the first rows alone": np.arange(5),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("order", ORDERS)
def test_rows_in_any_order_are_those_of_the_whole(name: str, order: str) -> None:
    tensor, rows = MATRICES[name], ORDERS[order]
    part = sorted_rows(tensor, rows)
    assert part.shape == (len(rows), tensor.shape[1])
    assert np.array_equal(dequantize(part), dequantize(tensor)[rows])


@pytest.mark.parametrize("name", MATRICES)
def test_stacked_matrices_are_above_one_another(name: str) -> None:
    tensor = MATRICES[name]
    parts = [rows_of(tensor, 16 * i, 16 * i + 16) for i in (2, 0, 1)]
    whole = stacked(parts)
    assert whole.shape == (48, tensor.shape[1])
    assert np.array_equal(dequantize(whole), np.concatenate([dequantize(part) for part in parts]))


def test_what_can_t_be_put_together_is_named() -> None:
    with pytest.raises(ValueError, match="different types"):
        stacked([random_affine(bits, 64, 8, 128, RNG) for bits in (4, 8)])
    with pytest.raises(ValueError, match="a scale for 64 values, and 16 in a row"):
        rows_of(random_tensor(TensorType.NF4, 8, 16, RNG), 0, 2)
    with pytest.raises(ValueError, match="a scale for 64 values, and 16 in a row"):
        sorted_rows(random_tensor(TensorType.NF4, 8, 16, RNG), np.array([4, 0]))
