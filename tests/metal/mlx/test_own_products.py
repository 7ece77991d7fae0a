"""The kernel of our own for few rows multiplies what it is made for, and only where it was found to be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.mlx import own_products
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.checks import DeviceChecks, holds
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.products import SplitProduct
from mlxr.metal.select import select_backend
from mlxr.metal.tensors import TensorType
from tests.metal.tensors import random_tensor

WAYS_HERE = replace(WAYS["cpu"], own_products=True)

Launching = Callable[[int, int, int], Callable[..., list[mx.array]]]


def launching(factor: float = 1.0, only: int = 0, ran: list[int] | None = None) -> Launching:
    """Stands for the kernel: right, but for ``factor`` with codes of ``only`` bits; tells the rows that it ``ran``."""

    def made(rows: int, outputs: int, bits: int) -> Callable[..., list[mx.array]]:
        def run(inputs: list[mx.array]) -> list[mx.array]:
            x, packed, scales, biases = inputs
            if ran is not None:
                ran.append(rows)
            weights = mx.dequantize(packed, scales.astype(mx.float32), biases.astype(mx.float32), 32, bits)
            whole = weights if weights.ndim == 2 else weights.swapaxes(0, 1).reshape(outputs, -1)
            out = x.astype(mx.float32) @ whole.T * (factor if bits == only else 1.0)
            return [out.astype(mx.float16)]

        return run

    return made


def uncompiled(rows: int, outputs: int, bits: int) -> Callable[..., list[mx.array]]:
    raise RuntimeError("Failed to compile kernel")


def lost(rows: int, outputs: int, bits: int) -> Callable[..., list[mx.array]]:
    def run(inputs: list[mx.array]) -> list[mx.array]:
        raise RuntimeError("the device is lost")

    return run


def product_of(type: TensorType, outputs: int, columns: int, rows: int) -> tuple[mx.array, mx.array]:
    """A product with the kernel where it applies, and MLX's."""
    x = mx.array(np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float32))
    tensor = random_tensor(type, outputs, columns, np.random.default_rng(0), 0.02)
    outs = []
    for ways in (WAYS_HERE, WAYS["cpu"]):
        backend = MlxBackend(ways)
        outs.append(backend.linear(backend.weight(tensor))(x))
    return outs[0], outs[1]


@pytest.mark.parametrize("type", [TensorType.Q4_K, TensorType.Q8_0])
def test_few_rows_are_multiplied_by_it(type: TensorType, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    monkeypatch.setattr(own_products, "_launching", launching(ran=ran))
    assert holds(WAYS_HERE, "own_products")
    ran.clear()
    for rows in (1, 32, 33):
        own, theirs = product_of(type, 48, 256, rows)
        assert np.allclose(np.array(own), np.array(theirs), rtol=5e-3, atol=2e-2)
    assert ran == [1, 32]


@pytest.mark.parametrize(
    ("type", "outputs", "columns"),
    [(TensorType.Q4_K, 40, 256), (TensorType.Q8_0, 48, 96), (TensorType.Q5_0, 48, 256), (TensorType.F16, 48, 256)],
)
def test_matrices_that_it_can_t_take_are_multiplied_by_mlx(
    type: TensorType, outputs: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_products, "_launching", uncompiled)
    own, theirs = product_of(type, outputs, columns, 3)
    assert np.array_equal(np.array(own), np.array(theirs))


def test_columns_in_parts_need_no_sum_of_products(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    monkeypatch.setattr(own_products, "_launching", launching(ran=ran))
    ways = replace(WAYS_HERE, blocks=8)
    weight = MlxBackend(ways).weight(random_tensor(TensorType.Q4_0, 128, 512, np.random.default_rng(0), 0.02))
    x = mx.array(np.random.default_rng(5).standard_normal((5, 512)).astype(np.float16))
    expected = np.array(MlxBackend(WAYS["cpu"]).linear(weight)(x))
    split = SplitProduct([weight], None, ways)
    assert split.parts == 8
    assert np.allclose(np.array(split(x), np.float32), expected, rtol=5e-3, atol=2e-2)
    assert ran == [5]


@pytest.mark.parametrize("planted", [launching(1.1, only=4), launching(1.1, only=8), uncompiled, lost])
def test_a_planted_fault_rules_it_out_by_name(
    planted: Launching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(own_products, "_launching", planted)
    found = DeviceChecks(WAYS_HERE, tmp_path)
    assert found.sound_ways() == WAYS["cpu"]
    assert found.failing == {"own_products"}
    assert "'own_products'" in caplog.text


def test_who_asks_for_the_backend_is_told_what_it_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_products, "_launching", launching(1.1, only=4))
    monkeypatch.setitem(WAYS, "cpu", WAYS_HERE)
    _, choice = select_backend("mlx", checks=tmp_path)
    assert "without own_products: wrong on this device" in choice.reason
