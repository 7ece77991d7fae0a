"""The feed-forward half of a layer."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx

from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import HEADROOM, Elementwise
from mlxr.metal.mlx.few_row_matmul import FewRows, Norm, fits_gates
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.norms import normed
from mlxr.metal.mlx.products import Projections, SplitProduct
from mlxr.metal.reference.adapters import NO_ADAPTERS, StepAdapters
from mlxr.metal.specs import Activation, MLPSpec, NormKind
from mlxr.metal.weights import MLPWeights


class FeedForward:
    """One layer's, prepared.

    ``few``: the two products of a gated half for few rows, where kernels of our own take them; ``norm``: its RMS norm.
    """

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
        rms = ways.few_rows and weights.norm is not None and spec.norm is NormKind.RMS
        self.norm = Norm(weights.norm, spec.norm_eps) if rms and weights.norm is not None else None
        self.few = self._of_few_rows()

    def __call__(self, x: mx.array, residual: mx.array, adapters: StepAdapters = NO_ADAPTERS) -> mx.array:
        """``x`` float32 ``[T, features]``; ``residual``, of the same shape, is what the result is added to."""
        if not x.shape[0]:
            return residual
        spec = self._spec
        if self.few is not None and self.few[0].takes(x.shape[0]) and not adapters:
            return self._added(residual, *self.few, x)
        if self.norm is not None:
            inputs = self.norm(x)
        else:
            inputs = normed(x, self._norm, spec.norm_eps, spec.norm, self._norm_bias).astype(HALF)
        outs = zip(self._inputs(inputs), self._roles, strict=True)
        hidden = self._hidden(*(adapters.added(out, inputs, self._layer, role) for out, role in outs))
        out = adapters.added(self._down(hidden), hidden, self._layer, "down")
        if self._post_norm is None:
            return self._scaled(self._elementwise.add_down(residual, out))
        return self._post_normed(residual, out.astype(mx.float32) * HEADROOM)

    @property
    def ends_plainly(self) -> bool:
        """Whether nothing stands behind its last product but the residual."""
        return self._post_norm is None and self._output_scale is None

    @property
    def activation(self) -> Activation:
        return self._spec.activation

    def _added(self, residual: mx.array, gates: FewRows, down: FewRows, x: mx.array) -> mx.array:
        hidden = gates.gated(x, self._spec.activation, down.layout)
        if self._post_norm is None:
            return self._scaled(down.added(hidden, residual, down.layout))
        return self._post_normed(residual, down.plain(hidden, "float32", down.layout))

    def _post_normed(self, residual: mx.array, out: mx.array) -> mx.array:
        return self._scaled(residual + mx.fast.rms_norm(out, self._post_norm, self._spec.norm_eps))

    def _scaled(self, out: mx.array) -> mx.array:
        return out if self._output_scale is None else out * self._output_scale

    def _of_few_rows(self) -> tuple[FewRows, FewRows] | None:
        """The two products of a gated half for few rows, where a kernel of our own takes both."""
        if self.norm is None:
            return None
        if len(self._roles) != 2 or len(self._inputs.products) != 1:
            return None
        gates, down = self._inputs.products[0], self._down
        if gates.codes is None or down.codes is None or not fits_gates(gates.codes):
            return None
        return FewRows(gates.codes, gates.bias, self.norm, 1 / HEADROOM), FewRows(down.codes, down.bias, gain=HEADROOM)
