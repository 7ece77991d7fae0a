"""The settings and weights of a layer's halves as the native module takes them."""

from __future__ import annotations

from mlxr.metal.cpu import _native
from mlxr.metal.specs import (
    AttentionSpec,
    ExpertsSpec,
    FeedForwardSpec,
    Gate,
    GatedDeltaNetSpec,
    LatentSpec,
    Mamba2Spec,
    NormKind,
    PerLayerEmbeddingSpec,
    PerLayerInputSpec,
    ShortConvSpec,
    Temperature,
)
from mlxr.metal.weights import (
    AttentionWeights,
    ExpertsWeights,
    GatedDeltaNetWeights,
    LatentWeights,
    Mamba2Weights,
    MLPWeights,
    PerLayerEmbeddingWeights,
    PerLayerInputWeights,
    ShortConvWeights,
)


def attention_layer(
    weights: AttentionWeights, spec: AttentionSpec, rope: _native.Rope | None
) -> _native.AttentionLayer:
    temperature = spec.temperature or Temperature(0.0, 0)
    return _native.AttentionLayer(
        query=weights.query.handle,
        key=None if weights.key is None else weights.key.handle,
        value=None if weights.value is None else weights.value.handle,
        output=weights.output.handle,
        gate=None if weights.gate is None else weights.gate.handle,
        head_gates=spec.head_gates,
        softplus=spec.gate is Gate.SOFTPLUS,
        norm=weights.norm,
        norm_bias=weights.norm_bias,
        centred=spec.norm is NormKind.LAYER,
        query_norm=weights.query_norm,
        key_norm=weights.key_norm,
        post_norm=weights.post_norm,
        query_bias=weights.query_bias,
        key_bias=weights.key_bias,
        value_bias=weights.value_bias,
        output_bias=weights.output_bias,
        sinks=weights.sinks,
        heads=spec.heads,
        kv_heads=spec.kv_heads,
        head_dim=spec.head_dim,
        window=spec.window,
        causal=spec.causal,
        norm_values=spec.norm_values,
        chunked=spec.chunked,
        kv_layer=-1 if spec.kv_layer is None else spec.kv_layer,
        rope=rope,
        rope_first=spec.rope_first,
        temperature=temperature.scale,
        temperature_length=temperature.length,
        temperature_offset=temperature.offset,
        scale=spec.scale,
        norm_eps=spec.norm_eps,
        softcap=spec.softcap,
        alibi=list(spec.alibi),
    )


def latent_layer(weights: LatentWeights, spec: LatentSpec, rope: _native.Rope | None) -> _native.LatentLayer:
    temperature = spec.temperature or Temperature(0.0, 0)
    return _native.LatentLayer(
        query_down=None if weights.query_down is None else weights.query_down.handle,
        query=weights.query.handle,
        latent=weights.latent.handle,
        key_up=weights.key_up.handle,
        value_up=weights.value_up.handle,
        output=weights.output.handle,
        norm=weights.norm,
        query_norm=weights.query_norm,
        latent_norm=weights.latent_norm,
        heads=spec.heads,
        rank=spec.rank,
        plain_dims=spec.plain_dims,
        rope_dims=spec.rope_dims,
        value_dims=spec.value_dims,
        rope=rope,
        scale=spec.scale,
        norm_eps=spec.norm_eps,
        latent_eps=spec.latent_eps,
        temperature=temperature.scale,
        temperature_length=temperature.length,
        temperature_offset=temperature.offset,
    )


def short_conv_layer(weights: ShortConvWeights, spec: ShortConvSpec) -> _native.ShortConvLayer:
    return _native.ShortConvLayer(
        input=weights.input.handle,
        output=weights.output.handle,
        convolution=weights.convolution,
        norm=weights.norm,
        input_bias=weights.input_bias,
        convolution_bias=weights.convolution_bias,
        output_bias=weights.output_bias,
        post_norm=weights.post_norm,
        taps=spec.taps,
        norm_eps=spec.norm_eps,
    )


def mamba2_layer(weights: Mamba2Weights, spec: Mamba2Spec, kept: bool) -> _native.Mamba2Layer:
    """``kept``: as in ``mlp_layer``."""
    least, most = spec.step_limits
    return _native.Mamba2Layer(
        input=weights.input.handle,
        output=weights.output.handle,
        convolution=weights.convolution,
        decay=weights.decay,
        skip=weights.skip,
        step_bias=weights.step_bias,
        norm=weights.norm,
        gate_norm=weights.gate_norm,
        input_bias=weights.input_bias,
        convolution_bias=weights.convolution_bias,
        output_bias=weights.output_bias,
        heads=spec.heads,
        head_dim=spec.head_dim,
        groups=spec.groups,
        state_size=spec.state_size,
        taps=spec.taps,
        gate_eps=spec.gate_eps,
        gate_scale=spec.gate_scale,
        output_scale=spec.output_scale,
        least_step=least,
        most_step=most,
        norm_eps=spec.norm_eps,
        kept=kept,
    )


def gated_delta_net_layer(weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec) -> _native.GatedDeltaNetLayer:
    return _native.GatedDeltaNetLayer(
        query_key_value=weights.query_key_value.handle,
        gate=weights.gate.handle,
        alpha=weights.alpha.handle,
        beta=weights.beta.handle,
        output=weights.output.handle,
        convolution=weights.convolution,
        decay=weights.decay,
        alpha_bias=weights.alpha_bias,
        head_norm=weights.head_norm,
        norm=weights.norm,
        key_heads=spec.key_heads,
        value_heads=spec.value_heads,
        key_dim=spec.key_dim,
        value_dim=spec.value_dim,
        taps=spec.taps,
        tiled=spec.tiled,
        norm_eps=spec.norm_eps,
    )


def mlp_layer(weights: MLPWeights, spec: FeedForwardSpec, layer: int | None, kept: bool) -> _native.MlpLayer:
    """``kept``: computed from the rows that were kept last, and added to those that it is given."""
    return _native.MlpLayer(
        up=weights.up.handle,
        down=weights.down.handle,
        gate=None if weights.gate is None else weights.gate.handle,
        norm=weights.norm,
        norm_bias=weights.norm_bias,
        centred=spec.norm is NormKind.LAYER,
        post_norm=weights.post_norm,
        up_bias=weights.up_bias,
        gate_bias=weights.gate_bias,
        down_bias=weights.down_bias,
        output_scale=weights.output_scale,
        activation=spec.activation.value,
        norm_eps=spec.norm_eps,
        kept=kept,
        layer=-1 if layer is None else layer,
    )


def experts_layer(weights: ExpertsWeights, spec: ExpertsSpec, kept: bool) -> _native.ExpertsLayer:
    """``kept``: as in ``mlp_layer``."""
    shared = weights.shared
    return _native.ExpertsLayer(
        router=weights.router.handle,
        up=weights.up.handle,
        down=weights.down.handle,
        gate=None if weights.gate is None else weights.gate.handle,
        latent_down=None if weights.latent_down is None else weights.latent_down.handle,
        latent_up=None if weights.latent_up is None else weights.latent_up.handle,
        shared_gate=None if shared is None or shared.gate is None else shared.gate.handle,
        shared_up=None if shared is None else shared.up.handle,
        shared_down=None if shared is None else shared.down.handle,
        shared_router=None if weights.shared_router is None else weights.shared_router.handle,
        norm=weights.norm,
        norm_bias=weights.norm_bias,
        centred=spec.norm is NormKind.LAYER,
        router_bias=weights.router_bias,
        choice_bias=weights.choice_bias,
        gate_bias=weights.gate_bias,
        up_bias=weights.up_bias,
        down_bias=weights.down_bias,
        router_norm=weights.router_norm,
        shared_norm=None if shared is None else shared.norm,
        expert_scale=weights.expert_scale,
        shared_post_norm=None if shared is None else shared.post_norm,
        mixture_post_norm=weights.mixture_post_norm,
        post_norm=weights.post_norm,
        output_scale=weights.output_scale,
        experts=spec.experts,
        used=spec.used,
        sigmoid=spec.sigmoid,
        normalized=spec.normalized,
        scale=spec.scale,
        groups=spec.groups,
        used_groups=spec.used_groups,
        group_best=spec.group_best,
        weighs_inputs=spec.weighs_inputs,
        activation=spec.activation.value,
        norm_eps=spec.norm_eps,
        kept=kept,
    )


def per_layer_embedding(weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec) -> _native.PerLayerEmbedding:
    return _native.PerLayerEmbedding(
        table=weights.table.handle,
        projection=weights.projection.handle,
        norm=weights.norm * spec.scale,
        # As if what is normed were scaled first.
        norm_eps=spec.norm_eps / spec.projection_scale**2,
        table_scale=spec.table_scale * spec.scale,
    )


def per_layer_input(weights: PerLayerInputWeights, spec: PerLayerInputSpec, layer: int) -> _native.PerLayerInput:
    return _native.PerLayerInput(
        gate=weights.gate.handle,
        output=weights.output.handle,
        post_norm=weights.post_norm,
        output_scale=weights.output_scale,
        activation=spec.activation.value,
        norm_eps=spec.norm_eps,
        layer=layer,
    )
