"""Feed-forwards of plain MLX operations between a backend's products, which every backend runs as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np

from mlxr.metal.specs import ExpertsSpec, MLPSpec, NormKind
from mlxr.metal.weights import MLPWeights, SeparateExpertsWeights

if TYPE_CHECKING:
    from mlxr.metal.backend import Backend
    from mlxr.metal.operations import DeviceBatch, RowOperation


class XieluMLP:
    """A perceptron whose activation is xIELU: ``x + down(xielu(up(norm(x))))``."""

    def __init__(self, backend: Backend, weights: MLPWeights, spec: MLPSpec) -> None:
        assert spec.xielu is not None
        assert weights.norm is not None
        self._numbers = spec.xielu
        self._norm = backend.rms_norm(weights.norm, spec.norm_eps)
        self._up = backend.linear(weights.up, weights.up_bias)
        self._down = backend.linear(weights.down, weights.down_bias)

    def __call__(self, x: mx.array, batch: DeviceBatch | None = None) -> mx.array:
        if not x.shape[0]:
            return x
        own, up = self._numbers, self._up(self._norm(x)).astype(mx.float32)
        falls = (mx.expm1(mx.minimum(up, own.eps)) - up) * own.fall
        out: mx.array = x + self._down(mx.where(up > 0, own.rise * up * up, falls) + own.beta * up)
        return out


class SparseMixer:
    """Two experts for each token, chosen as ``ExpertsSpec.jitter`` says. Which ones is computed before the next
    operation is built, since each expert multiplies its own rows alone."""

    def __init__(self, backend: Backend, weights: SeparateExpertsWeights, spec: ExpertsSpec) -> None:
        assert spec.jitter is not None
        self._jitter = spec.jitter
        layer = spec.norm is NormKind.LAYER
        self._norm: RowOperation = (
            backend.layer_norm(weights.norm, weights.norm_bias, spec.norm_eps)
            if layer
            else backend.rms_norm(weights.norm, spec.norm_eps)
        )
        self._router = backend.linear(weights.router)
        self._experts = [
            tuple(backend.linear(weight) for weight in each)
            for each in zip(weights.gates, weights.ups, weights.downs, strict=True)
        ]

    def __call__(self, x: mx.array, batch: DeviceBatch | None = None) -> mx.array:
        if not x.shape[0]:
            return x
        normed = self._norm(x)
        chosen, shares = mixed_sparsely(np.array(self._router(normed).astype(mx.float32)), self._jitter)
        out = mx.zeros(x.shape)
        for number, (gate, up, down) in enumerate(self._experts):
            rows, places = np.nonzero(chosen == number)
            if not len(rows):
                continue
            own, at = normed[mx.array(rows)], mx.array(rows)
            gated = gate(own).astype(mx.float32)
            made = down(gated * mx.sigmoid(gated) * up(own)).astype(mx.float32)
            out = out.at[at].add(made * mx.array(shares[rows, places])[:, None])
        return x + out


def mixed_sparsely(
    scores: np.ndarray[tuple[int, ...], np.dtype[np.float32]], jitter: float
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Returns the two experts of each row of ``scores`` ``[T, E]``, and what each one's output is multiplied by."""
    left, chosen, shares = scores.copy(), [], []
    for _ in range(2):
        best = left.argmax(axis=-1)[:, None]
        most = np.take_along_axis(left, best, -1)
        # Those that are hardly worse, in proportion to what is larger of the two.
        near = (most - scores) / np.maximum(np.abs(scores), most) <= 2 * jitter
        weighed = np.where(near, np.exp(left - most), np.float32(0))
        chosen.append(best)
        shares.append(np.take_along_axis(weighed, best, -1) / weighed.sum(axis=-1, keepdims=True))
        np.put_along_axis(left, best, -np.inf, -1)
    return np.concatenate(chosen, -1), np.concatenate(shares, -1).astype(np.float32)
