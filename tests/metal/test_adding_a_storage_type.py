"""A walk through docs/adding/storage-type.md: a type that only the reference can read runs there, and ``cpu`` refuses
it by name."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.reference import dequantize as reference
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> TensorType:
    """Blocks of four signed bytes, which are halves: steps 1 and 3 of the page."""
    made = str.__new__(TensorType, "TOY")
    made._name_ = made._value_ = "TOY"
    monkeypatch.setitem(BLOCKS, made, (4, 4))
    monkeypatch.setitem(reference.DECODERS, made, lambda blocks: blocks.view(np.int8).astype(np.float32) / 2)
    return made


@pytest.fixture
def tensor(toy: TensorType) -> Tensor:
    codes = np.random.default_rng(0).integers(-128, 128, (6, 8), dtype=np.int8)
    return Tensor("blk.0.ffn_up.weight", toy, (6, 8), codes.view(np.uint8))


def test_the_reference_runs_a_type_that_no_kernel_has(tensor: Tensor) -> None:
    backend, x = ReferenceBackend(), np.random.default_rng(1).standard_normal((3, 8), np.float32)
    y = np.array(backend.linear(backend.weight(tensor))(mx.array(x)))
    assert np.allclose(y, x @ (tensor.data.view(np.int8).astype(np.float32) / 2).T, rtol=1e-4, atol=1e-3)


def test_the_native_backend_refuses_it_by_name(tensor: Tensor) -> None:
    with pytest.raises(ValueError, match="TOY"):
        CpuBackend(1).weight(tensor)
