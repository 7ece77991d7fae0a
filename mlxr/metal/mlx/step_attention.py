"""The attention half of a layer in a step of one token a sequence, between its two products one kernel
(``mlxr.metal.gpu.attention``): norms, rope, the write to pages, attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.gpu import attention
from mlxr.metal.gpu.affine_matmul import Layout
from mlxr.metal.gpu.attention import StepShape, on_metal
from mlxr.metal.gpu.kernel import Language, MadeKernel
from mlxr.metal.mlx import device
from mlxr.metal.mlx.few_row_matmul import FewRows, Norm
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.pages import TICKETS, Layer
from mlxr.metal.mlx.products import Projections
from mlxr.metal.mlx.steps import DeviceTables, Step
from mlxr.metal.specs import AttentionSpec
from mlxr.metal.weights import AttentionWeights


class StepAttention:
    """The attention of one layer, prepared. ``inputs`` are its projections, of whose input ``norm`` is the norm.

    ``products``: the projections for few rows, None where a kernel takes not all; ``parts``: where queries, keys and
    values are in what they give; ``constants``: as the kernel takes them.
    """

    def __init__(self, weights: AttentionWeights, spec: AttentionSpec, inputs: Projections, norm: Norm | None) -> None:
        self._spec, self._inputs, self.norm = spec, inputs, norm
        self._normed, self._own = weights.query_norm is not None, weights.key is not None
        self.products = few_rows_of(inputs, norm)
        parts = inputs.parts
        self._query = parts[0]
        self._key = parts[1] if self._own else parts[0]
        self._value = parts[-1] if self._own else parts[0]
        self.parts = self._query, self._key, self._value
        widths = [sum(product.sizes) for product in inputs.products]
        self._widths = tuple(widths[part.product] for part in self.parts)
        self._sinks = weights.sinks is not None
        self.constants = _together(weights, spec)
        self._launches: dict[tuple[object, ...], Callable[..., list[mx.array]]] = {}
        self._shapes: dict[tuple[int, tuple[int, int]], StepShape] = {}
        mx.eval(self.constants)

    @staticmethod
    def fits(weights: AttentionWeights, spec: AttentionSpec) -> bool:
        """Whether the kernel computes such layers, pages aside; gates come behind it."""
        heads = [norm for norm in (weights.query_norm, weights.key_norm) if norm is not None]
        alike = len(heads) in (0, 1 if weights.key is None else 2) and all(norm.size == spec.head_dim for norm in heads)
        return alike and _fits(StepShape(spec, attention.LEAST_PAGE, False, True, False))

    def takes(self, step: Step, tables: DeviceTables, layer: Layer) -> bool:
        """Whether a step can be computed so."""
        return takes(self.shape(tables.page_size, layer.blocks), step, tables, layer)

    def __call__(
        self, x: mx.array, step: Step, tables: DeviceTables, layer: Layer, layout: Layout = Layout.BY_ROWS
    ) -> tuple[mx.array, Layer]:
        """``x`` float32 ``[T, features]``: what heads give, 16-bit ``[T, heads * head_dim]`` laid out so, and the layer
        of the pool with the step's keys and values."""
        rows = x.shape[0]
        outs = self._projected(x)
        shape = self.shape(tables.page_size, layer.blocks)
        splits = tables.splits(shape, _splits)
        known = rows, splits, tables.page_size, shape.blocks, layout
        launched = self._launches.get(known)
        if launched is None:  # a shape's hash takes longer than the rest of a call
            begins = self._query.at, self._key.at, self._value.at
            launched = _launching(shape, rows, splits, begins, layout, self._widths)
            self._launches[known] = launched
        out, _, done = launched(
            inputs=[
                *(outs[part.product] for part in (self._query, self._key, self._value)),
                tables.layout(shape),
                self.constants,
                layer.keys,
                layer.values,
                layer.tickets,
                layer.done,
            ]
        )
        return out, Layer(layer.keys, layer.values, layer.forms, done, layer.tickets)

    def shape(self, page_size: int, blocks: tuple[int, int] = (0, 0)) -> StepShape:
        """Returns what the kernel knows of the layer, with pages of so many tokens and scales for such ``blocks``."""
        known = page_size, blocks
        if known not in self._shapes:
            self._shapes[known] = StepShape(self._spec, page_size, self._normed, self._own, self._sinks, blocks)
        return self._shapes[known]

    def _projected(self, x: mx.array) -> Sequence[mx.array]:
        if self.products is not None and self.products[0].takes(x.shape[0]):
            return [few.plain(x) for few in self.products]
        return self._inputs.joined(x.astype(HALF) if self.norm is None else self.norm(x))


def takes(shape: StepShape, step: Step, tables: DeviceTables, layer: Layer) -> bool:
    """Whether the kernel can compute a step of ``layer``, in whatever it stands."""
    if not step.singles or tables.page_size % attention.LEAST_PAGE or layer.blocks != shape.blocks:
        return False
    if any(shape.blocks) and device.language() is Language.METAL:
        return False
    if step.tokens * shape.spec.heads > TICKETS:
        return False
    return tables.splits(shape, _splits) <= attention.MOST_SPLITS


def _together(weights: AttentionWeights, spec: AttentionSpec) -> mx.array:
    parts = [mx.array([spec.norm_eps, spec.scale, spec.softcap, 0.0], mx.float32)]
    if weights.query_norm is not None:
        parts += [weights.query_norm, weights.query_norm if weights.key_norm is None else weights.key_norm]
    if weights.sinks is not None:
        parts.append(weights.sinks)
    return device.constants(parts)


def few_rows_of(inputs: Projections, norm: Norm | None) -> list[FewRows] | None:
    """Returns the projections' products for few rows, with a norm before each; None where a kernel takes not all of
    them."""
    made = []
    for product in inputs.products:
        if product.few is None or product.codes is None:
            return None
        made.append(FewRows(product.codes, product.bias, norm))
    return made


@cache
def _kernel(threads: int, dims: int) -> MadeKernel:
    language = device.language()
    # On CUDA so many blocks have a place on a processor however many registers the compiler would like to give them.
    bounds = (threads, 3 if dims <= 64 else 2) if language is Language.CUDA else None
    return MadeKernel(replace(attention.STEP, bounds=bounds), language, contiguous=False)


def _fits(shape: StepShape) -> bool:
    return on_metal.fits(shape) if device.language() is Language.METAL else shape.fits


def _splits(shape: StepShape, lengths: NDArray[np.int32]) -> int:
    return on_metal.splits(shape, lengths) if device.language() is Language.METAL else shape.splits(lengths)


@cache
def _launching(
    shape: StepShape, rows: int, splits: int, begins: tuple[int, int, int], layout: Layout, widths: tuple[int, ...]
) -> Callable[..., list[mx.array]]:
    """``widths``: of the three inputs' rows, which a launch has once and for all."""
    if device.language() is Language.METAL:
        launch = on_metal.step(rows, shape, splits, begins)
    else:
        launch = attention.step(rows, shape, splits, begins, layout)
    return _kernel(launch.threadgroup[0], shape.spec.head_dim).launching(launch)


__all__ = ["StepAttention", "few_rows_of"]
