"""What the host makes for a step comes to the device as it is."""

from __future__ import annotations

from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.mlx import device, staging
from tests.metal.gpu import emulated_mlx

VALUES = np.random.default_rng(0).integers(-(2**31), 2**31, (3, 150)).astype(np.int32)


def test_values_stay_what_they_are() -> None:
    assert (np.array(staging.staged(VALUES)) == VALUES).all()


def test_on_cuda_they_are_copied_to_an_array_of_a_size_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[Any] = []

    def make(**given: Any) -> Any:
        kernel = emulated_mlx.cuda_kernel(**given)

        def launched(**launch: Any) -> list[mx.array]:
            shapes.extend(launch["output_shapes"])
            return kernel(**launch)

        return launched

    emulated_mlx.forget_kernels()
    monkeypatch.setattr(device, "kind", lambda: "cuda")
    monkeypatch.setattr(mx.fast, "cuda_kernel", make)
    found = np.array(staging.staged(VALUES))
    emulated_mlx.forget_kernels()
    assert (found == VALUES).all()
    blocks = [-(-4 * rows * width // staging.BLOCK_BYTES) for rows, width in shapes]
    assert blocks == [staging.OWN_BLOCKS]
