"""The mlx backend with kernels of ours for CUDA, which the emulator runs, against plain arithmetic."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import pytest

from mlxr.metal.mlx import device
from mlxr.metal.mlx.checks import CHECKS, holds
from mlxr.metal.mlx.device import WAYS
from tests.metal.gpu import emulated_mlx

# Beside our kernels MLX's own run on the CPU, where they add 16-bit numbers up in 16 bits and can't be joined.
WAYS_HERE = replace(WAYS["cuda"], wide_sums=True, fused=False, masked_queries=True)
EMULATED = [name for name in CHECKS if name not in ("paged_decode", "step_attention")]
"""Attention for single queries is written with more of CUDA than the emulator has."""


@pytest.fixture(autouse=True)
def cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "kind", lambda: "cuda")
    monkeypatch.setattr(mx.fast, "cuda_kernel", emulated_mlx.cuda_kernel)


@pytest.mark.parametrize("name", EMULATED)
def test_what_is_checked_at_load_is_right(name: str) -> None:
    assert holds(WAYS_HERE, name)
