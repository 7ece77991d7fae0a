"""How much memory the KV pool takes."""

from __future__ import annotations

import pytest

from mlxr.actors.executor import memory_budget
from mlxr.actors.executor.memory_budget import available_bytes, pool_budget
from mlxr.metal.pool import DeviceMemory


def test_some_memory_is_available() -> None:
    assert available_bytes() > 0


@pytest.mark.parametrize(
    ("device", "budget"),
    [
        (None, 2500),
        (DeviceMemory(80_000, shared=False), 20_000),
        (DeviceMemory(80_000, shared=True), 2500),
        (DeviceMemory(4000, shared=True), 1000),
    ],
)
def test_the_pool_gets_its_share_of_the_memory_that_the_device_computes_in(
    device: DeviceMemory | None, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_budget, "available_bytes", lambda: 10_000)
    assert pool_budget(device, 0.25) == budget
