"""Matrices as the native module keeps them."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from mlxr.metal.cpu import _native
from mlxr.metal.cpu.matrices import pack
from mlxr.metal.tensors import Tensor, TensorType

ROWS, COLUMNS = 4096, 1024


def test_a_matrix_that_is_packed_with_pauses_is_the_same() -> None:
    random = np.random.default_rng(3)
    values = random.standard_normal((ROWS, COLUMNS)).astype(np.float32)
    tensor = Tensor("w", TensorType.F32, (ROWS, COLUMNS), values.view(np.uint8).reshape(ROWS, -1))
    engine, pauses = _native.Engine(1, None), []
    paused = pack(engine, tensor, False, lambda: pauses.append("pause"))
    whole = pack(engine, tensor, False)
    x = mx.array(random.standard_normal((3, COLUMNS)).astype(np.float32))
    products = [
        np.array(_native.linear(engine, x, linear=_native.Linear(matrix=weight.handle, bias=None)))
        for weight in (paused, whole)
    ]
    assert np.array_equal(*products)
    assert pauses
