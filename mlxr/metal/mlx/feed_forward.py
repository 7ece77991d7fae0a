"""The feed-forward half of a layer."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx

from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import HEADROOM, Elementwise
from mlxr.metal.mlx.norms import normed
from mlxr.metal.mlx.products import Projections, SplitProduct
from mlxr.metal.mlx.weights import HALF
from mlxr.metal.reference.adapters import NO_ADAPTERS, StepAdapters
from mlxr.metal.specs import MLPSpec
from mlxr.metal.weights import MLPWeights


class FeedForward:
    """One layer's, prepared."""

    def __init__(
        self, weights: MLPWeights, spec: MLPSpec, ways: Ways, elementwise: Elementwise, layer: int | None = None
    ) -> None:
        self._layer = layer
        self._roles = ("up",) if weights.gate is None else ("gate", "up")
        self._elementwise, self._spec = elementwise, spec
        self._norm, self._norm_bias, self._post_norm = weights.norm, weights.norm_bias, weights.post_norm
        self._output_scale = weights.output_scale
        if weights.gate is None:
            self._inputs = Projections([weights.up], [weights.up_bias], ways)
            self._hidden: Callable[..., mx.array] = elementwise.activation(spec.activation)
        else:
            biases = weights.gate_bias, weights.up_bias
            self._inputs = Projections([weights.gate, weights.up], biases, ways)
            self._hidden = elementwise.gate(spec.activation)
        bias = None if weights.down_bias is None else weights.down_bias / HEADROOM
        self._down = SplitProduct([weights.down], bias, ways)

    def __call__(self, x: mx.array, residual: mx.array, adapters: StepAdapters = NO_ADAPTERS) -> mx.array:
        """``x`` float32 ``[T, features]``; ``residual``, of the same shape, is what the result is added to."""
        if not x.shape[0]:
            return residual
        spec = self._spec
        inputs = normed(x, self._norm, spec.norm_eps, spec.norm, self._norm_bias).astype(HALF)
        outs = zip(self._inputs(inputs), self._roles, strict=True)
        hidden = self._hidden(*(adapters.added(out, inputs, self._layer, role) for out, role in outs))
        out = adapters.added(self._down(hidden), hidden, self._layer, "down")
        if self._post_norm is None:
            out = self._elementwise.add_down(residual, out)
        else:
            wide = out.astype(mx.float32) * HEADROOM
            out = residual + mx.fast.rms_norm(wide, self._post_norm, spec.norm_eps)
        return out if self._output_scale is None else out * self._output_scale
