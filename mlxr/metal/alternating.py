"""Alternating updates (Baykal et al. 2023) and what Gemma 3n has with them: plain MLX operations around the products,
lookups and halves that any backend has prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx

from mlxr.metal.specs import AlternatingSpec
from mlxr.metal.weights import AlternatingLayerWeights, AlternatingWeights

if TYPE_CHECKING:
    from mlxr.metal.backend import Backend
    from mlxr.metal.operations import DeviceBatch, FeedForwardOperation, MixerOperation
    from mlxr.metal.pool import Pool

LEAST_SQUARES = 1e-5
"""What the mean square of a projected stream is taken for at least."""


class AlternatingStreams:
    """What goes before and behind the layers, prepared."""

    def __init__(self, backend: Backend, weights: AlternatingWeights, spec: AlternatingSpec) -> None:
        self._spec, further = spec, spec.per_layer
        self._up = [backend.linear(weight) for weight in weights.projections]
        self._down = [backend.linear(weight) for weight in weights.unprojections]
        self._known = weights.per_layer.table.shape[0]
        self._own = backend.embedding(weights.per_layer.table, further.table_scale * further.scale)
        self._project = backend.linear(weights.per_layer.projection)
        self._norm = weights.per_layer.norm * further.scale

    def spread(self, tokens: mx.array, x: mx.array) -> tuple[mx.array, mx.array]:
        """Returns the streams ``[T, streams, width]`` that begin with embeddings ``x`` ``[T, width]``, and the further
        inputs of all layers, ``[T, layers, size]``."""
        streams = mx.stack([x, *(_as_large(project(x), x) for project in self._up)], axis=1)
        further = self._spec.per_layer
        shape = (-1, further.layers, further.size)
        projected = self._project(x * further.projection_scale).reshape(shape)
        own = self._own(mx.where((tokens >= 0) & (tokens < self._known), tokens, 0)).reshape(shape)
        return streams, mx.fast.rms_norm(projected, self._norm, further.norm_eps) + own

    def joined(self, streams: mx.array) -> mx.array:
        """Returns hidden states ``[T, width]``."""
        first = streams[:, 0]
        others = [_as_large(project(streams[:, 1 + at]), first) for at, project in enumerate(self._down)]
        return mx.mean(mx.stack([first, *others], axis=1), axis=1)


class AlternatingLayer:
    """One layer, prepared: it computes the active stream by its halves and corrects what it predicted of all."""

    def __init__(
        self,
        backend: Backend,
        weights: AlternatingLayerWeights,
        spec: AlternatingSpec,
        halves: tuple[MixerOperation, FeedForwardOperation],
        number: int,
    ) -> None:
        self._spec, self._number, self._weights = spec, number, weights
        self._mix, self._feed_forward = halves
        self._route, self._predict, self._correct = map(
            backend.linear, (weights.router, weights.prediction, weights.correction)
        )
        self._left, self._right = backend.linear(weights.laurel_left), backend.linear(weights.laurel_right)
        self._gate, self._output = backend.linear(weights.per_layer.gate), backend.linear(weights.per_layer.output)

    def __call__(self, streams: mx.array, inputs: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        """``streams`` float32 ``[T, streams, width]`` to the same; ``inputs`` as ``spread`` gave them."""
        if not streams.shape[0]:
            return streams
        spec, weights = self._spec, self._weights
        count, active = spec.streams, spec.active
        routed = self._routed(streams[:, active])
        coefficients = self._predict(routed).reshape(-1, count, count)
        predicted = streams + mx.sum(coefficients[..., None] * streams[:, None], axis=2)
        x = predicted[:, active]
        normed = mx.fast.rms_norm(x, weights.attention_norm, spec.norm_eps)
        low_rank = mx.fast.rms_norm(self._right(self._left(normed)), weights.laurel_norm, spec.norm_eps)
        x = (self._mix(x, batch, pool) + normed + low_rank) * 0.5**0.5
        x = self._feed_forward(x, batch)
        innovation = x - predicted[:, active]
        corrected = predicted + innovation[:, None] * (self._correct(self._routed(x)) + 1)[..., None]
        added = corrected[:, active]
        if weights.correction_scale is not None:
            added = added * weights.correction_scale
        hidden = _gelu_tanh(self._gate(added)) * inputs[:, self._number]
        added = mx.fast.rms_norm(self._output(hidden), weights.per_layer.post_norm, spec.norm_eps)
        return mx.concatenate([corrected[:, :1], corrected[:, 1:] + added[:, None]], axis=1)

    def _routed(self, x: mx.array) -> mx.array:
        normed = mx.fast.rms_norm(x, self._weights.router_norm, self._spec.norm_eps)
        return mx.tanh(self._route(normed * (1 / x.shape[-1])))


def _as_large(x: mx.array, other: mx.array) -> mx.array:
    """Returns ``x`` with the root mean square of ``other``, row by row."""
    wanted = mx.sqrt(mx.mean(mx.square(other), axis=-1, keepdims=True))
    found = mx.maximum(mx.mean(mx.square(x), axis=-1, keepdims=True), LEAST_SQUARES)
    return x * wanted * mx.rsqrt(found)


def _gelu_tanh(x: mx.array) -> mx.array:
    return 0.5 * x * (1 + mx.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))
