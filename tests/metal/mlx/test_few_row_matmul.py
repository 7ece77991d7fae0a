"""The kernel of our own for few rows is used where it can be, and only where it was found to be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.gpu.affine_matmul import Epilogue, Layout, Shape
from mlxr.metal.mlx import few_row_matmul
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.device_checks import DeviceChecks, holds
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.select import select_backend
from mlxr.metal.specs import Activation, MLPSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import MLPWeights
from tests.metal.tensors import random_tensor

WAYS_HERE = replace(WAYS["cpu"], few_rows=True)

Launching = Callable[..., Callable[..., list[mx.array]]]


def launching(factor: float = 1.0, only: int = 0, ran: list[tuple[int, Epilogue]] | None = None) -> Launching:
    """Stands for the kernel: right, but for ``factor`` with codes of ``only`` bits; tells what it ``ran``."""

    def made(of: few_row_matmul.Product, shape: Shape, normed: bool, biased: bool) -> Callable[..., list[mx.array]]:
        rows, epilogue, dtype = of.rows, of.epilogue, of.dtype
        assert of.activation is Activation.SILU

        def run(inputs: list[mx.array]) -> list[mx.array]:
            x, packed, scales, biases, constants, residual = inputs
            if ran is not None:
                ran.append((rows, epilogue))
            gain, eps, rest = constants[0], constants[1].item(), constants[4:]
            if normed:
                x, rest = mx.fast.rms_norm(x, rest[: shape.columns], eps), rest[shape.columns :]
            if shape.bits == 16:
                weights = packed.astype(mx.float32)
            else:
                wide = scales.astype(mx.float32), biases.astype(mx.float32)
                weights = mx.dequantize(packed, *wide, shape.group, shape.bits)
            out = x.astype(mx.float16).astype(mx.float32) @ weights.T * (factor if shape.bits == only else 1.0)
            out = out + rest if biased else out
            if epilogue is Epilogue.RESIDUAL:
                return [residual + out * gain]
            if epilogue is Epilogue.GATED:
                gate, up = mx.split(out, 2, axis=1)
                return [(gate * mx.sigmoid(gate) * up * gain).astype(mx.float16)]
            return [(out * gain).astype(getattr(mx, dtype))]

        return run

    return made


def norming(rows: int, width: int, layout: Layout) -> Callable[..., list[mx.array]]:
    """Stands for the norm's kernel."""

    def run(inputs: list[mx.array]) -> list[mx.array]:
        x, constants = inputs
        return [mx.fast.rms_norm(x, constants[4:], constants[0].item()).astype(mx.float16)]

    return run


@pytest.fixture(autouse=True)
def norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_row_matmul, "_norming", norming)


def uncompiled(*arguments: object) -> Callable[..., list[mx.array]]:
    raise RuntimeError("Failed to compile kernel")


def lost(*arguments: object) -> Callable[..., list[mx.array]]:
    def run(inputs: list[mx.array]) -> list[mx.array]:
        raise RuntimeError("the device is lost")

    return run


def rows_of(count: int, columns: int) -> mx.array:
    return mx.array(np.random.default_rng(count).standard_normal((count, columns)).astype(np.float32))


def product_of(type: TensorType, outputs: int, columns: int, rows: int) -> tuple[mx.array, mx.array]:
    """A product with the kernel where it applies, and MLX's."""
    tensor = random_tensor(type, outputs, columns, np.random.default_rng(0), 0.002)
    outs = []
    for ways in (WAYS_HERE, WAYS["cpu"]):
        backend = MlxBackend(ways)
        outs.append(backend.linear(backend.weight(tensor))(rows_of(rows, columns)))
    return outs[0], outs[1]


@pytest.mark.parametrize("type", [TensorType.Q4_K, TensorType.Q8_0, TensorType.F16])
def test_few_rows_are_multiplied_by_it(type: TensorType, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[int, Epilogue]] = []
    monkeypatch.setattr(few_row_matmul, "_launching", launching(ran=ran))
    assert holds(WAYS_HERE, "few_rows")
    ran.clear()
    for rows in (1, 32, 33):
        own, theirs = product_of(type, 48, 256, rows)
        assert np.allclose(np.array(own), np.array(theirs), rtol=5e-3, atol=2e-2)
    assert [rows for rows, _ in ran] == [1, 32]


@pytest.mark.parametrize(
    ("type", "outputs", "columns"),
    [(TensorType.Q4_K, 40, 256), (TensorType.Q8_0, 48, 96), (TensorType.Q5_0, 48, 256), (TensorType.F16, 40, 256)],
)
def test_matrices_that_it_can_t_take_are_multiplied_by_mlx(
    type: TensorType, outputs: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(few_row_matmul, "_launching", uncompiled)
    own, theirs = product_of(type, outputs, columns, 3)
    assert np.array_equal(np.array(own), np.array(theirs))


def test_scales_that_its_arithmetic_has_no_room_for_are_left_to_mlx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_row_matmul, "_launching", uncompiled)
    backend, plain = MlxBackend(WAYS_HERE), MlxBackend(WAYS["cpu"])
    tensor = random_tensor(TensorType.Q8_0, 48, 256, np.random.default_rng(0), 40.0)
    outs = [each.linear(each.weight(tensor))(rows_of(2, 256)) for each in (backend, plain)]
    assert np.array_equal(*map(np.array, outs))


@pytest.mark.parametrize("post_normed", [False, True])
@pytest.mark.parametrize("rows", [1, 3, 32])
def test_a_gated_half_is_two_products(rows: int, post_normed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[int, Epilogue]] = []
    monkeypatch.setattr(few_row_matmul, "_launching", launching(ran=ran))
    rng, outs = np.random.default_rng(3), []
    tensors = [random_tensor(TensorType.Q4_K, *shape, rng, 0.0004) for shape in ((512, 256), (512, 256), (256, 512))]
    norm = mx.array(rng.uniform(0.5, 1.5, 256).astype(np.float32))
    bias = mx.array(rng.standard_normal(512).astype(np.float32))
    for backend in (MlxBackend(WAYS_HERE), ReferenceBackend()):
        gate, up, down = map(backend.weight, tensors)
        weights = MLPWeights(up, down, gate, norm=norm, gate_bias=bias, post_norm=norm if post_normed else None)
        outs.append(np.array(backend.feed_forward(weights, MLPSpec(Activation.SILU))(rows_of(rows, 256))))
    assert np.allclose(*outs, rtol=1e-2, atol=1e-2 * np.abs(outs[1]).max())
    last = Epilogue.PLAIN if post_normed else Epilogue.RESIDUAL
    assert ran == [(rows, Epilogue.GATED), (rows, last)]


@pytest.mark.parametrize("planted", [launching(1.1, only=4), launching(1.1, only=8), uncompiled, lost])
def test_a_planted_fault_rules_it_out_by_name(
    planted: Launching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(few_row_matmul, "_launching", planted)
    found = DeviceChecks(WAYS_HERE, tmp_path)
    assert found.sound_ways() == WAYS["cpu"]
    assert found.failing == {"few_rows"}
    assert "'few_rows'" in caplog.text


def test_who_asks_for_the_backend_is_told_what_it_does_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(few_row_matmul, "_launching", launching(1.1, only=4))
    monkeypatch.setitem(WAYS, "cpu", WAYS_HERE)
    _, choice = select_backend("mlx", checks=tmp_path)
    assert "without few_rows: wrong on this device" in choice.reason
