"""Mamba in plain MLX operations, token by token; every backend uses it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import mlx.core as mx

from mlxr.metal.plain_recurrence import PlainRecurrence
from mlxr.metal.reference.recurrence import convolved
from mlxr.metal.specs import Mamba1Spec
from mlxr.metal.weights import Mamba1Weights

if TYPE_CHECKING:
    from mlxr.metal.backend import Backend
    from mlxr.metal.operations import RowOperation


def mamba1(backend: Backend, weights: Mamba1Weights, spec: Mamba1Spec) -> PlainRecurrence:
    parameters, step = backend.linear(weights.parameters), backend.linear(weights.step, weights.step_bias)
    return PlainRecurrence(
        weights.norm,
        spec.norm_eps,
        backend.linear(weights.input, weights.input_bias),
        partial(_advance, weights, spec, parameters, step),
        spec.cache(0).state_size or 0,
        weights.output,
        weights.output_bias,
    )


def _advance(
    weights: Mamba1Weights,
    spec: Mamba1Spec,
    parameters: RowOperation,
    step: RowOperation,
    inputs: mx.array,
    states: mx.array,
) -> tuple[mx.array, mx.array]:
    count, length, _ = inputs.shape
    rows, gate = mx.split(inputs, 2, axis=-1)
    seen = mx.concatenate([states[:, : spec.history].reshape(count, -1, spec.inner), rows], axis=1)
    mixed = convolved(seen, weights.convolution, weights.convolution_bias)
    mixed = mixed * mx.sigmoid(mixed)
    made = parameters(mixed.reshape(count * length, -1))
    low, writes, reads = mx.split(made, [spec.step_rank, spec.step_rank + spec.state_size], axis=-1)
    if spec.inner_eps is not None:
        low = mx.fast.rms_norm(low, weights.step_norm, spec.inner_eps)
        writes = mx.fast.rms_norm(writes, weights.write_norm, spec.inner_eps)
        reads = mx.fast.rms_norm(reads, weights.read_norm, spec.inner_eps)
    steps = mx.logaddexp(step(low), 0.0).reshape(count, length, -1)
    writes, reads = (part.reshape(count, length, 1, -1) for part in (writes, reads))
    scaled = (steps * mixed)[..., None]
    decay = weights.decay.reshape(spec.inner, spec.state_size)
    state = states[:, spec.history :].reshape(count, spec.inner, spec.state_size)
    outs = []
    for token in range(length):
        state = mx.exp(steps[:, token, :, None] * decay) * state + scaled[:, token] * writes[:, token]
        outs.append((state * reads[:, token]).sum(axis=-1))
    out = (mx.stack(outs, axis=1) + weights.skip * mixed) * (gate * mx.sigmoid(gate))
    last = seen[:, length:].reshape(count, -1)
    return out, mx.concatenate([last, state.reshape(count, -1)], axis=1)
