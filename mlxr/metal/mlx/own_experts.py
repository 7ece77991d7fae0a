"""A mixture of experts for few rows by kernels of our own (``mlxr.metal.gpu.experts``): the norm and the choice, the
gates of the experts chosen, and their other matrices with the sum over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import mlx.core as mx

from mlxr.metal.gpu import experts
from mlxr.metal.gpu.affine_matmul import Shape
from mlxr.metal.gpu.decoder_layer.layer_shape import Routing
from mlxr.metal.gpu.experts import Choice
from mlxr.metal.gpu.kernel import Kernel, Language, Launch, MadeKernel
from mlxr.metal.mlx import device, few_row_matmul
from mlxr.metal.mlx.elementwise import HEADROOM
from mlxr.metal.mlx.matrix_forms import HALF, Blocks, Codes, Floats, Matrix, joined, rows_of
from mlxr.metal.specs import ExpertsSpec, NormKind
from mlxr.metal.weights import ExpertsWeights, Weight

Launched = Callable[..., list[mx.array]]

ROUTER_TICKETS = 64
"""One is used; MLX keeps smaller arrays in the host's memory."""


class OwnExperts:
    """One layer's, of weights that ``fits`` accepts: their gates and what they gate become one matrix, of which the
    weights' own are parts from now on.

    ``routes``: whether the choice is made by a kernel, too; if not, ``routed`` may not be called.
    """

    def __init__(self, weights: ExpertsWeights, spec: ExpertsSpec) -> None:
        assert weights.gate is not None
        self._spec, self._choice = spec, Choice(spec.experts, spec.used)
        self._gates = _together(weights.gate, weights.up)
        self._down: Codes | Floats = weights.down.handle.matrix
        self._gates_shape, self._down_shape = (_of_one(part, spec.experts) for part in (self._gates, self._down))
        self._gates_arrays, self._down_arrays = _arrays(self._gates), _arrays(self._down)
        biases = [bias for bias in (weights.gate_bias, weights.up_bias) if bias is not None]
        self._gates_biased, self._down_biased = bool(biases), weights.down_bias is not None
        self._gates_constants = _constants(1 / HEADROOM, biases)
        down_bias = [] if weights.down_bias is None else [weights.down_bias / HEADROOM]
        self._down_constants = _constants(HEADROOM, down_bias)
        self.routes = _routes(weights, spec)
        if self.routes:
            self._router = weights.router.handle.matrix.values
            self._router_biased, self._choice_biased = (
                bias is not None for bias in (weights.router_bias, weights.choice_bias)
            )
            self._router_constants = _router_constants(weights, spec)
        self._launches: dict[int, tuple[Launched | None, Launched, Launched]] = {}
        self.clear()
        mx.eval(self._gates_constants, self._down_constants)

    @staticmethod
    def fits(weights: ExpertsWeights, spec: ExpertsSpec) -> bool:
        """Whether the kernels compute such a mixture."""
        if weights.gate is None or weights.latent_down is not None or spec.weighs_inputs:
            return False
        if (weights.gate_bias is None) != (weights.up_bias is None) or not Choice(spec.experts, spec.used).fits:
            return False
        if weights.mixture_post_norm is not None or weights.post_norm is not None:
            return False
        matrices: list[Matrix] = [weight.handle.matrix for weight in (weights.gate, weights.up, weights.down)]
        if matrices[0].layout != matrices[1].layout:
            return False
        return all(_fits(matrix, spec.experts) for matrix in matrices)

    def clear(self) -> None:
        """Starts over with what kernels count by. A step that broke may have left other counts, and no later mixture
        would be computed behind one of its own that can't be."""
        self._router_tickets = mx.zeros(ROUTER_TICKETS, mx.uint32)
        self._tickets = mx.zeros(max(ROUTER_TICKETS, experts.tickets(self._down_shape.outputs)), mx.uint32)
        self._done = mx.zeros(1, mx.int32)
        mx.eval(self._router_tickets, self._tickets, self._done)

    @property
    def router(self) -> tuple[mx.array, mx.array, mx.array]:
        """What another kernel makes the choice of, behind the layer's last mixture."""
        return self._router, self._router_constants, self._done

    @property
    def routing(self) -> Routing:
        """The choice as that kernel makes it."""
        spec = self._spec
        biased, choice_biased = self._router_biased, self._choice_biased
        return Routing(spec.experts, spec.used, spec.sigmoid, spec.normalized, biased, choice_biased)

    def takes(self, rows: int) -> bool:
        return 0 < rows <= experts.MOST_ROWS

    def routed(self, x: mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """Returns of float32 ``x`` ``[T, features]`` its rows normed, 16-bit; the experts that each chose, int32
        ``[T, used]``; and their shares, float32 ``[T, used]``."""
        launched, _, _ = self._launched(x.shape[0])
        assert launched is not None
        rows, chosen, shares, _ = launched(
            inputs=[x, self._router, self._router_constants, self._router_tickets, self._done]
        )
        return rows, chosen, shares

    def added(self, rows: mx.array, chosen: mx.array, shares: mx.array, residual: mx.array) -> mx.array:
        """Returns the mixture of 16-bit ``rows`` ``[T, features]`` and ``residual`` together, float32 ``[T,
        features]``."""
        _, gates, mixture = self._launched(rows.shape[0])
        (hidden,) = gates(inputs=[rows, chosen, *self._gates_arrays, self._gates_constants])
        given = [hidden, chosen, *self._down_arrays, self._down_constants, shares, residual, self._tickets]
        out, _, self._done = mixture(inputs=given)
        return out

    def _launched(self, rows: int) -> tuple[Launched | None, Launched, Launched]:
        """The router's, the gates' and the mixture's for so many rows; putting them together takes longer than a
        call."""
        launched = self._launches.get(rows)
        if launched is None:
            launched = self._launches[rows] = (
                _launching(experts.ROUTER, self._router_launch(rows)) if self.routes else None,
                _launching(
                    experts.GATES,
                    experts.gates(rows, self._gates_shape, self._choice, self._spec.activation, self._gates_biased),
                ),
                _launching(experts.MIXTURE, experts.mixture(rows, self._down_shape, self._choice, self._down_biased)),
            )
        return launched

    def _router_launch(self, rows: int) -> Launch:
        biases = {"biased": self._router_biased, "choice_biased": self._choice_biased}
        return experts.router(rows, self._gates_shape.columns, self._spec, **biases)


def _routes(weights: ExpertsWeights, spec: ExpertsSpec) -> bool:
    """Whether the choice is made by a kernel."""
    others = weights.norm_bias, weights.router_norm, weights.expert_scale
    if weights.norm is None or spec.norm is not NormKind.RMS or any(part is not None for part in others):
        return False
    return isinstance(weights.router.handle.matrix, Floats) and experts.fits_router(spec, weights.router.shape[1])


def _router_constants(weights: ExpertsWeights, spec: ExpertsSpec) -> mx.array:
    parts = [mx.array([spec.norm_eps, spec.scale, 0.0, 0.0]), weights.norm, weights.router_bias, weights.choice_bias]
    constants = device.constants([part for part in parts if part is not None])
    mx.eval(constants)
    return constants


def _constants(gain: float, biases: list[mx.array]) -> mx.array:
    return device.constants([mx.array([gain, 0.0, 0.0, 0.0]), *(bias.reshape(-1) for bias in biases)])


def _together(gate: Weight, up: Weight) -> Codes | Floats:
    whole = joined([gate.handle.matrix, up.handle.matrix])
    assert not isinstance(whole, Blocks)
    gate.handle.matrix = rows_of(whole, 0, gate.shape[0])
    up.handle.matrix = rows_of(whole, gate.shape[0], gate.shape[0] + up.shape[0])
    return whole


def _arrays(matrix: Codes | Floats) -> list[mx.array]:
    """As kernels take them."""
    none = [mx.zeros(1, HALF)] * 2 if isinstance(matrix, Floats) else []
    return [*matrix.arrays, *none]


def _fits(matrix: Matrix, count: int) -> bool:
    return not isinstance(matrix, Blocks) and few_row_matmul.takes(matrix) and _of_one(matrix, count).fits


def _of_one(matrix: Codes | Floats, count: int) -> Shape:
    """The shape of one expert's matrix, of ``count`` above one another."""
    whole = few_row_matmul.shape_of(matrix)
    return Shape(whole.outputs // count, whole.columns, whole.bits, whole.group)


@cache
def _kernel(kernel: Kernel) -> MadeKernel:
    return MadeKernel(kernel, Language.CUDA)


@cache
def _launching(kernel: Kernel, launch: Launch) -> Launched:
    return _kernel(kernel).launching(launch)


__all__ = ["OwnExperts"]
