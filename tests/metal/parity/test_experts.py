"""Mixtures of experts: every backend chooses and mixes as the reference does, a row by itself as in company."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.experts import choose
from mlxr.metal.specs import Activation, ExpertsSpec
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import ExpertsWeights, MLPWeights, Weight
from tests.metal.backends import BACKENDS, IDS, slack
from tests.metal.tensors import float_tensor, random_tensor

WIDTH, HIDDEN, SHARED = 64, 96, 160
REFERENCE = ReferenceBackend()
SPECS = {
    "softmax": ExpertsSpec(Activation.SILU, 8, 3),
    "not normalized": ExpertsSpec(Activation.SILU, 8, 3, normalized=False, scale=2.5),
    "one of many": ExpertsSpec(Activation.GELU_TANH, 32, 1),
    "all": ExpertsSpec(Activation.SILU, 4, 4),
    "sigmoid in groups": ExpertsSpec(Activation.SILU, 16, 4, sigmoid=True, scale=1.5, groups=4, used_groups=2),
    "gpt-oss": ExpertsSpec(Activation.SWIGLU_OAI, 8, 4),
}


def normal(seed: int, *shape: int, scale: float = 1.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def weights_of(backend: Backend, spec: ExpertsSpec, type: TensorType, dressed: bool) -> ExpertsWeights:
    def weight(seed: int, outputs: int, inputs: int) -> Weight:
        if type is TensorType.F32:
            return backend.weight(float_tensor(normal(seed, outputs, inputs, scale=0.2)))
        return backend.weight(random_tensor(type, outputs, inputs, np.random.default_rng(seed), 0.03))

    count = spec.experts
    vectors = {
        "norm": WIDTH,
        "router_bias": count,
        "choice_bias": count,
        "gate_bias": count * HIDDEN,
        "up_bias": count * HIDDEN,
        "down_bias": count * WIDTH,
    }
    return ExpertsWeights(
        router=backend.weight(float_tensor(normal(1, count, WIDTH, scale=0.5))),
        gate=weight(2, count * HIDDEN, WIDTH),
        up=weight(3, count * HIDDEN, WIDTH),
        down=weight(4, count * WIDTH, HIDDEN),
        shared=MLPWeights(weight(5, SHARED, WIDTH), weight(6, WIDTH, SHARED), weight(7, SHARED, WIDTH))
        if dressed
        else None,
        shared_router=backend.weight(float_tensor(normal(8, 1, WIDTH))) if dressed else None,
        **({name: mx.array(normal(9, size, scale=0.3)) for name, size in vectors.items()} if dressed else {}),
    )


def test_experts_are_chosen_by_hand_as_here() -> None:
    """Two groups of two: the better group's experts alone count, their scores without the bias."""
    spec = ExpertsSpec(Activation.SILU, 4, 2, sigmoid=True, normalized=False, groups=2, used_groups=1)
    logits, bias = np.array([[0.0, 1.0, 2.0, -3.0]], np.float32), np.array([1.0, 0.0, 0.0, 0.0], np.float32)
    chosen, weights = choose(mx.array(logits), mx.array(bias), spec)
    assert chosen.tolist() == [[0, 1]]
    assert np.allclose(np.array(weights), [[0.5, 1 / (1 + np.exp(-1.0))]])


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
@pytest.mark.parametrize("dressed", [True, False])
def test_mixtures_agree(backend: Backend, spec: ExpertsSpec, dressed: bool) -> None:
    ours, theirs = (
        own.feed_forward(weights_of(own, spec, TensorType.F32, dressed), spec) for own in (backend, REFERENCE)
    )
    assert ours(mx.zeros((0, WIDTH))).shape == (0, WIDTH)
    for rows in (1, 2, 7, 300):
        x = mx.array(normal(rows, rows, WIDTH))
        difference = np.abs(np.array(ours(x)) - np.array(theirs(x)))
        # Where two experts score nearly alike, 16-bit rounding may choose the other one.
        allowed = 0.02 if backend.name == "mlx" else 0.0
        limit = 2e-5 * slack(backend, 500) * float(np.abs(np.array(theirs(x))).max())
        assert (difference.max(axis=1) > limit).mean() <= allowed


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("type", [TensorType.F32, TensorType.Q8_0, TensorType.Q4_1, TensorType.MXFP4])
def test_a_row_is_mixed_alone_as_in_company(backend: Backend, type: TensorType) -> None:
    spec = SPECS["softmax"]
    run = backend.feed_forward(weights_of(backend, spec, type, dressed=True), spec)
    x = normal(5, 40, WIDTH)
    together = np.array(run(mx.array(x)))
    for row in (0, 17, 39):
        alone = np.array(run(mx.array(x[row : row + 1])))
        first = max(0, row - 1)
        some = np.array(run(mx.array(x[first : row + 3])))[row - first]
        if backend.name == "mlx":
            assert np.abs(alone[0] - together[row]).max() < 1e-2 * np.abs(together).max()
            continue
        assert np.array_equal(alone[0], together[row])
        assert np.array_equal(some, together[row])
