"""A machine is measured once, and what was found is kept."""

from __future__ import annotations

import sys

import pytest

from mlxr.actors.executor.settings import ExecutorSection
from mlxr.actors.registry.fit import machine_file
from mlxr.actors.registry.fit.machine_file import CanNotMeasure, measured
from mlxr.metal.machine import LIKE, MEASURED, Machine
from mlxr.metal.tensors import TensorType
from mlxr.runtime.paths import Home

CPU = ExecutorSection(backend="reference")


async def test_a_machine_is_measured_once_and_anew_for_another_backend(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await measured(home, CPU)
    assert first.backend == "reference"
    assert set(first.rates) == {type.value for type in MEASURED}
    assert all(rate > 1e6 for rate in first.rates.values())
    assert first.begin_seconds > 0
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setattr(machine_file, "is_busy", lambda: True)
    assert await measured(home, CPU) == first
    with pytest.raises((CanNotMeasure, OSError)):
        await measured(home, ExecutorSection(backend="reference", threads=1))


async def test_what_was_found_while_others_computed_is_found_anew_once_they_do_not(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [Machine("reference", "", 512, rates={"Q6_K": 1.0}, busy=True), Machine("reference", "", 512, rates={})]
    asked: list[ExecutorSection] = []

    async def measure(home: Home, executor: ExecutorSection) -> Machine:
        asked.append(executor)
        return found[len(asked) - 1]

    monkeypatch.setattr(machine_file, "_measure", measure)
    busy = True
    monkeypatch.setattr(machine_file, "is_busy", lambda: busy)
    assert [await measured(home, CPU) for _ in range(2)] == [found[0]] * 2
    busy = False
    assert [await measured(home, CPU) for _ in range(2)] == [found[1]] * 2
    assert len(asked) == 2


async def test_a_damaged_file_is_as_good_as_none(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine("reference", "", 512)

    async def measure(home: Home, executor: ExecutorSection) -> Machine:
        return machine

    monkeypatch.setattr(machine_file, "_measure", measure)
    home.root.mkdir(parents=True)
    home.machine.write_bytes(b'{"key": [1')
    assert await measured(home, CPU) == machine


async def test_a_backend_that_can_not_be_used_is_named(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(CanNotMeasure, match="the cpu backend can't be used"):
        await measured(home, ExecutorSection(backend="cpu"))


def test_every_type_has_a_rate_where_some_were_measured() -> None:
    machine = Machine("cpu", "", 512, rates={type.value: float(at + 1) for at, type in enumerate(MEASURED)})
    assert {machine.rate(type) for type in TensorType} <= set(machine.rates.values())
    assert machine.rate(TensorType.Q4_1) == machine.rates["Q4_0"]
    assert set(LIKE.values()) <= set(MEASURED)
    assert machine.bandwidth == len(MEASURED)
