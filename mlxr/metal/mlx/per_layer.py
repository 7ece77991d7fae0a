"""Per-layer embeddings: what every layer adds of a token besides the hidden state."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import HEADROOM, Elementwise
from mlxr.metal.mlx.matrix_forms import HALF, rows_at
from mlxr.metal.mlx.products import SplitProduct
from mlxr.metal.specs import PerLayerEmbeddingSpec, PerLayerInputSpec
from mlxr.metal.weights import PerLayerEmbeddingWeights, PerLayerInputWeights


class PerLayerEmbedding:
    """The further inputs of all layers, prepared: float32 ``[T, layers, size]``."""

    def __init__(self, weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec, ways: Ways) -> None:
        self._spec, self._table = spec, weights.table
        self._projection = SplitProduct([weights.projection], None, ways)
        self._norm = weights.norm * spec.scale

    def __call__(self, tokens: mx.array, x: mx.array) -> tuple[mx.array, mx.array]:
        spec, shape = self._spec, (-1, self._spec.layers, self._spec.size)
        projected = self._projection((x * spec.projection_scale).astype(HALF)).astype(mx.float32)
        known = (tokens >= 0) & (tokens < self._table.shape[0])
        own = rows_at(self._table.handle.matrix, mx.where(known, tokens, 0)) * (spec.table_scale * spec.scale)
        return x, mx.fast.rms_norm(projected.reshape(shape), self._norm, spec.norm_eps) + own.reshape(shape)


class PerLayerInput:
    """How one layer adds its own, prepared."""

    def __init__(
        self, weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int, ways: Ways, elementwise: Elementwise
    ) -> None:
        self._layer, self._norm_eps, self._post_norm = layer, spec.norm_eps, weights.post_norm
        self._output_scale = weights.output_scale
        self._gate, self._output = (SplitProduct([matrix], None, ways) for matrix in (weights.gate, weights.output))
        self._hidden = elementwise.gate(spec.activation)

    def __call__(self, x: mx.array, inputs: mx.array) -> mx.array:
        """``x`` float32 ``[T, width]``, residual included."""
        if not x.shape[0]:
            return x
        hidden = self._hidden(self._gate(x.astype(HALF)), inputs[:, self._layer].astype(HALF))
        out = self._output(hidden).astype(mx.float32) * HEADROOM
        x = x + mx.fast.rms_norm(out, self._post_norm, self._norm_eps)
        return x if self._output_scale is None else x * self._output_scale
