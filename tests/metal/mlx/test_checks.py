"""What a device computes wrong is found, named, remembered, and done in a plain way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import pytest

from mlxr.metal.mlx import attention, checks, products
from mlxr.metal.mlx.device import WAYS

WAYS_HERE = WAYS["cpu"]


def test_everything_is_right_on_this_machine() -> None:
    assert checks.failing(WAYS_HERE) == frozenset()


def test_a_wrong_product_rules_out_codes_of_those_bits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    right = mx.quantized_matmul

    def wrong(x: mx.array, w: mx.array, scales: mx.array, biases: mx.array, t: bool, group: int, bits: int) -> mx.array:
        return right(x, w, scales, biases, t, group, bits) + (x.shape[0] > 8 and bits == 5)

    monkeypatch.setattr(products.mx, "quantized_matmul", wrong)
    assert checks.failing(WAYS_HERE) == {"codes 5"}


@pytest.mark.parametrize(("way", "name"), [("rope", "rope"), ("attention", "scaled_dot_product_attention")])
def test_a_wrong_kernel_is_named_and_nothing_else(way: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(mx.fast, name)
    monkeypatch.setattr(attention.mx.fast, name, lambda *given, **named: 2 * right(*given, **named))
    assert checks.failing(WAYS_HERE) == {way}
    assert checks.failing(WAYS_HERE.without(frozenset({way}))) == frozenset()


def test_a_kernel_that_raises_counts_as_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*given: object, **named: object) -> mx.array:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(attention.mx.fast, "rope", missing)
    assert checks.failing(WAYS_HERE) == {"rope"}


def test_findings_are_remembered_for_the_device_its_driver_and_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[object] = []
    monkeypatch.setattr(checks, "failing", lambda ways: frozenset(runs.append(ways) or {"rope"}))
    assert [checks.known_failing(WAYS_HERE, tmp_path / "new") for _ in range(2)] == [{"rope"}] * 2
    assert len(runs) == 1
    checks.known_failing(replace(WAYS_HERE, query_grid=9), tmp_path / "new")
    monkeypatch.setattr(checks.device, "driver", lambda: "another")
    checks.known_failing(WAYS_HERE, tmp_path / "new")
    assert len(runs) == 3


@pytest.mark.parametrize("content", ["", "[]", "{", '{"device": 1}'])
def test_a_damaged_record_is_made_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / "device-checks.json").write_text(content)
    assert checks.known_failing(WAYS_HERE, tmp_path) == frozenset()
    assert (tmp_path / "device-checks.json").read_text() != content


def test_a_folder_that_can_t_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert checks.known_failing(WAYS_HERE, tmp_path / "file") == frozenset()
