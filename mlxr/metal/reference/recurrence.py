"""Recurrent mixers, token by token: short convolutions and Mamba-2."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool
from mlxr.metal.reference.states import sequence_states
from mlxr.metal.specs import Mamba2Spec, ShortConvSpec
from mlxr.metal.weights import Mamba2Weights, ShortConvWeights


def short_conv(
    inputs: mx.array, weights: ShortConvWeights, spec: ShortConvSpec, layer: int, batch: Batch, pool: Pool | None
) -> mx.array:
    """``inputs`` ``[T, 3 * width]``; returns ``[T, width]``."""
    before, behind, values = mx.split(inputs, 3, axis=-1)
    rows, outs = before * values, []
    for one in sequence_states(batch, pool, layer, (spec.taps - 1) * spec.width):
        history = one.state.reshape(-1, spec.width)
        seen = mx.concatenate([history, rows[one.begin : one.end]])
        outs.append(convolved(seen, weights.convolution, weights.convolution_bias))
        one.state = seen[-len(history) :].reshape(-1)
    return behind * mx.concatenate(outs)


def mamba2(
    inputs: mx.array, weights: Mamba2Weights, spec: Mamba2Spec, layer: int, batch: Batch, pool: Pool | None
) -> mx.array:
    """``inputs`` ``[T, inner + channels + heads]``; returns ``[T, inner]``."""
    gate, rows, steps = mx.split(inputs, [spec.inner, spec.inner + spec.channels], axis=-1)
    steps = mx.clip(mx.logaddexp(steps + weights.step_bias, 0.0), *spec.step_limits)
    kept, outs = (spec.taps - 1) * spec.channels, []
    for one in sequence_states(batch, pool, layer, kept + spec.inner * spec.state_size):
        history, states = one.state[:kept].reshape(-1, spec.channels), one.state[kept:]
        seen = mx.concatenate([history, rows[one.begin : one.end]])
        mixed = convolved(seen, weights.convolution, weights.convolution_bias)
        mixed = mixed * mx.sigmoid(mixed)
        out, states = _scanned(mixed, steps[one.begin : one.end], states, weights, spec)
        outs.append(out)
        one.state = mx.concatenate([seen[-len(history) :].reshape(-1), states])
    return gated_norm(mx.concatenate(outs), gate, weights, spec)


def gated_norm(rows: mx.array, gate: mx.array, weights: Mamba2Weights, spec: Mamba2Spec) -> mx.array:
    """``rows * silu(gate)``, each group of its numbers normed by itself, times ``output_scale``: ``[T, inner]``."""
    gate = gate * spec.gate_scale
    gated = rows * gate * mx.sigmoid(gate)
    if weights.gate_norm is None:
        return gated * spec.output_scale
    normed = mx.fast.rms_norm(gated.reshape(len(gated), spec.groups, -1), None, spec.gate_eps)
    return normed.reshape(gated.shape) * (weights.gate_norm * spec.output_scale)


def convolved(seen: mx.array, taps: mx.array, bias: mx.array | None) -> mx.array:
    """Convolves each channel of ``seen`` ``[..., T + taps - 1, channels]`` by itself with its ``taps``, float32
    ``[channels * taps]``: ``[..., T, channels]``."""
    kernel = taps.reshape(seen.shape[-1], -1).T
    count = seen.shape[-2] - len(kernel) + 1
    out = sum(
        (seen[..., tap : tap + count, :] * kernel[tap] for tap in range(1, len(kernel))),
        seen[..., :count, :] * kernel[0],
    )
    return out if bias is None else out + bias


def _scanned(
    mixed: mx.array, steps: mx.array, state: mx.array, weights: Mamba2Weights, spec: Mamba2Spec
) -> tuple[mx.array, mx.array]:
    """What the heads give for x, B and C ``[L, channels]`` and time steps ``[L, heads]``, ``[L, inner]``, and the state
    then."""
    values, inputs, outputs = mx.split(mixed, [spec.inner, spec.inner + spec.groups * spec.state_size], axis=-1)
    values = values.reshape(-1, spec.heads, spec.head_dim)
    shared = spec.heads // spec.groups
    inputs, outputs = (
        mx.repeat(part.reshape(-1, spec.groups, spec.state_size), shared, axis=1) for part in (inputs, outputs)
    )
    states, outs = state.reshape(spec.heads, spec.state_size, spec.head_dim), []
    for value, read, write, step in zip(values, outputs, inputs, steps, strict=True):
        kept = mx.exp(step * weights.decay)[:, None, None] * states
        states = kept + write[:, :, None] * (value * step[:, None])[:, None]
        outs.append((read[:, None] @ states)[:, 0] + weights.skip[:, None] * value)
    return mx.stack(outs).reshape(len(outs), -1), states.reshape(-1)
