"""What a device computes wrong is found, named, remembered, and done in a plain way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.mlx import attention, checks, device, device_checks, experts, products
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.checks import CHECKS
from mlxr.metal.mlx.device import WAYS, Ways
from mlxr.metal.mlx.device_checks import DeviceChecks, holds
from mlxr.metal.mlx.matrix_forms import CODE_KINDS, Codes
from mlxr.metal.tensors import TensorType
from tests.metal.tensors import random_tensor

WAYS_HERE = WAYS["cpu"]

LACKING = {"codes 1"} if device.kind() == "cuda" else set()
"""What MLX says of itself that it has no kernels for: its CUDA backend begins at codes of 2 bits."""


def failing(ways: Ways = WAYS_HERE) -> set[str]:
    names = [*CHECKS, *(f"codes {kind}" for kind in CODE_KINDS)]
    return {name for name in names if not holds(ways, name)}


def test_everything_is_right_on_this_machine() -> None:
    assert failing() == LACKING


def test_a_wrong_product_rules_out_codes_of_those_bits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    right = mx.quantized_matmul

    def wrong(x: mx.array, w: mx.array, scales: mx.array, biases: mx.array, t: bool, *layout: Any) -> mx.array:
        return right(x, w, scales, biases, t, *layout) + (x.shape[0] > 1 and layout[1] == 5)

    monkeypatch.setattr(products.mx, "quantized_matmul", wrong)
    assert failing() == {"codes 5"} | LACKING


def test_a_wrong_product_of_experts_rules_out_the_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    right = mx.gather_qmm
    monkeypatch.setattr(experts.mx, "gather_qmm", lambda *given, **named: 2 * right(*given, **named))
    assert {"codes mxfp4", "codes mxfp8", "codes nvfp4"} <= failing()


def test_a_device_s_modes_are_those_of_its_ways() -> None:
    tensor = random_tensor(TensorType.MXFP4, 8, 64, np.random.default_rng(0))
    for kind, held in (("cpu", "mxfp4"), ("metal", "mxfp4"), ("cuda", 5)):
        backend = MlxBackend(replace(WAYS_HERE, modes=WAYS[kind].modes))
        assert backend.weight(tensor).handle.matrix.kind == held


@pytest.mark.parametrize(("way", "name"), [("rope", "rope"), ("attention", "scaled_dot_product_attention")])
def test_a_wrong_kernel_is_named_and_nothing_else(way: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(mx.fast, name)
    monkeypatch.setattr(attention.mx.fast, name, lambda *given, **named: 2 * right(*given, **named))
    assert failing() == {way} | LACKING
    assert failing(WAYS_HERE.without(frozenset({way}))) == LACKING


def test_a_kernel_that_raises_counts_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*given: object, **named: object) -> mx.array:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(attention.mx.fast, "rope", missing)
    assert failing() == {"rope"} | LACKING


def test_findings_are_remembered_for_the_device_its_driver_and_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(device_checks, "holds", lambda ways, name: looked.append(name) or name != "rope")
    for _ in range(2):
        found = DeviceChecks(WAYS_HERE, tmp_path / "new")
        assert not found.sound_ways().rope
        assert found.failing == {"rope"}
    assert sorted(looked) == sorted(CHECKS)
    DeviceChecks(replace(WAYS_HERE, query_grid=9), tmp_path / "new").sound_ways()
    monkeypatch.setattr(device_checks.device, "driver", lambda: "another")
    DeviceChecks(WAYS_HERE, tmp_path / "new").sound_ways()
    assert len(looked) == 3 * len(CHECKS)


def test_products_of_codes_are_looked_at_when_a_model_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(device_checks, "holds", lambda ways, name: looked.append(name) or name != "codes 4")
    backend = MlxBackend(WAYS_HERE, DeviceChecks(WAYS_HERE, tmp_path))
    matrices = [
        backend.weight(random_tensor(type, 4, 64, np.random.default_rng(0))).handle.matrix
        for type in (TensorType.F16, TensorType.Q4_0, TensorType.Q8_0, TensorType.Q4_1)
    ]
    assert looked == ["codes 4", "codes 8"]
    assert [isinstance(matrix, Codes) for matrix in matrices] == [False, False, True, False]


@pytest.mark.parametrize("content", ["", "[]", "{", '{"device": 1}'])
def test_a_damaged_record_is_made_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "device-checks.json").write_text(content)
    found = DeviceChecks(WAYS_HERE, tmp_path)
    assert found.sound_ways() == WAYS_HERE
    assert (tmp_path / "device-checks.json").read_text() != content


def test_a_folder_that_can_t_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert DeviceChecks(WAYS_HERE, tmp_path / "file").sound_ways() == WAYS_HERE


def test_another_kernel_of_ours_is_looked_at_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(device_checks, "holds", lambda ways, name: looked.append(name) or True)
    for digest in ("one", "one", "another"):
        monkeypatch.setattr(device_checks, "digest_of_kernels", lambda digest=digest: digest)
        DeviceChecks(WAYS["cuda"], tmp_path).sound_ways()
    assert len(looked) == 2 * len(checks.CHECKS)


def test_rows_in_the_order_of_experts_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    ways, right, sorted_ones = replace(WAYS_HERE, grouped_experts=True), mx.gather_mm, []

    def products(*given: Any, by: float = 1.0, **named: Any) -> mx.array:
        sorted_ones.append(named.get("sorted_indices", False))
        return right(*given, **named) * (by if sorted_ones[-1] else 1.0)

    monkeypatch.setattr(experts.mx, "gather_mm", products)
    assert CHECKS["grouped_experts"](ways)
    assert any(sorted_ones)
    monkeypatch.setattr(experts.mx, "gather_mm", lambda *given, **named: products(*given, by=1.1, **named))
    assert not CHECKS["grouped_experts"](ways)
