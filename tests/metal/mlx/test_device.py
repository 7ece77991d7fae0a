"""What is left of a GPU's memory, by what MLX tells of each kind."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import pytest

from mlxr.metal.mlx import device
from mlxr.metal.pool import DeviceMemory


@pytest.mark.parametrize(
    ("kind", "info", "left"),
    [
        ("cuda", {"free_memory": 70 << 30, "total_memory": 80 << 30}, DeviceMemory(72 << 30, shared=False)),
        ("metal", {"max_recommended_working_set_size": 20 << 30}, DeviceMemory(17 << 30, shared=True)),
        ("metal", {"max_recommended_working_set_size": 2 << 30}, DeviceMemory(0, shared=True)),
        ("cpu", {}, None),
    ],
)
def test_a_gpu_tells_what_it_has_left(
    kind: str, info: dict[str, Any], left: DeviceMemory | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "kind", lambda: kind)
    monkeypatch.setattr(mx, "device_info", lambda _: info)
    monkeypatch.setattr(mx, "get_cache_memory", lambda: 2 << 30)
    monkeypatch.setattr(mx, "get_active_memory", lambda: 3 << 30)
    assert device.memory() == left
