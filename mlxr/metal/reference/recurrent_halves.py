"""The half of a layer that keeps a state: norm, projections and residual around a recurrence."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.operations import MixerOperation
from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.pool import Pool
from mlxr.metal.reference import gated_delta_net, recurrence, states
from mlxr.metal.reference.rows import linear, norm_rows
from mlxr.metal.reference.step import Step
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec, ShortConvSpec
from mlxr.metal.weights import GatedDeltaNetWeights, Mamba2Weights, ShortConvWeights


def short_conv_half(
    weights: ShortConvWeights, spec: ShortConvSpec, layer: int, x: mx.array, step: Step, pool: Pool | None
) -> mx.array:
    """``x`` float32 ``[T, features]`` to the same, the residual included; so in all of these."""
    if not step.batch.tokens:
        return x
    inputs = linear(norm_rows(x, weights.norm, spec.norm_eps), weights.input, weights.input_bias)
    out = recurrence.short_conv(inputs, weights, spec, layer, step.batch, pool)
    return x + norm_rows(linear(out, weights.output, weights.output_bias), weights.post_norm, spec.norm_eps)


def mamba2_half(
    weights: Mamba2Weights,
    spec: Mamba2Spec,
    layer: int,
    beside: MixerOperation | None,
    x: mx.array,
    step: Step,
    pool: Pool | None,
) -> mx.array:
    if not step.batch.tokens:
        return x
    inputs = linear(norm_rows(x, weights.norm, spec.norm_eps), weights.input, weights.input_bias)
    out = recurrence.mamba2(inputs, weights, spec, layer, step.batch, pool)
    return (x if beside is None else beside(x, step, pool)) + linear(out, weights.output, weights.output_bias)


def gated_delta_net_half(
    weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, layer: int, x: mx.array, step: Step, pool: Pool | None
) -> mx.array:
    if not step.batch.tokens:
        return x
    out = gated_delta_net.mixed(weights, spec, layer, norm_rows(x, weights.norm, spec.norm_eps), step.batch, pool)
    return x + linear(out, weights.output)


def plain_half(half: PlainRecurrence, layer: int, x: mx.array, step: Step, pool: Pool | None) -> mx.array:
    if not step.batch.tokens:
        return x
    rows, outs = half.project(norm_rows(x, half.norm, half.norm_eps)), []
    for one in states.sequence_states(step.batch, pool, layer, half.size):
        out, after = half.advance(rows[one.begin : one.end][None], one.state[None])
        outs.append(out[0])
        one.state = after[0]
    return x + linear(mx.concatenate(outs), half.output, half.output_bias)
