"""The gated delta rule in plain MLX operations, token by token (the formula: ``GatedDeltaNetSpec``)."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool
from mlxr.metal.reference.products import multiplied
from mlxr.metal.reference.recurrence import convolved
from mlxr.metal.reference.states import SequenceState, sequence_states
from mlxr.metal.specs import GatedDeltaNetSpec
from mlxr.metal.weights import GatedDeltaNetWeights

LENGTH_EPS = 1e-6
"""What is added to the square of a query's or key's length."""


def mixed(
    weights: GatedDeltaNetWeights,
    spec: GatedDeltaNetSpec,
    layer: int,
    normed: mx.array,
    batch: Batch,
    pool: Pool | None,
) -> mx.array:
    """Returns what the heads give for ``normed`` ``[T, width]``, normed and gated: ``[T, values]``."""
    inputs, gate, alpha, beta = (
        multiplied(normed, weight) for weight in (weights.query_key_value, weights.gate, weights.alpha, weights.beta)
    )
    decay = mx.exp(weights.decay * mx.logaddexp(alpha + weights.alpha_bias, mx.array(0.0)))
    outs = [
        _sequence(weights, spec, inputs, decay, mx.sigmoid(beta), one)
        for one in sequence_states(batch, pool, layer, spec.state_size)
    ]
    heads = mx.fast.rms_norm(mx.concatenate(outs), weights.head_norm, spec.norm_eps)
    gated: mx.array = heads.reshape(gate.shape) * gate * mx.sigmoid(gate)
    return gated


def _sequence(
    weights: GatedDeltaNetWeights,
    spec: GatedDeltaNetSpec,
    inputs: mx.array,
    decay: mx.array,
    beta: mx.array,
    one: SequenceState,
) -> mx.array:
    """What the heads give for a sequence's rows, ``[L, value_heads, value_dim]``; its state goes on."""
    rows, length = slice(one.begin, one.end), one.end - one.begin
    seen = mx.concatenate([one.state[: spec.history].reshape(-1, spec.channels), inputs[rows]])
    mixed = convolved(seen, weights.convolution, None)
    mixed = mixed * mx.sigmoid(mixed)
    query, key, value = mx.split(mixed, [spec.keys, 2 * spec.keys], axis=-1)
    query, key = (of_value_heads(unit(part.reshape(length, -1, spec.key_dim)), spec) for part in (query, key))
    query, value = query * spec.key_dim**-0.5, value.reshape(length, -1, spec.value_dim)
    heads = one.state[spec.history :].reshape(spec.value_heads, spec.key_dim, spec.value_dim)
    outs: list[mx.array] = []
    for token, at in enumerate(range(one.begin, one.end)):
        heads = heads * decay[at][:, None, None]
        read = mx.sum(key[token][:, :, None] * heads, axis=1)
        change = beta[at][:, None] * (value[token] - read)
        heads = heads + key[token][:, :, None] * change[:, None, :]
        outs.append(mx.sum(query[token][:, :, None] * heads, axis=1))
    one.state = mx.concatenate([seen[length:].reshape(-1), heads.reshape(-1)])
    return mx.stack(outs)


def unit(x: mx.array) -> mx.array:
    """Divides what is along the last axis by its length."""
    return x * mx.rsqrt(mx.sum(x * x, axis=-1, keepdims=True) + LENGTH_EPS)


def of_value_heads(x: mx.array, spec: GatedDeltaNetSpec) -> mx.array:
    """Repeats each key head of ``x`` ``[..., key_heads, key_dim]`` for the value heads that read by it, in their
    order."""
    times = spec.value_heads // spec.key_heads
    return mx.concatenate([x] * times, axis=-2) if spec.tiled else mx.repeat(x, times, axis=-2)
