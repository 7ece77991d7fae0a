"""Products joined or split are the products, and their matrices are in memory once."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import WAYS
from mlxr.metal.mlx.matrix_forms import Codes
from mlxr.metal.mlx.products import Projections, SplitProduct
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Activation, MLPSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import MLPWeights
from tests.metal.tensors import random_tensor
from tests.server import eventually

SPLITTING = replace(WAYS["cpu"], blocks=8)
BACKEND = MlxBackend(SPLITTING)


def inputs(rows: int, columns: int) -> mx.array:
    return mx.array(np.random.default_rng(rows).standard_normal((rows, columns)).astype(np.float16))


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize(("outputs", "columns", "parts"), [(128, 512, 8), (256, 256, 4), (100, 512, 1), (1024, 256, 1)])
def test_the_parts_of_a_split_product_sum_up_to_it(outputs: int, columns: int, parts: int, dense: bool) -> None:
    ways = replace(SPLITTING, dense_rows=1) if dense else SPLITTING
    weight = BACKEND.weight(random_tensor(TensorType.Q4_0, outputs, columns, np.random.default_rng(0)))
    x = inputs(5, columns)
    expected = np.array(BACKEND.linear(weight)(x))
    split = SplitProduct([weight], None, ways)
    assert len(weight.handle.matrix.packed) == outputs
    assert split.parts == parts
    for rows in (1, 5):
        assert np.allclose(np.array(split(x[:rows]), np.float32), expected[:rows], rtol=3e-3, atol=1e-2)
    assert np.array_equal(np.array(BACKEND.linear(weight)(x)), expected)


def test_matrices_multiplied_as_one_give_each_its_own_result() -> None:
    types = (TensorType.Q4_0, TensorType.Q4_K, TensorType.Q8_0)
    weights = [
        BACKEND.weight(random_tensor(type, rows, 256, np.random.default_rng(rows)))
        for rows, type in zip((64, 32, 96), types, strict=True)
    ]
    x, bias = inputs(3, 256), mx.array(np.linspace(-1, 1, 32).astype(np.float32))
    expected = [np.array(BACKEND.linear(weight)(x)) for weight in weights]
    found = Projections(weights, [None, bias, None], SPLITTING)(x)
    for own, theirs, added in zip(found, expected, (0, np.array(bias), 0), strict=True):
        assert np.allclose(np.array(own.astype(mx.float32)), theirs + added, rtol=1e-3, atol=1e-2)


def test_joined_and_split_matrices_are_in_memory_once() -> None:
    """4 MB of codes: more than anything else that is made here."""
    tensors = [random_tensor(TensorType.Q4_0, 1024, 2048, np.random.default_rng(seed)) for seed in range(4)]
    before = mx.get_active_memory()
    weights = [BACKEND.weight(tensor) for tensor in tensors]
    held = mx.get_active_memory() - before
    together = Projections(weights[:3], [None] * 3, SPLITTING)
    apart = SplitProduct([weights[3]], None, replace(SPLITTING, blocks=32))
    mx.eval(together(inputs(1, 2048)), apart(inputs(1, 2048)))
    assert all(isinstance(weight.handle.matrix, Codes) for weight in weights)
    # MLX's threads may hold the arrays of their last task a moment longer than Python does.
    eventually(lambda: mx.get_active_memory() - before < 1.1 * held)


@pytest.mark.parametrize("post_norm", [False, True])
def test_a_feed_forward_with_a_split_product_agrees(post_norm: bool) -> None:
    outs = []
    for backend in (BACKEND, ReferenceBackend()):
        shapes = [(512, 128), (128, 512), (512, 128)]
        up, down, gate = (
            backend.weight(random_tensor(TensorType.Q8_0, *shape, np.random.default_rng(seed), 0.002))
            for seed, shape in enumerate(shapes)
        )
        weights = MLPWeights(up, down, gate, post_norm=mx.ones(128) if post_norm else None)
        half = backend.feed_forward(weights, MLPSpec(Activation.SILU))
        outs.append(np.array(half(inputs(4, 128).astype(mx.float32))))
    assert np.abs(outs[0] - outs[1]).max() < 5e-3 * np.abs(outs[1]).max()
