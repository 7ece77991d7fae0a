"""Successive dense layers as one kernel in a step of one token a sequence (``mlxr.metal.gpu.decoder_layer``), on CUDA;
and the attention half of another layer, as of a mixture.

What a step leaves in the pool is there once its ``done`` is computed, as with the kernels of each part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import groupby
from typing import TypeAlias

import mlx.core as mx

from mlxr.metal.gpu import attention, decoder_layer
from mlxr.metal.gpu.decoder_layer.layer_shape import MOST_ROWS, LayerShape, Place, Projection
from mlxr.metal.gpu.kernel import Language, MadeKernel
from mlxr.metal.mlx import device, step_attention
from mlxr.metal.mlx.attention import Attention
from mlxr.metal.mlx.feed_forward import FeedForward
from mlxr.metal.mlx.few_row_matmul import FewRows
from mlxr.metal.mlx.grid_memory import GridMemory
from mlxr.metal.mlx.own_experts import OwnExperts
from mlxr.metal.mlx.pages import Layer
from mlxr.metal.mlx.run_ahead import RunAhead
from mlxr.metal.mlx.steps import Step
from mlxr.metal.operations import PlainLayer, one_by_one
from mlxr.metal.pool import Pool
from mlxr.metal.specs import Activation

Launched: TypeAlias = Callable[..., list[mx.array]]


@dataclass(frozen=True)
class DenseLayer:
    """One layer, prepared for the kernel.

    Attributes:
        layer: its number in the pool.
        shape: with pages of some size; a pool may have others.
        matrices: of each product, in the kernel's order.
        constants: float32, in the kernel's order.
        router: of the mixture whose experts the kernel chooses.
    """

    layer: int
    shape: LayerShape
    matrices: list[mx.array]
    constants: list[mx.array]
    router: OwnExperts | None = None


def dense_layer(mix: Attention, half: FeedForward | None, router: OwnExperts | None = None) -> DenseLayer | None:
    """Returns a layer of these two halves, or the first alone, with the choice of ``router`` behind it; None where the
    kernel does not compute it."""
    steps, behind = mix.of_steps, None
    if steps is None or steps.products is None or steps.norm is None or mix.output is None:
        return None
    if half is not None:
        if half.few is None or half.norm is None or not half.ends_plainly:
            return None
        behind = *half.few, half.norm
    if router is not None and router.routing.blocks > decoder_layer.grid_blocks(device.processors()):
        router = None
    inputs, output = steps.products, mix.output
    places = [Place(part.product, part.at) for part in steps.parts]
    shape = LayerShape(
        steps.shape(attention.LEAST_PAGE),
        tuple(map(_projection, inputs)),
        (places[0], places[1], places[2]),
        _projection(output),
        None if behind is None else _projection(behind[0]),
        None if behind is None else _projection(behind[1]),
        Activation.SILU if half is None else half.activation,
        None if router is None else router.routing,
    )
    if not shape.fits:
        return None
    gains = [0.0, output.gain, 0.0, 0.0]
    if behind is not None:
        gates, down, norm = behind
        gains = [norm.eps, output.gain, gates.gain, down.gain]
    sinks = mx.zeros(shape.sinks - shape.step.spec.heads * shape.step.sinks)
    constants = [
        mx.array([steps.norm.eps, *gains, 0.0, 0.0, 0.0]),
        steps.norm.weight,
        *(few.bias for few in inputs if few.bias is not None),
        steps.constants,
        sinks,
        *([] if output.bias is None else [output.bias]),
    ]
    products = [*inputs, output]
    if behind is not None:
        constants += [norm.weight, *(few.bias for few in (gates, down) if few.bias is not None)]
        products += [gates, down]
    matrices = [array for few in products for array in few.matrix]
    return DenseLayer(mix.layer, shape, matrices, constants, router)


def _projection(few: FewRows) -> Projection:
    return Projection(few.shape, few.bias is not None)


class DenseRun:
    """Successive layers of one shape."""

    def __init__(self, layers: Sequence[DenseLayer], most_rows: int, grid: GridMemory) -> None:
        self._most_rows = min(most_rows, MOST_ROWS)
        self._numbers = [layer.layer for layer in layers]
        self._shape = layers[0].shape
        self._matrices = [array for layer in layers for array in layer.matrices]
        self._constants = device.constants([part for layer in layers for part in layer.constants])
        self._router = layers[0].router
        self._grid = grid
        # Of a step's, without splits and layout, and what a split takes: these are asked for at every step.
        self._scratch = self._shape.scratch(0, 0)
        self._scratch_of_split = self._shape.scratch(1, 0) - self._scratch
        self._launches: dict[tuple[int, int], Launched] = {}
        self._left: mx.array | None = None
        mx.eval(self._constants)

    @property
    def ends_behind_attention(self) -> bool:
        """Whether the second half of its one layer is left."""
        return self._shape.gates is None

    def takes(self, step: Step, pool: Pool | None) -> bool:
        """Whether the kernel can compute a step."""
        if pool is None or not 0 < step.tokens <= self._most_rows:
            return False
        group, first = pool.group_of[self._numbers[0]], pool.layers[self._numbers[0]]
        if first.tickets is None or any(pool.group_of[number] != group for number in self._numbers):
            return False
        return step_attention.takes(self._shape.step, step, step.tables[group], first)

    def __call__(self, x: mx.array, step: Step, pool: Pool) -> tuple[mx.array, list[mx.array]]:
        """``x`` float32 ``[T, width]``, of a step that it takes. Returns what comes out, and what a router gives."""
        layers: list[Layer] = [pool.layers[number] for number in self._numbers]
        tables, grid, shape = step.tables[pool.group_of[self._numbers[0]]], self._grid, self._shape
        known = step.tokens, tables.page_size
        launched = self._launches.get(known)
        if launched is None:
            of_pages = replace(shape, step=replace(shape.step, page_size=tables.page_size))
            launched = self._launches[known] = _launching(of_pages, len(layers), step.tokens)
        layout = tables.layout(shape.step)
        inputs = [
            x,
            layout,
            self._constants,
            grid.state,
            grid.scratch(self._scratch + tables.all_splits(shape.step) * self._scratch_of_split + layout.size),
            layers[0].tickets,
            grid.behind([layer.done for layer in layers if layer.done is not self._left]),
            *(() if self._router is None else self._router.router),
            *self._matrices,
        ]
        for layer in layers:
            inputs += layer.arrays
        out, done, *routed = launched(inputs=inputs)
        for number, layer in zip(self._numbers, layers, strict=True):
            pool.layers[number] = Layer(layer.keys, layer.values, layer.forms, done, layer.tickets)
        self._left = grid.last = done
        return out, routed


class JoinedLayers:
    """Successive layers, as few operations as the kernel makes of them."""

    def __init__(
        self,
        layers: Sequence[PlainLayer],
        dense: Sequence[DenseLayer | None],
        most_rows: int,
        grid: GridMemory,
        run_ahead: RunAhead,
    ) -> None:
        """``dense``: each of ``layers`` as the kernel takes it, None where it does not. ``most_rows``: of a step that
        it is better for."""
        self._run_ahead = run_ahead
        self._parts: list[tuple[DenseRun | None, list[PlainLayer]]] = []
        both = zip(layers, dense, strict=True)
        for shape, alike in groupby(both, key=lambda pair: None if pair[1] is None else pair[1].shape):
            pairs = list(alike)
            most = len(pairs) if shape is None else shape.most_layers()
            for begin in range(0, len(pairs), most):
                part = pairs[begin : begin + most]
                taken = [layer for _, layer in part if layer is not None]
                self._parts.append((DenseRun(taken, most_rows, grid) if taken else None, [plain for plain, _ in part]))

    def __call__(self, x: mx.array, step: Step, pool: Pool | None) -> Iterator[mx.array]:
        """As ``LayersOperation``."""
        for run, plain in self._parts:
            if run is not None and pool is not None and run.takes(step, pool):
                x, routed = run(x, step, pool)
                self._run_ahead.add(x)
                if run.ends_behind_attention and (half := plain[0][1]) is not None:
                    x = half(x, step, routed=routed) if routed else half(x, step)
                yield x
                continue
            for x in one_by_one(plain, x, step, pool):  # noqa: B020 (the last is what goes on)
                yield x


@cache
def _launching(shape: LayerShape, layers: int, rows: int) -> Launched:
    tuning = decoder_layer.TUNING
    kernel = decoder_layer.kernel(shape, layers, tuning.blocks)
    blocks = decoder_layer.grid_blocks(device.processors(), tuning)
    return MadeKernel(kernel, Language.CUDA).launching(decoder_layer.launch(rows, shape, layers, blocks, tuning))
