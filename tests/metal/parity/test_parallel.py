"""Layers whose halves read the same input, on every backend of this machine."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Activation, AttentionSpec, ExpertsSpec, FeedForwardSpec, MLPSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import AttentionWeights, FeedForwardWeights
from tests.metal.backends import BACKENDS, IDS, slack
from tests.metal.batches import pool_spec, ragged
from tests.metal.parity.test_experts import weights_of
from tests.metal.parity.test_operations import mlp_of
from tests.metal.tensors import float_tensor, normal

REFERENCE = ReferenceBackend()


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("rows", [1, 5, 300])
@pytest.mark.parametrize("mixture", [False, True])
def test_halves_may_read_the_same_input(backend: Backend, mixture: bool, rows: int) -> None:
    """Both are added to it: what a layer gives is what each half gives by itself, less the input once."""
    spec = AttentionSpec(2, 1, 32, 32**-0.5)
    batch = ragged([rows], [0], 16, 1 + rows // 16)

    def run(own: Backend, parallel: bool, x: mx.array) -> mx.array:
        query, key, value, output = (
            own.weight(float_tensor(normal(seed, *shape, scale=0.2)))
            for seed, shape in enumerate([(64, 64), (32, 64), (32, 64), (64, 64)])
        )
        attention = AttentionWeights(query, key, value, output, norm=mx.array(normal(7, 64)))
        mix = own.attention(attention, spec, 0)
        weights: FeedForwardWeights = mlp_of(own, gated=True, dressed=True)
        inner: FeedForwardSpec = MLPSpec(Activation.SILU)
        if mixture:
            inner = ExpertsSpec(Activation.SILU, 4, 2)
            weights = weights_of(own, inner, TensorType.F32, dressed=True)
        pool = own.pool(pool_spec(1, 1 + rows // 16, 16, 1, 32))
        step = own.on_device(batch)
        if parallel:
            return own.parallel(mix, weights, inner, 0)(x, step, pool)
        return mix(x, step, pool) + own.feed_forward(weights, inner)(x) - x

    x = mx.array(normal(rows, rows, 64))
    out = run(backend, True, x)
    # Where two experts score nearly alike, 16-bit rounding may choose the other one.
    error = np.abs(np.array(out) - np.array(run(REFERENCE, False, x))).max(axis=1)
    limit = 1e-3 * slack(backend, 10) * float(mx.abs(out).max())
    assert (error > limit).mean() <= (0.02 if mixture and backend.name == "mlx" else 0)
    first = np.array(run(backend, True, mx.concatenate([x[:1], x[1:] * 0])))[0]
    assert np.abs(first - np.array(out)[0]).max() <= (0 if backend.name == "cpu" else limit)
