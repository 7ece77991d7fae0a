"""A sparse perceptron in plain MLX operations around a backend's products; every backend uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import mlx.core as mx

from mlxr.metal.specs import MLPSpec
from mlxr.metal.weights import MLPWeights, Weight

if TYPE_CHECKING:
    from mlxr.metal.operations import DeviceBatch, RowOperation

Linear = Callable[[Weight, "mx.array | None"], "RowOperation"]
"""A backend's ``linear``."""


class SparseMLP:
    """A gated perceptron of whose gate only what exceeds a row's mean by ``sparsity`` standard deviations counts."""

    def __init__(self, linear: Linear, weights: MLPWeights, spec: MLPSpec) -> None:
        assert weights.gate is not None
        assert spec.sparsity is not None
        self._weights, self._spec, self._sparsity = weights, spec, spec.sparsity
        self._gate = linear(weights.gate, weights.gate_bias)
        self._up = linear(weights.up, weights.up_bias)
        self._down = linear(weights.down, weights.down_bias)

    def __call__(self, x: mx.array, batch: DeviceBatch | None = None) -> mx.array:
        if not x.shape[0]:
            return x
        weights, eps = self._weights, self._spec.norm_eps
        normed = x if weights.norm is None else mx.fast.rms_norm(x, weights.norm, eps)
        gate = self._gate(normed)
        mean = mx.mean(gate, axis=-1, keepdims=True)
        deviation = mx.sqrt(mx.mean(mx.square(gate - mean), axis=-1, keepdims=True))
        gate = mx.maximum(gate - (mean + deviation * self._sparsity), 0)
        out = self._down(_gelu_tanh(gate) * self._up(normed))
        return x + (out if weights.post_norm is None else mx.fast.rms_norm(out, weights.post_norm, eps))


def _gelu_tanh(x: mx.array) -> mx.array:
    return 0.5 * x * (1 + mx.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))
