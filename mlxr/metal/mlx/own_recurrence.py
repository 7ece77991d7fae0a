"""Few tokens by Metal kernels of our own (``mlxr.metal.gpu.recurrence``): the short convolution, and the heads of the
gated delta rule and of Mamba-2, which keep a column of a state in registers from a sequence's first token to its
last."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import mlx.core as mx

from mlxr.metal.gpu import recurrence
from mlxr.metal.gpu.kernel import Kernel, Language, Launch, MadeKernel
from mlxr.metal.mlx import device
from mlxr.metal.mlx.device import Ways
from mlxr.metal.reference.recurrence import gated_norm
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec
from mlxr.metal.weights import GatedDeltaNetWeights, Mamba2Weights

MOST_TOKENS = 8
"""Of a sequence: they are computed one after the other; more are multiplied as matrices."""


def here(ways: Ways) -> bool:
    """Whether they are taken; CUDA has others (``recurrence_steps.py``)."""
    return ways.recurrence and device.language() is Language.METAL


def gated_delta_net(
    weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, inputs: mx.array, states: mx.array
) -> tuple[mx.array, mx.array]:
    """As the ``Advance`` of ``gated_delta_net.py``."""
    count, length, _ = inputs.shape
    ends = [spec.channels, spec.channels + spec.values, spec.channels + spec.values + spec.value_heads]
    rows, gate, alpha, beta = mx.split(inputs.reshape(count * length, -1), ends, axis=-1)
    decays = mx.exp(weights.decay * mx.logaddexp(alpha + weights.alpha_bias, mx.array(0.0)))
    starts = _starts(count, length)
    mixed, histories = _convolved(rows, weights.convolution, None, starts, states)
    launch = recurrence.delta(count * length, count, spec)
    given = [mixed, decays, mx.sigmoid(beta), starts, states, histories]
    out, after = _launching(recurrence.DELTA, launch)(inputs=given)
    heads = mx.fast.rms_norm(out, weights.head_norm, spec.norm_eps).reshape(gate.shape)
    return (heads * gate * mx.sigmoid(gate)).reshape(count, length, -1), after


def mamba2(weights: Mamba2Weights, spec: Mamba2Spec, inputs: mx.array, states: mx.array) -> tuple[mx.array, mx.array]:
    """As the ``Advance`` of ``recurrence.py``."""
    count, length, _ = inputs.shape
    ends = [spec.inner, spec.inner + spec.channels]
    gate, rows, steps = mx.split(inputs.reshape(count * length, -1), ends, axis=-1)
    steps = mx.clip(mx.logaddexp(steps + weights.step_bias, 0.0), *spec.step_limits)
    starts = _starts(count, length)
    mixed, histories = _convolved(rows, weights.convolution, weights.convolution_bias, starts, states)
    launch = recurrence.mamba2(count * length, count, spec)
    given = [mixed, steps, weights.decay, weights.skip, starts, states, histories]
    out, after = _launching(recurrence.MAMBA2, launch)(inputs=given)
    flat = out.reshape(count * length, spec.inner)
    return gated_norm(flat, gate, weights, spec).reshape(count, length, -1), after


def _starts(count: int, length: int) -> mx.array:
    return mx.arange(count + 1, dtype=mx.int32) * length


def _convolved(
    rows: mx.array, taps: mx.array, bias: mx.array | None, starts: mx.array, states: mx.array
) -> tuple[mx.array, mx.array]:
    """Returns rows behind the convolution and SiLU, and each sequence's last inputs."""
    channels = rows.shape[1]
    sequences, size = states.shape
    count = taps.size // channels
    launch = recurrence.convolution(rows.shape[0], sequences, channels, count, size, bias is not None)
    given = [rows, taps, mx.zeros(1) if bias is None else bias, starts, states]
    mixed, histories = _launching(recurrence.CONVOLUTION, launch)(inputs=given)
    return mixed, histories


@cache
def _kernel(kernel: Kernel) -> MadeKernel:
    return MadeKernel(kernel, Language.METAL)


@cache
def _launching(kernel: Kernel, launch: Launch) -> Callable[..., list[mx.array]]:
    return _kernel(kernel).launching(launch)
