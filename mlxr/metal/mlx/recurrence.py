"""Recurrent mixers: the half of a layer around them, short convolutions and Mamba-2.

States and everything between the two projections are float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import mlx.core as mx

from mlxr.metal.gpu import rms_norm
from mlxr.metal.gpu.affine_matmul import MOST_ROWS
from mlxr.metal.gpu.kernel import Language
from mlxr.metal.mlx import device, own_recurrence
from mlxr.metal.mlx.attention import of_run
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.elementwise import Elementwise
from mlxr.metal.mlx.few_row_matmul import FewRows, Norm
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.pool_array import RowAccess
from mlxr.metal.mlx.products import Projections, SplitProduct
from mlxr.metal.mlx.recurrence_steps import StateStep
from mlxr.metal.mlx.steps import Run, Step
from mlxr.metal.operations import MixerOperation
from mlxr.metal.plain_recurrence import Advance, PlainRecurrence
from mlxr.metal.pool import Pool
from mlxr.metal.reference.recurrence import convolved, gated_norm
from mlxr.metal.specs import Mamba2Spec, ShortConvSpec
from mlxr.metal.weights import GatedDeltaNetWeights, Mamba2Weights, ShortConvWeights

CHUNK = 64
"""Tokens of a prompt that Mamba-2 multiplies as matrices; between chunks it goes by the state."""


class Recurrence:
    """One layer's half, prepared. A layer of the pool is a ``PoolArray``.

    ``project``: what makes ``advance``'s inputs of the normed rows, 16-bit ``[T, features]``, several products side by
    side; where it is products, few rows are normed and multiplied by a kernel of our own.
    ``size``: numbers of a sequence's state.
    ``few``: what takes the place of ``advance`` for few tokens of each sequence that a pool keeps.
    ``beside``: a mixer that reads the same rows, and to whose rows this one's are added.
    """

    def __init__(
        self,
        weights: ShortConvWeights | Mamba2Weights | GatedDeltaNetWeights | PlainRecurrence,
        project: Callable[[mx.array], mx.array] | Projections,
        norm_eps: float,
        advance: Advance,
        layer: int,
        size: int,
        ways: Ways,
        elementwise: Elementwise,
        states: RowAccess,
        beside: MixerOperation | None = None,
        few: StateStep | None = None,
    ) -> None:
        self._beside, self._few = beside, few
        self._norm, self._norm_eps, self._advance = Norm(weights.norm, norm_eps), norm_eps, advance
        self._norms_few = ways.few_rows and device.language() is Language.CUDA and rms_norm.fits(weights.norm.size)
        self._layer, self._size, self._elementwise, self._states = layer, size, elementwise, states
        self._project = (lambda x: side_by_side(project.joined(x))) if isinstance(project, Projections) else project
        self._products = project.products if isinstance(project, Projections) else []
        if isinstance(project, SplitProduct):
            self._products = [project]
        self._few_inputs = [
            FewRows(part.codes, part.bias, self._norm) for part in self._products if part.codes is not None
        ]
        if len(self._few_inputs) < len(self._products):
            self._few_inputs = []
        bias = None if isinstance(weights, GatedDeltaNetWeights) else weights.output_bias
        self._output = SplitProduct([weights.output], bias, ways)
        self._post_norm = weights.post_norm if isinstance(weights, ShortConvWeights) else None

    def __call__(self, x: mx.array, step: Step, pool: Pool | None) -> mx.array:
        """``x`` float32 ``[T, features]``, residual included. Without a pool, sequences begin and nothing is kept."""
        if not step.tokens:
            return x
        rows = self._projected(x)
        outs = [
            self._run(index, [of_run(run, part) for part in rows], step, pool) for index, run in enumerate(step.runs)
        ]
        out = outs[0] if len(outs) == 1 else mx.concatenate(outs)
        if step.order is not None:
            out = out[step.order]
        residual = x if self._beside is None else self._beside(x, step, pool)
        if self._post_norm is not None:
            added = self._output(out).astype(mx.float32)
            return self._elementwise.add(residual, mx.fast.rms_norm(added, self._post_norm, self._norm_eps))
        if self._output.few is not None and self._output.few.takes(len(out)):
            return self._output.few.added(out, residual)
        return self._elementwise.add(residual, self._output(out))

    def _projected(self, x: mx.array) -> list[mx.array]:
        """What products make of the rows, each by itself or all side by side."""
        few = self._few_inputs
        if few and few[0].takes(len(x)):
            if len(few) == 1 or few[0].takes_norm(len(x)):
                return [product.plain(x) for product in few]
            normed = self._norm.of_few(x)  # once for all
            return [product(normed) for product in self._products]
        norms = self._norms_few and len(x) <= MOST_ROWS
        return [self._project(self._norm.of_few(x) if norms else self._norm(x))]

    def _run(self, index: int, own: list[mx.array], step: Step, pool: Pool | None) -> mx.array:
        """What a run's rows give, 16-bit ``[T, out]``; ``own``: what was projected of them."""
        run = step.runs[index]
        if pool is None:
            out, _ = self._advance(_wide(run, side_by_side(own)), mx.zeros((run.count, self._size)))
            return _flat(out)
        tables, layer = step.tables[pool.group_of[self._layer]], pool.layers[self._layer]
        if self._few is not None and run.length <= own_recurrence.MOST_TOKENS:
            out, pool.layers[self._layer] = self._few(own, tables.state_layout(index), layer)
            return out.astype(HALF)
        at = tables.states(index)
        before = self._states.read(layer, at.pages)
        out, after = self._advance(_wide(run, side_by_side(own)), mx.where(at.begins[:, None], 0.0, before))
        pool.layers[self._layer] = self._states.written(layer, at.pages, after)
        return _flat(out)


def side_by_side(parts: Sequence[mx.array]) -> mx.array:
    return parts[0] if len(parts) == 1 else mx.concatenate(list(parts), axis=-1)


def _wide(run: Run, own: mx.array) -> mx.array:
    """As ``Advance`` takes them."""
    return own.astype(mx.float32).reshape(run.count, run.length, -1)


def _flat(out: mx.array) -> mx.array:
    return out.reshape(-1, out.shape[-1]).astype(HALF)


def projected(weights: ShortConvWeights | Mamba2Weights, ways: Ways) -> Callable[[mx.array], mx.array]:
    """Returns the product with a layer's one matrix of inputs."""
    return SplitProduct([weights.input], weights.input_bias, ways)


def short_conv(weights: ShortConvWeights, spec: ShortConvSpec) -> Advance:
    return partial(_short_conv, weights, spec)


def mamba2(weights: Mamba2Weights, spec: Mamba2Spec, ways: Ways) -> Advance:
    by_kernel = partial(own_recurrence.mamba2, weights, spec) if own_recurrence.here(ways) else None
    return either(partial(_mamba2, weights, spec), by_kernel)


def either(advance: Advance, few: Advance | None) -> Advance:
    """``few`` for few tokens of each sequence, where there is one, and ``advance`` for more."""
    if few is None:
        return advance
    by_kernel = few

    def advanced(inputs: mx.array, states: mx.array) -> tuple[mx.array, mx.array]:
        return (by_kernel if inputs.shape[1] <= own_recurrence.MOST_TOKENS else advance)(inputs, states)

    return advanced


def _short_conv(
    weights: ShortConvWeights, spec: ShortConvSpec, inputs: mx.array, states: mx.array
) -> tuple[mx.array, mx.array]:
    before, behind, values = mx.split(inputs, 3, axis=-1)
    seen = mx.concatenate([states.reshape(len(states), -1, spec.width), before * values], axis=1)
    out = behind * convolved(seen, weights.convolution, weights.convolution_bias)
    return out, seen[:, -(spec.taps - 1) :].reshape(states.shape)


def _mamba2(weights: Mamba2Weights, spec: Mamba2Spec, inputs: mx.array, states: mx.array) -> tuple[mx.array, mx.array]:
    count, length, _ = inputs.shape
    gate, rows, steps = mx.split(inputs, [spec.inner, spec.inner + spec.channels], axis=-1)
    steps = mx.clip(mx.logaddexp(steps + weights.step_bias, 0.0), *spec.step_limits)
    kept = (spec.taps - 1) * spec.channels
    seen = mx.concatenate([states[:, :kept].reshape(count, -1, spec.channels), rows], axis=1)
    mixed = convolved(seen, weights.convolution, weights.convolution_bias)
    mixed = mixed * mx.sigmoid(mixed)
    values, writes, reads = mx.split(mixed, [spec.inner, spec.inner + spec.groups * spec.state_size], axis=-1)
    shared = spec.heads // spec.groups
    # Heads of a group side by side: [B, groups, shared, L, ...]; what they share has one in place of them.
    steps = steps.reshape(count, length, spec.groups, shared).transpose(0, 2, 3, 1)
    values = values.reshape(count, length, spec.groups, shared, spec.head_dim).transpose(0, 2, 3, 1, 4)
    reads, writes = (
        part.reshape(count, length, spec.groups, 1, spec.state_size).transpose(0, 2, 3, 1, 4)
        for part in (reads, writes)
    )
    decays = steps * weights.decay.reshape(spec.groups, shared, 1)
    state = states[:, kept:].reshape(count, spec.groups, shared, spec.state_size, spec.head_dim)
    outs = []
    for begin in range(0, length, CHUNK):
        part = slice(begin, begin + CHUNK)
        scaled = values[..., part, :] * steps[..., part, None]
        out, state = _chunk(decays[..., part], scaled, reads[..., part, :], writes[..., part, :], state)
        outs.append(out)
    out = outs[0] if len(outs) == 1 else mx.concatenate(outs, axis=3)
    out = out + weights.skip.reshape(spec.groups, shared, 1, 1) * values
    flat = out.transpose(0, 3, 1, 2, 4).reshape(count * length, spec.inner)
    normed = gated_norm(flat, gate.reshape(count * length, -1), weights, spec).reshape(count, length, -1)
    last = seen[:, -(spec.taps - 1) :].reshape(count, -1)
    return normed, mx.concatenate([last, state.reshape(count, -1)], axis=1)


def _chunk(
    decays: mx.array, values: mx.array, reads: mx.array, writes: mx.array, state: mx.array
) -> tuple[mx.array, mx.array]:
    """Some tokens by the state before them and by one another (Dao and Gu 2024, section 6).

    ``decays`` ``[..., L]``, logarithms; ``values`` ``[..., L, P]``; ``reads``, ``writes`` ``[..., L, N]``; ``state``
    ``[..., N, P]``. Returns ``[..., L, P]`` and the state behind the last.
    """
    length = decays.shape[-1]
    total = mx.cumsum(decays, axis=-1)
    out = mx.exp(total)[..., None] * (reads @ state)
    # How much of what token j wrote is left at token i, 0 for later ones: differences first, which are not above 0.
    at = mx.arange(length)
    left = mx.where(at[:, None] >= at, total[..., :, None] - total[..., None, :], -mx.inf)
    out = out + (mx.exp(left) * (reads @ writes.swapaxes(-1, -2))) @ values
    end = total[..., -1:]
    written = (writes * mx.exp(end - total)[..., None]).swapaxes(-1, -2) @ values
    return out, mx.exp(end)[..., None] * state + written
