"""How much memory the KV pool takes."""

from __future__ import annotations

import pytest

from mlxr.actors.executor import memory
from mlxr.actors.executor.memory import available_bytes, pool_budget, pool_pages
from mlxr.metal.pool import DeviceMemory


def test_a_pool_takes_what_is_asked_or_what_the_context_needs_within_the_budget() -> None:
    assert pool_pages(1000, 32, 8192, 4096, 10) == 128
    assert pool_pages(1000, 32, 8192, 0, 10**9) == 512
    assert pool_pages(1000, 32, 131072, 0, 10**9) == 2048
    assert pool_pages(1000, 32, 8192, 0, 100_000) == 100
    with pytest.raises(ValueError, match="memory_fraction"):
        pool_pages(1000, 32, 8192, 0, 999)


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
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000)
    assert pool_budget(device, 0.25) == budget
