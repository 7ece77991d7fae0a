"""A mixture of experts: the choice, the gates, and the sum over what was chosen."""

from __future__ import annotations

import numpy as np

from mlxr.metal.gpu import experts
from mlxr.metal.gpu.affine_matmul import Shape
from mlxr.metal.gpu.experts import Choice
from mlxr.metal.gpu.kernel import Language
from mlxr.metal.specs import Activation, ExpertsSpec
from tests.metal.gpu.affine_cases import EPS, affine_matrix, gated
from tests.metal.gpu.case import ROUNDING, Case, Values, values
from tests.metal.gpu.emulated import Array

TENSOR_CORES = 2e-3
"""What weights rounded to 16 bits make of a product."""


def router_case(rows: int, columns: int, spec: ExpertsSpec, *, biased: bool, choice_biased: bool) -> Case:
    rng = np.random.default_rng(rows * columns)
    x, router = rng.standard_normal((rows, columns)), Array.of(rng.standard_normal((spec.experts, columns)), "float16")
    norm, bias = rng.uniform(0.5, 1.5, columns), rng.standard_normal(spec.experts)
    choice_bias = rng.standard_normal(spec.experts) / 8
    constants = [np.array([EPS, spec.scale, 0, 0]), norm]
    constants += [bias] * biased + [choice_bias] * choice_biased

    def expected() -> list[Values]:
        wide = x.astype(np.float32).astype(np.float64)
        normed = wide / np.sqrt((wide**2).mean(1, keepdims=True) + EPS) * norm.astype(np.float32)
        logits = normed @ values(router).T + (bias.astype(np.float32) if biased else 0)
        if spec.sigmoid:
            scores = 1 / (1 + np.exp(-logits))
        else:
            scores = np.exp(logits - logits.max(1, keepdims=True))
            scores /= scores.sum(1, keepdims=True)
        wanted = scores + (choice_bias.astype(np.float32) if choice_biased else 0)
        chosen = np.argsort(-wanted, axis=1, kind="stable")[:, : spec.used]
        shares = np.take_along_axis(scores, chosen, 1)
        if spec.normalized:
            shares /= shares.sum(1, keepdims=True)
        return [normed, chosen.astype(np.float64), shares * spec.scale, logits]

    tickets = Array.of(np.zeros(2, np.uint32))
    return Case(
        f"{experts.ROUTER.name} {rows}x{columns}, {spec.used} of {spec.experts}, sigmoid {spec.sigmoid}",
        experts.ROUTER,
        experts.router(rows, columns, spec, biased=biased, choice_biased=choice_biased),
        [
            Array.of(x, "float32"),
            router,
            Array.of(np.concatenate(constants), "float32"),
            tickets,
            Array.of(np.zeros(1, np.int32)),
        ],
        lambda: [*expected(), np.ones(2)],
        (ROUNDING["float16"], 0.0, 1e-5, 1e-5, 0.0),
        seen=lambda outs: [*outs[:4], _and_one(outs[4])],
        language=Language.CUDA,
    )


def gates_case(chosen: list[list[int]], shape: Shape, activation: Activation, biased: bool) -> Case:
    choice, rows, rng = _choice(chosen)
    whole = Shape(choice.experts * shape.outputs, shape.columns, shape.bits, shape.group)
    matrix, weights = affine_matrix(whole)
    x = Array.of(rng.standard_normal((rows, shape.columns)) / shape.columns**0.5, "float16")
    bias, gain = rng.standard_normal(whole.outputs), 1 / 16
    constants = np.concatenate([[gain, 0, 0, 0], *([bias] if biased else [])])

    def expected() -> list[Values]:
        both = weights.reshape(2, choice.experts, -1, shape.columns)
        added = (bias.astype(np.float32) if biased else 0 * bias).reshape(2, choice.experts, -1)
        experts_of = np.array(chosen).reshape(-1)
        each = np.repeat(values(x), choice.used, axis=0)
        gate, up = (np.einsum("mk,mnk->mn", each, both[i][experts_of]) + added[i][experts_of] for i in range(2))
        return [gated(gate, up, activation) * gain]

    return Case(
        f"{experts.GATES.name} {chosen}x{shape.columns}x{shape.outputs} of {shape.bits} bits",
        experts.GATES,
        experts.gates(rows, shape, choice, activation, biased),
        [x, Array.of(np.array(chosen, np.int32)), *matrix, Array.of(constants, "float32")],
        expected,
        (TENSOR_CORES,),
        language=Language.CUDA,
    )


def mixture_case(chosen: list[list[int]], shape: Shape, biased: bool) -> Case:
    choice, rows, rng = _choice(chosen)
    whole = Shape(choice.experts * shape.outputs, shape.columns, shape.bits, shape.group)
    matrix, weights = affine_matrix(whole)
    x = Array.of(rng.standard_normal((rows * choice.used, shape.columns)), "float16")
    shares = Array.of(rng.uniform(0.1, 1, (rows, choice.used)), "float32")
    residual = Array.of(rng.standard_normal((rows, shape.outputs)), "float32")
    bias, gain = rng.standard_normal(whole.outputs), 16.0
    constants = np.concatenate([[gain, 0, 0, 0], *([bias] if biased else [])])

    def expected() -> list[Values]:
        experts_of = np.array(chosen).reshape(-1)
        each = weights.reshape(choice.experts, -1, shape.columns)[experts_of]
        parts = np.einsum("mk,mnk->mn", values(x), each)
        parts += (bias.astype(np.float32) if biased else 0 * bias).reshape(choice.experts, -1)[experts_of]
        parts *= values(shares).reshape(-1, 1)
        out = values(residual) + gain * parts.reshape(rows, choice.used, -1).sum(1)
        return [out, parts, np.ones(1), np.ones(experts.tickets(shape.outputs))]

    return Case(
        f"{experts.MIXTURE.name} {chosen}x{shape.columns}x{shape.outputs} of {shape.bits} bits",
        experts.MIXTURE,
        experts.mixture(rows, shape, choice, biased),
        [
            x,
            Array.of(np.array(chosen, np.int32)),
            *matrix,
            Array.of(constants, "float32"),
            shares,
            residual,
            Array.of(np.zeros(experts.tickets(shape.outputs), np.uint32)),
        ],
        expected,
        (TENSOR_CORES, TENSOR_CORES, 0.0, 0.0),
        seen=lambda outs: [*outs[:2], Array.of(outs[2].numpy()[:1] + 1), _and_one(outs[3])],
        language=Language.CUDA,
    )


def _and_one(zeros: Array) -> Array:
    """What must be zeros, so that errors are relative to something."""
    return Array.of(zeros.numpy() + 1)


def _choice(chosen: list[list[int]]) -> tuple[Choice, int, np.random.Generator]:
    return Choice(max(map(max, chosen)) + 1, len(chosen[0])), len(chosen), np.random.default_rng(len(chosen))


def experts_cases() -> list[Case]:
    many = [[at % 3, (at + 1 + at % 2) % 3] for at in range(19)]  # more than a tile of each
    softmax = ExpertsSpec(Activation.SILU, 72, 5, scale=2.5)
    sigmoid = ExpertsSpec(Activation.SILU, 36, 3, sigmoid=True, normalized=False)
    return [
        router_case(1, 64, softmax, biased=False, choice_biased=False),
        router_case(11, 2056, sigmoid, biased=True, choice_biased=True),
        router_case(32, 72, softmax, biased=False, choice_biased=True),
        gates_case([[3, 0]], Shape(32, 320, 4, 32), Activation.SILU, False),
        gates_case([[1, 2, 0], [2, 3, 1], [2, 0, 3]], Shape(64, 128, 8, 64), Activation.SWIGLU_OAI, True),
        gates_case(many, Shape(32, 128, 4, 128), Activation.GELU, False),
        gates_case([[1, 0], [2, 1]], Shape(32, 320, 16, 32), Activation.SILU, False),
        mixture_case([[1, 0], [2, 1]], Shape(64, 1088, 16, 32), False),
        mixture_case([[3, 0]], Shape(48, 320, 4, 32), False),
        mixture_case([[1, 2, 0], [2, 3, 1], [2, 0, 3]], Shape(32, 2112, 8, 64), True),
        mixture_case(many, Shape(64, 128, 4, 128), False),
    ]
