"""Mixtures of experts: every backend chooses and mixes as the reference does, a row by itself as in company."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.reference.experts import choose
from mlxr.metal.specs import Activation, ExpertsSpec, NormKind
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import ExpertsWeights, MLPWeights, Weight
from tests.metal.backends import BACKENDS, IDS, same_rows, slack
from tests.metal.tensors import float_tensor, random_tensor

WIDTH, HIDDEN, SHARED, LATENT = 64, 96, 160, 32
REFERENCE = ReferenceBackend()
SPECS = {
    "softmax": ExpertsSpec(Activation.SILU, 8, 3),
    "not normalized": ExpertsSpec(Activation.SILU, 8, 3, normalized=False, scale=2.5),
    "one of many": ExpertsSpec(Activation.GELU_TANH, 32, 1),
    "all": ExpertsSpec(Activation.SILU, 4, 4),
    "sigmoid in groups": ExpertsSpec(Activation.SILU, 16, 4, sigmoid=True, scale=1.5, groups=4, used_groups=2),
    "gpt-oss": ExpertsSpec(Activation.SWIGLU_OAI, 8, 4),
    "squared": ExpertsSpec(Activation.RELU_SQUARED, 16, 4, sigmoid=True, scale=2.5),
    "layer norm": ExpertsSpec(Activation.SILU, 8, 3, norm=NormKind.LAYER),
    "weighed inputs": ExpertsSpec(Activation.SILU, 8, 2, sigmoid=True, normalized=False, weighs_inputs=True),
}
SHAPES = [(spec, True, False) for spec in SPECS] + [
    ("squared", False, False),
    ("squared", False, True),
    ("softmax", False, False),
    ("softmax", True, True),
]
"""Mixtures, whether their experts have gates, and whether they work on shorter vectors."""


def normal(seed: int, *shape: int, scale: float = 1.0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)


def weights_of(
    backend: Backend, spec: ExpertsSpec, type: TensorType, dressed: bool, gated: bool = True, latent: bool = False
) -> ExpertsWeights:
    def weight(seed: int, outputs: int, inputs: int) -> Weight:
        if type is TensorType.F32:
            return backend.weight(float_tensor(normal(seed, outputs, inputs, scale=0.2)))
        # Squares of three products in a row would leave 16-bit floats.
        scale = 0.005 if latent else 0.03
        return backend.weight(random_tensor(type, outputs, inputs, np.random.default_rng(seed), scale))

    count, width = spec.experts, LATENT if latent else WIDTH
    vectors = {
        "norm": WIDTH,
        "router_bias": count,
        "choice_bias": count,
        **({"gate_bias": count * HIDDEN} if gated else {}),
        "up_bias": count * HIDDEN,
        "down_bias": count * width,
    }
    if spec.norm is NormKind.LAYER:
        vectors["norm_bias"] = WIDTH
    if spec.weighs_inputs:
        vectors = {"norm": WIDTH, "choice_bias": count}
    return ExpertsWeights(
        router=backend.weight(float_tensor(normal(1, count, WIDTH, scale=0.5))),
        gate=weight(2, count * HIDDEN, width) if gated else None,
        up=weight(3, count * HIDDEN, width),
        down=weight(4, count * width, HIDDEN),
        latent_down=weight(10, LATENT, WIDTH) if latent else None,
        latent_up=weight(11, WIDTH, LATENT) if latent else None,
        shared=MLPWeights(
            weight(5, SHARED, WIDTH), weight(6, WIDTH, SHARED), weight(7, SHARED, WIDTH) if gated else None
        )
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
@pytest.mark.parametrize(("name", "gated", "latent"), SHAPES)
@pytest.mark.parametrize("dressed", [True, False])
def test_mixtures_agree(backend: Backend, name: str, gated: bool, latent: bool, dressed: bool) -> None:
    spec = SPECS[name]
    ours, theirs = (
        own.feed_forward(weights_of(own, spec, TensorType.F32, dressed, gated, latent), spec)
        for own in (backend, REFERENCE)
    )
    assert ours(mx.zeros((0, WIDTH))).shape == (0, WIDTH)
    for rows in (1, 2, 7, 300):
        x = mx.array(normal(rows, rows, WIDTH))
        difference = np.abs(np.array(ours(x)) - np.array(theirs(x)))
        # Where two experts score nearly alike, 16-bit rounding may choose the other one.
        allowed = 0.02 if backend.name == "mlx" else 0.0
        limit = 2e-5 * slack(backend, 500) * float(np.abs(np.array(theirs(x))).max())
        assert (difference.max(axis=1) > limit).mean() <= allowed


@pytest.mark.parametrize("backend", [REFERENCE, *BACKENDS], ids=["reference", *IDS])
def test_an_expert_s_weight_may_multiply_what_it_gets(backend: Backend) -> None:
    spec = ExpertsSpec(Activation.SILU, 2, 1, sigmoid=True, normalized=False, weighs_inputs=True)
    weights = weights_of(backend, spec, TensorType.F32, dressed=False)
    x = normal(3, 5, WIDTH)
    router, gate, up, down = (
        normal(seed, *shape, scale=scale)
        for seed, shape, scale in (
            (1, (2, WIDTH), 0.5),
            (2, (2, HIDDEN, WIDTH), 0.2),
            (3, (2, HIDDEN, WIDTH), 0.2),
            (4, (2, WIDTH, HIDDEN), 0.2),
        )
    )
    logits = x @ router.T
    best, expected = logits.argmax(1), x.copy()
    for row, expert in enumerate(best):
        own = x[row] / (1 + np.exp(-logits[row, expert]))
        inner = gate[expert] @ own
        expected[row] += down[expert] @ (inner / (1 + np.exp(-inner)) * (up[expert] @ own))
    ours = np.array(backend.feed_forward(weights, spec)(mx.array(x)))
    assert np.abs(ours - expected).max() < 1e-4 * slack(backend, 300) * np.abs(expected).max()


def with_own_norms(weights: ExpertsWeights, count: int) -> ExpertsWeights:
    """With norms on each part's input and output, and a factor for each expert (Gemma 4)."""
    assert weights.shared is not None
    norms = [mx.array(1 + normal(seed, WIDTH, scale=0.3)) for seed in range(20, 25)]
    return replace(
        weights,
        shared=replace(weights.shared, norm=norms[0], post_norm=norms[1]),
        router_norm=norms[2],
        mixture_post_norm=norms[3],
        post_norm=norms[4],
        expert_scale=mx.array(1 + normal(25, count, scale=0.3)),
        output_scale=mx.array([0.75]),
    )


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize(("gated", "latent"), [(True, False), (False, True)])
def test_parts_with_norms_of_their_own_agree(backend: Backend, gated: bool, latent: bool) -> None:
    spec = SPECS["softmax"]
    ours, theirs = (
        own.feed_forward(with_own_norms(weights_of(own, spec, TensorType.F32, True, gated, latent), spec.experts), spec)
        for own in (backend, REFERENCE)
    )
    for rows in (1, 7, 300):
        x = mx.array(normal(rows, rows, WIDTH))
        difference = np.abs(np.array(ours(x)) - np.array(theirs(x)))
        limit = 2e-5 * slack(backend, 500) * float(np.abs(np.array(theirs(x))).max())
        assert (difference.max(axis=1) > limit).mean() <= (0.02 if backend.name == "mlx" else 0.0)


def test_norms_of_their_own_are_where_the_formula_has_them() -> None:
    """One expert, which every token uses: what is left of the mixture is a perceptron beside another."""
    spec = ExpertsSpec(Activation.SILU, 1, 1, norm_eps=1e-6)
    weights = with_own_norms(replace(weights_of(REFERENCE, spec, TensorType.F32, True), down_bias=None), 1)
    assert weights.shared is not None
    x = normal(3, 5, WIDTH)

    def normed(rows: NDArray[np.float64], norm: mx.array | None) -> NDArray[np.float64]:
        return rows / np.sqrt((rows**2).mean(axis=1, keepdims=True) + 1e-6) * np.array(norm, np.float64)

    def perceptron(rows: NDArray[np.float64], gate: Weight | None, up: Weight, down: Weight, biased: bool) -> Any:
        assert gate is not None
        g, u, d = (np.array(weight.handle, np.float64) for weight in (gate, up, down))
        before, beside = rows @ g.T, rows @ u.T
        if biased:
            before, beside = before + np.array(weights.gate_bias), beside + np.array(weights.up_bias)
        return (before / (1 + np.exp(-before)) * beside) @ d.T

    shared, wide = weights.shared, x.astype(np.float64)
    read = normed(wide, shared.norm)
    own = normed(wide, weights.norm)
    common = perceptron(read, shared.gate, shared.up, shared.down, False)
    common /= 1 + np.exp(-read @ np.array(weights.shared_router.handle, np.float64).T)  # type: ignore[union-attr]
    mixture = perceptron(own, weights.gate, weights.up, weights.down, True) * float(weights.expert_scale[0])  # type: ignore[index]
    added = normed(mixture, weights.mixture_post_norm) + normed(common, shared.post_norm)
    expected = (wide + normed(added, weights.post_norm)) * 0.75
    assert np.abs(np.array(REFERENCE.feed_forward(weights, spec)(mx.array(x))) - expected).max() < 1e-4


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("type", [TensorType.F32, TensorType.Q8_0, TensorType.Q4_1, TensorType.MXFP4])
@pytest.mark.parametrize(("name", "gated", "latent"), [("softmax", True, False), ("squared", False, True)])
def test_a_row_is_mixed_alone_as_in_company(
    backend: Backend, type: TensorType, name: str, gated: bool, latent: bool
) -> None:
    spec = SPECS[name]
    run = backend.feed_forward(weights_of(backend, spec, type, True, gated, latent), spec)
    x = normal(5, 40, WIDTH)
    together = np.array(run(mx.array(x)))
    for row in (0, 17, 39):
        alone = np.array(run(mx.array(x[row : row + 1])))
        first = max(0, row - 1)
        some = np.array(run(mx.array(x[first : row + 3])))[row - first]
        if backend.name == "mlx":
            assert np.abs(alone[0] - together[row]).max() < 1e-2 * np.abs(together).max()
            continue
        assert same_rows(backend, alone[0], together[row])
        assert same_rows(backend, some, together[row])
