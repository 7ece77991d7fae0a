"""The mlx backend with every kernel of ours that a Mac takes, which the emulator runs, against plain arithmetic."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import pytest

from mlxr.metal.mlx import device
from mlxr.metal.mlx.checks import CHECKS, holds
from mlxr.metal.mlx.device import WAYS
from tests.metal.gpu import emulated_mlx
from tests.metal.gpu.launching import ON_METAL

# Beside our kernels MLX's own run on the CPU, where they add 16-bit numbers up in 16 bits and can't be joined.
WAYS_HERE = WAYS["metal"] if ON_METAL else replace(WAYS["metal"], wide_sums=True, fused=False)


@pytest.fixture(autouse=True)
def metal(monkeypatch: pytest.MonkeyPatch) -> None:
    if not ON_METAL:
        monkeypatch.setattr(device, "kind", lambda: "metal")
        monkeypatch.setattr(mx.fast, "metal_kernel", emulated_mlx.metal_kernel)


@pytest.mark.parametrize("name", [*CHECKS, "codes blocks"])
def test_what_a_mac_would_check_at_load_is_right(name: str) -> None:
    assert holds(WAYS_HERE, name)
