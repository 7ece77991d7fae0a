"""The operations of a model's layers on C++ kernels, prepared at load: what a layer has is handed to the native module
once, and a step calls it by that."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from mlxr.metal.cpu import _native, plain
from mlxr.metal.cpu.layers import (
    attention_layer,
    experts_layer,
    gated_delta_net_layer,
    latent_layer,
    mamba2_layer,
    mlp_layer,
    per_layer_embedding,
    per_layer_input,
    short_conv_layer,
)
from mlxr.metal.cpu.pages import native_pool, pages_of
from mlxr.metal.cpu.step import Step
from mlxr.metal.operations import (
    EmbeddingOperation,
    FeedForwardOperation,
    HeadOperation,
    MixerOperation,
    PerLayerEmbeddingOperation,
    PerLayerInputOperation,
    RowOperation,
)
from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.pool import Pool
from mlxr.metal.reference.sparse_mlp import SparseMLP
from mlxr.metal.specs import (
    AttentionSpec,
    ExpertsSpec,
    FeedForwardSpec,
    GatedDeltaNetSpec,
    LatentSpec,
    Mamba2Spec,
    MLPSpec,
    NormKind,
    PerLayerEmbeddingSpec,
    PerLayerInputSpec,
    Rope,
    RopeStyle,
    ShortConvSpec,
)
from mlxr.metal.weights import (
    AttentionWeights,
    ExpertsWeights,
    FeedForwardWeights,
    GatedDeltaNetWeights,
    LatentWeights,
    Mamba2Weights,
    MLPWeights,
    PerLayerEmbeddingWeights,
    PerLayerInputWeights,
    ShortConvWeights,
    Weight,
)


class LayerOperations:
    """Prepares operations; the half of ``CpuBackend`` that knows nothing of pools, steps and sampling. Owns the native
    forms of ropes."""

    def __init__(self, engine: _native.Engine) -> None:
        self._engine = engine
        self._ropes: dict[Rope, _native.Rope] = {}

    def embedding(self, table: Weight, scale: float = 1.0) -> EmbeddingOperation:
        return lambda tokens: _native.embed(self._engine, tokens, table.handle, scale)

    def linear(self, weight: Weight, bias: mx.array | None = None) -> RowOperation:
        return partial(_native.linear, self._engine, linear=_native.Linear(matrix=weight.handle, bias=bias))

    def rms_norm(self, weight: mx.array, eps: float) -> RowOperation:
        return partial(_native.norm, self._engine, norm=_native.Norm(weight=weight, bias=None, centred=False, eps=eps))

    def layer_norm(self, weight: mx.array, bias: mx.array | None, eps: float) -> RowOperation:
        norm = _native.Norm(weight=weight, bias=bias, centred=True, eps=eps)
        return partial(_native.norm, self._engine, norm=norm)

    def attention(self, weights: AttentionWeights, spec: AttentionSpec, layer: int) -> MixerOperation:
        native = attention_layer(weights, spec, self._rope(spec.rope))

        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            pages = native_pool(pool) if pool is not None and spec.causal else None
            return _native.attention(self._engine, x, native, step.native, pages, layer)

        return attend

    def latent_attention(self, weights: LatentWeights, spec: LatentSpec, layer: int) -> MixerOperation:
        native = latent_layer(weights, spec, self._rope(spec.rope))

        def attend(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            pages = None if pool is None else pool.layers[layer]
            return _native.latent_attention(self._engine, x, native, step.native, pages, layer)

        return attend

    def short_conv(self, weights: ShortConvWeights, spec: ShortConvSpec, layer: int) -> MixerOperation:
        native = short_conv_layer(weights, spec)
        return lambda x, step, pool: _native.short_conv(
            self._engine, x, native, step.native, pages_of(pool, layer), layer
        )

    def mamba2(
        self, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, beside: MixerOperation | None = None
    ) -> MixerOperation:
        native = mamba2_layer(weights, spec, kept=beside is not None)

        def run(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            rows = x if beside is None else beside(_native.keep(self._engine, x), step, pool)
            return _native.mamba2(self._engine, rows, native, step.native, pages_of(pool, layer), layer)

        return run

    def gated_delta_net(self, weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int) -> MixerOperation:
        native = gated_delta_net_layer(weights, spec)
        return lambda x, step, pool: _native.gated_delta_net(
            self._engine, x, native, step.native, pages_of(pool, layer), layer
        )

    def plain_recurrence(self, half: PlainRecurrence, layer: int) -> MixerOperation:
        norm = self.rms_norm(half.norm, half.norm_eps)
        output = self.linear(half.output, half.output_bias)

        def mix(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            if not step.batch.tokens:
                return x
            if pool is not None:
                mx.eval(
                    _native.barrier(self._engine, native_pool(pool))
                )  # pages that are to be copied are, before they are read here
            return plain.mixed(half, norm, output, layer, x, step.batch, pool)

        return mix

    def feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> FeedForwardOperation:
        if isinstance(spec, MLPSpec) and isinstance(weights, MLPWeights) and spec.sparsity is not None:
            return SparseMLP(self.linear, weights, spec)
        return self._feed_forward(weights, spec, layer, kept=False)

    def parallel(
        self, mix: MixerOperation, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None = None
    ) -> MixerOperation:
        feed_forward = self._feed_forward(weights, spec, layer, kept=True)

        def run(x: mx.array, step: Step, pool: Pool | None) -> mx.array:
            return feed_forward(mix(_native.keep(self._engine, x), step, pool), step)

        return run

    def _feed_forward(
        self, weights: FeedForwardWeights, spec: FeedForwardSpec, layer: int | None, kept: bool
    ) -> FeedForwardOperation:
        """``kept``: computed from the rows that were kept last, and added to those that it is given."""
        if isinstance(weights, ExpertsWeights):
            assert isinstance(spec, ExpertsSpec)
            return self._experts(weights, spec, kept)
        native = mlp_layer(weights, spec, layer, kept)

        def run(x: mx.array, step: Step | None = None) -> mx.array:
            return _native.mlp(self._engine, x, native, None if step is None else step.native)

        return run

    def _experts(self, weights: ExpertsWeights, spec: ExpertsSpec, kept: bool) -> FeedForwardOperation:
        native = experts_layer(weights, spec, kept)
        return lambda x, step=None: _native.experts(self._engine, x, native)

    def per_layer_embedding(
        self, weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec
    ) -> PerLayerEmbeddingOperation:
        native = per_layer_embedding(weights, spec)
        return lambda tokens, x: (_native.per_layer_embedding(self._engine, x, tokens, native), None)

    def per_layer_input(
        self, weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int
    ) -> PerLayerInputOperation:
        """The inputs lie in the engine's memory: ``x`` must be computed from what their operation returned."""
        native = per_layer_input(weights, spec, layer)
        return lambda x, inputs: _native.per_layer_input(self._engine, x, native)

    def head(
        self,
        matrix: Weight,
        norm: mx.array,
        norm_eps: float,
        softcap: float = 0.0,
        *,
        kind: NormKind = NormKind.RMS,
        norm_bias: mx.array | None = None,
        bias: mx.array | None = None,
    ) -> HeadOperation:
        native = _native.Head(
            matrix=matrix.handle,
            norm=norm,
            norm_bias=norm_bias,
            centred=kind is NormKind.LAYER,
            norm_eps=norm_eps,
            bias=bias,
            softcap=softcap,
        )
        return partial(_native.logits, self._engine, head=native)

    def _rope(self, rope: Rope | None) -> _native.Rope | None:
        """Returns one native object for all layers of a rope, since a step makes a table of angles for each object."""
        if rope is None:
            return None
        if rope not in self._ropes:
            neighbours = rope.style is RopeStyle.NORMAL
            self._ropes[rope] = _native.Rope(neighbours, list(rope.inverse_frequencies), rope.magnitude)
        return self._ropes[rope]
