"""Kimi's delta rule in plain MLX operations, token by token; every backend uses it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import mlx.core as mx

from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.reference.gated_delta_net import unit
from mlxr.metal.reference.recurrence import convolved
from mlxr.metal.specs import KimiDeltaSpec
from mlxr.metal.weights import KimiDeltaWeights

if TYPE_CHECKING:
    from mlxr.metal.backend import Backend


def kimi_delta(backend: Backend, weights: KimiDeltaWeights, spec: KimiDeltaSpec) -> PlainRecurrence:
    direct = [backend.linear(weight) for weight in (weights.query, weights.key, weights.value, weights.beta)]
    pairs = [
        (backend.linear(down), backend.linear(up))
        for down, up in ((weights.alpha_down, weights.alpha_up), (weights.gate_down, weights.gate_up))
    ]

    def project(rows: mx.array) -> mx.array:
        parts = [*(linear(rows) for linear in direct), *(up(down(rows)) for down, up in pairs)]
        return mx.concatenate([part.astype(mx.float32) for part in parts], axis=-1)

    return PlainRecurrence(
        weights.norm,
        spec.norm_eps,
        project,
        partial(_advance, weights, spec, mx.concatenate(list(weights.convolutions))),
        spec.cache(0).state_size or 0,
        weights.output,
    )


def _advance(
    weights: KimiDeltaWeights, spec: KimiDeltaSpec, convolution: mx.array, inputs: mx.array, states: mx.array
) -> tuple[mx.array, mx.array]:
    count, length, _ = inputs.shape
    channels = 3 * spec.values
    ends = [channels, channels + spec.heads, channels + spec.heads + spec.values]
    rows, beta, alpha, gate = mx.split(inputs, ends, axis=-1)
    seen = mx.concatenate([states[:, : spec.history].reshape(count, -1, channels), rows], axis=1)
    mixed = convolved(seen, convolution, None)
    mixed = (mixed * mx.sigmoid(mixed)).reshape(count, length, 3, spec.heads, spec.head_dim)
    query, key, value = unit(mixed[:, :, 0]) * spec.head_dim**-0.5, unit(mixed[:, :, 1]), mixed[:, :, 2]
    left = mx.logaddexp(alpha + weights.alpha_bias, 0.0).reshape(count, length, spec.heads, spec.head_dim)
    left = mx.exp(weights.decay[:, None] * left)
    beta = mx.sigmoid(beta)[..., None]
    state = states[:, spec.history :].reshape(count, spec.heads, spec.head_dim, spec.head_dim)
    outs = []
    for token in range(length):
        own = key[:, token, :, :, None]
        state = left[:, token, :, :, None] * state
        change = beta[:, token] * (value[:, token] - (own * state).sum(axis=-2))
        state = state + own * change[..., None, :]
        outs.append((query[:, token, :, :, None] * state).sum(axis=-2))
    heads = mx.fast.rms_norm(mx.stack(outs, axis=1), weights.head_norm, spec.norm_eps)
    out = heads.reshape(count, length, -1) * mx.sigmoid(gate)
    last = seen[:, length:].reshape(count, -1)
    return out, mx.concatenate([last, state.reshape(count, -1)], axis=1)
