"""Pages of 8-bit codes: what every backend computes over them, what they cost in precision and what they take."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.pages import dequantized, quantized
from mlxr.metal.specs import AttentionSpec
from tests.metal.backends import ALL, ALL_IDS, BACKENDS, IDS, NATIVE, NATIVE_IDS
from tests.metal.batches import HALF, INT8, Types
from tests.metal.parity.test_attention import REFERENCE, SPECS, run_steps, spec_of, steps_of
from tests.metal.parity.test_page_bytes import GROUPS
from tests.metal.tensors import normal

TYPES = ((INT8, INT8), (HALF, INT8), (INT8, HALF))
COUNTS = [[20, 3, 0, 41], [1, 1, 9, 1], [0, 30, 1, 1], [2, 1, 1, 5]]


@pytest.mark.parametrize("types", TYPES, ids=lambda types: f"{types[0]}-{types[1]}")
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
@pytest.mark.parametrize("page_size", [5, 16, 64])
@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
def test_attention_over_codes_agrees(backend: Backend, spec: AttentionSpec, types: Types, page_size: int) -> None:
    """A number at the border of two codes may get either, so that few outputs are off by a code's part of them."""
    steps = steps_of(COUNTS, page_size, 150)
    ours, theirs = (run_steps(own, spec, steps, 150, True, types=types) for own in (backend, REFERENCE))
    for own, expected in zip(ours, theirs, strict=True):
        assert np.abs(own - expected).max() < 3e-2
        assert np.abs(own - expected).mean() < 1e-3 * (2 if backend.name == "mlx" else 1)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_codes_lose_a_hundredth_where_sixteen_bits_lose_next_to_nothing(backend: Backend) -> None:
    steps, spec = steps_of(COUNTS, 16, 150), spec_of()
    exact, codes = (run_steps(backend, spec, steps, 150, types=types) for types in ((HALF, HALF), (INT8, INT8)))
    lost = np.concatenate([np.abs(a - b).ravel() for a, b in zip(exact, codes, strict=True)])
    assert 0 < lost.mean() < 1e-2


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e5, 1e30])
@pytest.mark.parametrize("backend", NATIVE, ids=NATIVE_IDS)
def test_attention_over_codes_is_finite_on_denormal_and_huge_inputs(backend: Backend, scale: float) -> None:
    outs = run_steps(backend, spec_of(), steps_of(COUNTS, 16, 150), 150, scale=scale, types=(INT8, INT8))
    assert all(np.isfinite(out / np.float32(scale)).all() for out in outs)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_pool_takes_what_its_sizes_say(backend: Backend) -> None:
    for group in GROUPS:
        pool = backend.pool(PoolSpec.even([group], 6, 16))
        assert 6 * backend.page_bytes(pool, 0) == pool.nbytes == backend.sizes.pool(pool.spec)


def test_a_code_is_at_most_half_a_step_away_and_keeps_nothing_of_neighbours() -> None:
    x = mx.array(normal(1, 3, 80))
    codes, scales = quantized(x, 32)
    assert scales.shape == (3, 3)
    back = np.array(dequantized(codes, scales, 32))
    steps = np.repeat(np.array(scales.astype(mx.float32)), 32, axis=1)[:, :80]
    assert (np.abs(back - np.array(x)) <= 0.51 * steps).all()
    alone = [np.array(part) for part in quantized(x[1], 32)]
    assert np.array_equal(alone[0], np.array(codes)[1])
    assert np.array_equal(alone[1], np.array(scales)[1])
