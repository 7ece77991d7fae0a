"""Second halves of layers as a step calls them, and whether a whole layer is one for the kernel of dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx

from mlxr.metal.mlx.attention import Attention
from mlxr.metal.mlx.dense_layers import DenseLayer, dense_layer
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.experts import Experts
from mlxr.metal.mlx.feed_forward import FeedForward
from mlxr.metal.mlx.run_ahead import RunAhead
from mlxr.metal.mlx.steps import Step
from mlxr.metal.operations import FeedForwardOperation, MixerOperation
from mlxr.metal.reference import adapters


@dataclass(frozen=True, slots=True)
class Half:
    """Computes ``prepared``, and has ``run_ahead`` know of it."""

    prepared: FeedForward | Experts
    run_ahead: RunAhead

    def __call__(
        self,
        x: mx.array,
        step: Step | None = None,
        residual: mx.array | None = None,
        routed: Sequence[mx.array] | None = None,
    ) -> mx.array:
        """``residual``: what the result is added to, where that is not ``x``. ``routed``: as a mixture takes it."""
        own, base = adapters.NO_ADAPTERS if step is None else step.adapters, x if residual is None else residual
        half = self.prepared
        out = half(x, base, routed) if isinstance(half, Experts) else half(x, base, own)
        self.run_ahead.add(out)
        return out


def dense_of(mix: MixerOperation | None, half: FeedForwardOperation | None, ways: Ways) -> DenseLayer | None:
    """Returns a layer as the kernel for whole ones takes it, a mixture's as far as its choice of experts; None where it
    does not."""
    if not isinstance(mix, Attention) or not isinstance(half, Half):
        return None
    if isinstance(half.prepared, FeedForward):
        return dense_layer(mix, half.prepared) if ways.dense_layers else None
    return dense_layer(mix, None, half.prepared.router) if ways.attention_halves else None
