"""Few tokens of each sequence by CUDA kernels of our own (``mlxr.metal.gpu.recurrence``) that change states where they
are in the pool: the short convolution, and the heads of the gated delta rule and of Mamba-2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

import mlx.core as mx

from mlxr.metal.gpu import recurrence
from mlxr.metal.gpu.kernel import Kernel, Language, Launch, MadeKernel
from mlxr.metal.mlx import device
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.pool_array import PoolArray
from mlxr.metal.mlx.products import Part, Projections
from mlxr.metal.reference.recurrence import gated_norm
from mlxr.metal.specs import GatedDeltaNetSpec, Mamba2Spec
from mlxr.metal.weights import GatedDeltaNetWeights, Mamba2Weights

Launched = Callable[..., list[mx.array]]


class StateStep(Protocol):
    """What a half's products make of a step's rows, 16-bit ``[T, width]`` each or all side by side, to what it
    gives, ``[T, out]``, and the layer of the pool with its states then. ``layout``: as of
    ``recurrence.STEP_CONVOLUTION``."""

    def __call__(
        self, projected: Sequence[mx.array], layout: mx.array, layer: PoolArray
    ) -> tuple[mx.array, PoolArray]: ...


def gated_delta_net(
    weights: GatedDeltaNetWeights, spec: GatedDeltaNetSpec, ways: Ways, inputs: Projections
) -> StateStep | None:
    """``inputs``: queries, keys and values, gates, alphas and betas. None where there is no kernel for such heads
    here."""
    if not here(ways) or not recurrence.fits_step_delta(spec):
        return None
    apart = inputs.parts
    alphas, betas = apart[2:]
    if alphas.product != betas.product:
        return None
    constants = device.constants(
        [mx.array([spec.norm_eps, 0.0, 0.0, 0.0]), weights.head_norm, weights.decay, weights.alpha_bias]
    )
    together = [Part(0, 0), Part(0, spec.channels), Part(0, spec.channels + spec.values)]
    convolved = _Convolution(weights.convolution, None, spec.channels, 0)
    known: dict[tuple[int, int, int], Launched] = {}

    def step(projected: Sequence[mx.array], layout: mx.array, layer: PoolArray) -> tuple[mx.array, PoolArray]:
        _, gates_at, rates_at = together if len(projected) == 1 else apart[:3]
        gates, rates = projected[gates_at.product], projected[rates_at.product]
        mixed = convolved(projected[0], layout, layer)
        sizes = gates.shape[0], layout.shape[0], len(projected)
        launched = known.get(sizes)
        if launched is None:
            places = (gates.shape[1], gates_at.at), (rates.shape[1], rates_at.at)
            launch = recurrence.step_delta(*sizes[:2], spec, *places)
            launched = known[sizes] = _launching(recurrence.STEP_DELTA, launch)
        out, done = launched(inputs=[mixed, gates, rates, constants, layout, layer.values, layer.done])
        return out, PoolArray(layer.values, done)

    return step


def mamba2(weights: Mamba2Weights, spec: Mamba2Spec, ways: Ways) -> StateStep | None:
    """Likewise."""
    if not here(ways) or not recurrence.fits_step_mamba2(spec):
        return None
    convolved = _Convolution(weights.convolution, weights.convolution_bias, spec.channels, spec.inner)
    rates = [device.constants([part]) for part in (weights.decay, weights.skip)]
    heads = _Launches(recurrence.STEP_MAMBA2, lambda rows, sequences, _: recurrence.step_mamba2(rows, sequences, spec))

    def step(projected: Sequence[mx.array], layout: mx.array, layer: PoolArray) -> tuple[mx.array, PoolArray]:
        (rows,) = projected
        mixed = convolved(rows, layout, layer)
        steps = rows[:, spec.inner + spec.channels :].astype(mx.float32)
        steps = mx.clip(mx.logaddexp(steps + weights.step_bias, 0.0), *spec.step_limits)
        launched = heads.of(rows, layout)
        out, done = launched(inputs=[mixed, steps, *rates, layout, layer.values, layer.done])
        gate = rows[:, : spec.inner].astype(mx.float32)
        return gated_norm(out.reshape(gate.shape), gate, weights, spec), PoolArray(layer.values, done)

    return step


class _Launches:
    """A kernel's launches by the numbers of rows, sequences and columns; making one takes longer than a call."""

    def __init__(self, kernel: Kernel, launch: Callable[[int, int, int], Launch]) -> None:
        self._kernel, self._launch = kernel, launch
        self._known: dict[tuple[int, int, int], Launched] = {}

    def of(self, rows: mx.array, layout: mx.array) -> Launched:
        known = rows.shape[0], layout.shape[0], rows.shape[1]
        launched = self._known.get(known)
        if launched is None:
            launched = self._known[known] = _launching(self._kernel, self._launch(*known))
        return launched


class _Convolution:
    """The short convolution of ``channels`` numbers of each row, from column ``at`` on."""

    def __init__(self, taps: mx.array, bias: mx.array | None, channels: int, at: int) -> None:
        self._taps, self._bias = taps, taps if bias is None else bias
        more = at, channels, taps.size // channels, bias is not None
        self._launches = _Launches(
            recurrence.STEP_CONVOLUTION,
            lambda rows, sequences, width: recurrence.step_convolution(rows, sequences, width, *more),
        )

    def __call__(self, x: mx.array, layout: mx.array, layer: PoolArray) -> mx.array:
        launched = self._launches.of(x, layout)
        out: mx.array
        (out,) = launched(inputs=[x, self._taps, self._bias, layout, layer.values, layer.done])
        return out


def here(ways: Ways) -> bool:
    """Whether they are taken."""
    return ways.recurrence and ways.in_place and device.language() is Language.CUDA


@cache
def _kernel(kernel: Kernel) -> MadeKernel:
    return MadeKernel(kernel, Language.CUDA)


@cache
def _launching(kernel: Kernel, launch: Launch) -> Launched:
    return _kernel(kernel).launching(launch)


__all__ = ["StateStep", "gated_delta_net", "mamba2"]
