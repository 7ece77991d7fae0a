"""What is left of a GPU's memory, by what MLX tells of each kind, and where compiled kernels are kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from mlxr.metal.mlx import device
from mlxr.metal.pool import DeviceMemory


@pytest.mark.parametrize(
    ("kind", "info", "left"),
    [
        ("cuda", {"free_memory": 70 << 30, "total_memory": 80 << 30}, DeviceMemory(72 << 30, False, 5 << 30, 80 << 30)),
        ("metal", {"max_recommended_working_set_size": 20 << 30}, DeviceMemory(17 << 30, True, 5 << 30, 20 << 30)),
        ("metal", {"max_recommended_working_set_size": 2 << 30}, DeviceMemory(0, True, 5 << 30, 2 << 30)),
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


@pytest.mark.parametrize(
    ("kind", "already", "kept"), [("cuda", "", "own"), ("cuda", "theirs", "theirs"), ("cpu", "", "")]
)
def test_kernels_compiled_for_cuda_are_kept_where_their_user_says_or_in_the_home(
    kind: str, already: str, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "kind", lambda: kind)
    monkeypatch.setenv("MLX_PTX_CACHE_DIR", already)
    if not already:
        monkeypatch.delenv("MLX_PTX_CACHE_DIR")
    device.keep_kernels(Path("own"))
    assert os.environ.get("MLX_PTX_CACHE_DIR", "") == kept
    monkeypatch.delenv("MLX_PTX_CACHE_DIR", raising=False)


def test_processors_are_shared_where_the_multi_process_service_listens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    assert not device.shares_processors()
    (tmp_path / "control").touch()
    assert device.shares_processors()
    monkeypatch.delenv("CUDA_MPS_PIPE_DIRECTORY")
    monkeypatch.setattr(device, "MULTI_PROCESS_FOLDER", str(tmp_path))
    assert device.shares_processors()
