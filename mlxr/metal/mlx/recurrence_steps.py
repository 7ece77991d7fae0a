"""Few tokens of each sequence by CUDA kernels of our own (``mlxr.metal.gpu.recurrence``) that change states where they
are in the pool: the short convolution, and the heads of the gated delta rule and of Mamba-2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Protocol

import mlx.core as mx

from mlxr.metal.gpu import recurrence
from mlxr.metal.gpu.kernel import Kernel, Language, Launch, MadeKernel
from mlxr.metal.mlx import device
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.pool_array import PoolArray
from mlxr.metal.reference.recurrence import gated_norm
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec
from mlxr.metal.weights import GatedDeltaNetWeights, Mamba2Weights


class StateStep(Protocol):
    """What a half's projections make of a step's rows, 16-bit ``[T, width]``, to what it gives, ``[T, out]``, and the
    layer of the pool with its states then. ``layout``: as of ``recurrence.STEP_CONVOLUTION``."""

    def __call__(self, projected: mx.array, layout: mx.array, layer: PoolArray) -> tuple[mx.array, PoolArray]: ...


def gated_delta_net(weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, ways: Ways) -> StateStep | None:
    """None where there is no kernel for such heads here."""
    if not _here(ways) or not recurrence.fits_step_delta(spec):
        return None
    constants = device.constants(
        [mx.array([spec.norm_eps, 0.0, 0.0, 0.0]), weights.head_norm, weights.decay, weights.alpha_bias]
    )
    convolved = _Convolution(weights.convolution, None, spec.channels, 0)

    def step(projected: mx.array, layout: mx.array, layer: PoolArray) -> tuple[mx.array, PoolArray]:
        mixed = convolved(projected, layout, layer)
        launched = _launching(recurrence.STEP_DELTA, recurrence.step_delta(len(projected), len(layout), spec))
        out, done = launched(inputs=[mixed, projected, constants, layout, layer.values, layer.done])
        return out, replace(layer, done=done)

    return step


def mamba2(weights: Mamba2Weights, spec: Mamba2Spec, ways: Ways) -> StateStep | None:
    """Likewise."""
    if not _here(ways) or not recurrence.fits_step_mamba2(spec):
        return None
    convolved = _Convolution(weights.convolution, weights.convolution_bias, spec.channels, spec.inner)
    heads = [device.constants([part]) for part in (weights.decay, weights.skip)]

    def step(projected: mx.array, layout: mx.array, layer: PoolArray) -> tuple[mx.array, PoolArray]:
        mixed = convolved(projected, layout, layer)
        steps = projected[:, spec.inner + spec.channels :].astype(mx.float32)
        steps = mx.clip(mx.logaddexp(steps + weights.step_bias, 0.0), *spec.step_limits)
        launched = _launching(recurrence.STEP_MAMBA2, recurrence.step_mamba2(len(projected), len(layout), spec))
        out, done = launched(inputs=[mixed, steps, *heads, layout, layer.values, layer.done])
        gate = projected[:, : spec.inner].astype(mx.float32)
        return gated_norm(out.reshape(gate.shape), gate, weights, spec), replace(layer, done=done)

    return step


class _Convolution:
    """The short convolution of ``channels`` numbers of each row, from column ``at`` on."""

    def __init__(self, taps: mx.array, bias: mx.array | None, channels: int, at: int) -> None:
        self._biased, self._channels, self._at = bias is not None, channels, at
        self._count = taps.size // channels
        self._taps = taps
        self._bias = taps if bias is None else bias

    def __call__(self, x: mx.array, layout: mx.array, layer: PoolArray) -> mx.array:
        rows, width = x.shape
        launch = recurrence.step_convolution(
            rows, len(layout), width, self._at, self._channels, self._count, self._biased
        )
        inputs = [x, self._taps, self._bias, layout, layer.values, layer.done]
        out: mx.array
        (out,) = _launching(recurrence.STEP_CONVOLUTION, launch)(inputs=inputs)
        return out


def _here(ways: Ways) -> bool:
    return ways.recurrence and ways.in_place and device.language() is Language.CUDA


@cache
def _kernel(kernel: Kernel) -> MadeKernel:
    return MadeKernel(kernel, Language.CUDA)


@cache
def _launching(kernel: Kernel, launch: Launch) -> Callable[..., list[mx.array]]:
    return _kernel(kernel).launching(launch)


__all__ = ["StateStep", "gated_delta_net", "mamba2"]
