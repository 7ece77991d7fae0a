"""The gated delta rule: a step of one token as it is written, prompts by 64 tokens as matrices (the formula:
``GatedDeltaNetSpec``). States and everything between the projections are float32."""

from __future__ import annotations

from functools import partial

import mlx.core as mx

from mlxr.metal.mlx import own_recurrence, recurrence_steps
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.matrix_forms import Codes, Floats, Matrix, dequantized
from mlxr.metal.mlx.products import Projections, same_layout
from mlxr.metal.mlx.recurrence import either
from mlxr.metal.plain_recurrence import Advance
from mlxr.metal.reference.gated_delta_net import of_value_heads, unit
from mlxr.metal.reference.recurrence import convolved
from mlxr.metal.specs import GatedDeltaNetSpec
from mlxr.metal.weights import GatedDeltaNetWeights

CHUNK = 64
"""Tokens that are multiplied as matrices, a power of 2; between chunks a prompt goes by the state."""


def projected(weights: GatedDeltaNetWeights, ways: Ways) -> Projections:
    """Returns the products with a layer's matrices of inputs. Alphas and betas, of which there are few, become floats
    where a kernel takes them together and the file has them in two types."""
    rates = weights.alpha, weights.beta
    if recurrence_steps.here(ways) and not same_layout(*rates):
        for weight in rates:
            matrix: Matrix = weight.handle.matrix
            weight.handle.matrix = Floats(dequantized(matrix)) if isinstance(matrix, Codes) else matrix
    inputs = weights.query_key_value, weights.gate, *rates
    return Projections(inputs, [None] * len(inputs), ways)


def gated_delta_net(weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, ways: Ways) -> Advance:
    """Inputs are what the projections make, side by side: queries, keys and values, gate, alpha, beta."""
    by_kernel = partial(own_recurrence.gated_delta_net, weights, spec) if own_recurrence.here(ways) else None
    return either(partial(_advance, weights, spec), by_kernel)


def _advance(
    weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, inputs: mx.array, states: mx.array
) -> tuple[mx.array, mx.array]:
    count, length, _ = inputs.shape
    ends = [spec.channels, spec.channels + spec.values, spec.channels + spec.values + spec.value_heads]
    rows, gate, alpha, beta = mx.split(inputs, ends, axis=-1)
    seen = mx.concatenate([states[:, : spec.history].reshape(count, -1, spec.channels), rows], axis=1)
    mixed = convolved(seen, weights.convolution, None)
    mixed = mixed * mx.sigmoid(mixed)
    query, key, value = mx.split(mixed, [spec.keys, 2 * spec.keys], axis=-1)
    query, key = (unit(part.reshape(count, length, -1, spec.key_dim)) for part in (query, key))
    # Heads before tokens from here on: [B, value_heads, L, ...].
    query, key = (of_value_heads(part, spec).swapaxes(1, 2) for part in (query * spec.key_dim**-0.5, key))
    value = value.reshape(count, length, -1, spec.value_dim).swapaxes(1, 2)
    decay = weights.decay * mx.logaddexp(alpha + weights.alpha_bias, mx.array(0.0))
    decay, beta = decay.swapaxes(1, 2), mx.sigmoid(beta).swapaxes(1, 2)
    state = states[:, spec.history :].reshape(count, spec.value_heads, spec.key_dim, spec.value_dim)
    rule = _token if length == 1 else _chunks
    out, state = rule(query, key, value, decay, beta, state)
    heads = mx.fast.rms_norm(out.swapaxes(1, 2), weights.head_norm, spec.norm_eps)
    gated = heads.reshape(gate.shape) * gate * mx.sigmoid(gate)
    last = seen[:, length:].reshape(count, -1)
    return gated, mx.concatenate([last, state.reshape(count, -1)], axis=1)


def _token(
    query: mx.array, key: mx.array, value: mx.array, decay: mx.array, beta: mx.array, state: mx.array
) -> tuple[mx.array, mx.array]:
    state = state * mx.exp(decay)[..., None]
    change = beta[..., None] * (value - key @ state)
    state = state + key.swapaxes(-1, -2) * change
    return query @ state, state


def _chunks(
    query: mx.array, key: mx.array, value: mx.array, decay: mx.array, beta: mx.array, state: mx.array
) -> tuple[mx.array, mx.array]:
    """The rule for many tokens (Yang et al. 2024, "Parallelizing Linear Transformers with the Delta Rule"): what the
    tokens of a chunk change is a triangular system of equations, the same for every column of values.

    ``query``, ``key`` ``[..., L, K]``, ``value`` ``[..., L, V]``, ``decay`` (logarithms) and ``beta`` ``[..., L]``,
    ``state`` ``[..., K, V]``. Returns ``[..., L, V]`` and the state behind the last token.
    """
    length = decay.shape[-1]
    size = CHUNK
    while size // 2 >= length:
        size //= 2
    # Tokens that are added keep nothing and change nothing.
    added = -length % size
    query, key, value = (_chunked(mx.pad(part, [*_NONE, (0, added), (0, 0)]), size) for part in (query, key, value))
    decay, beta = (_chunked(mx.pad(part, [*_NONE, (0, added)])[..., None], size)[..., 0] for part in (decay, beta))
    total = mx.cumsum(decay, axis=-1)
    at = mx.arange(size)
    # How much of what token j wrote is left at token i: differences first, which are not above 0.
    left = mx.exp(mx.where(at[:, None] >= at, total[..., :, None] - total[..., None, :], -mx.inf))
    keys = key.swapaxes(-1, -2)
    overlap = mx.where(at[:, None] > at, beta[..., None] * (key @ keys) * left, 0.0)
    solved = _inverse(overlap) @ mx.concatenate(
        [value * beta[..., None], key * (beta * mx.exp(total))[..., None]], axis=-1
    )
    changes, reads = mx.split(solved, [value.shape[-1]], axis=-1)
    seen = (query @ keys) * left
    query = query * mx.exp(total)[..., None]
    end = total[..., -1:]
    writes = (key * mx.exp(end - total)[..., None]).swapaxes(-1, -2)
    outs = []
    for chunk in range(total.shape[2]):
        change = changes[:, :, chunk] - reads[:, :, chunk] @ state
        outs.append(query[:, :, chunk] @ state + seen[:, :, chunk] @ change)
        state = mx.exp(end[:, :, chunk])[..., None] * state + writes[:, :, chunk] @ change
    out = outs[0] if len(outs) == 1 else mx.concatenate(outs, axis=2)
    return out[:, :, :length], state


_NONE = ((0, 0), (0, 0))


def _chunked(x: mx.array, size: int) -> mx.array:
    """``[B, heads, L, n]`` to ``[B, heads, chunks, size, n]``."""
    return x.reshape(*x.shape[:2], -1, size, x.shape[-1])


def _inverse(below: mx.array) -> mx.array:
    """The inverse of 1 + ``below`` ``[..., C, C]``, all of whose numbers stand below the diagonal. Blocks on the
    diagonal are inverted, from one number on; two neighbours and what is below the first make the next."""
    size = below.shape[-1]
    at = mx.arange(size)
    inverse = mx.broadcast_to(mx.eye(size), below.shape)
    block = 1
    while block < size:
        row, column = (at // block)[:, None], at // block
        between = mx.where((row == column + 1) & (row % 2 == 1), below, 0.0)
        inverse = inverse - inverse @ between @ inverse
        block *= 2
    return inverse
