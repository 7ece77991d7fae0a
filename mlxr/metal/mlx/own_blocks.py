"""Products with matrices that are held as their file's blocks, by kernels of our own (``mlxr.metal.gpu.matmul``)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import mlx.core as mx

from mlxr.metal.gpu import matmul
from mlxr.metal.gpu.kernel import Kernel, Language, Launch, MadeKernel
from mlxr.metal.mlx.matrix_forms import HALF, Blocks

MOST_CHOSEN_ROWS = 64
"""Rows of a mixture that read their experts' matrices each for itself; more are sorted first."""


def multiplied(x: mx.array, blocks: Blocks) -> mx.array:
    """Returns the product of 16-bit ``x`` ``[T, in]`` and the matrix, 16-bit ``[T, out]``."""
    if not x.shape[0]:
        return mx.zeros((0, blocks.packed.shape[0]), HALF)
    few = x.shape[0] <= matmul.MOST_VECTOR_ROWS
    launch = (matmul.vector if few else matmul.tiled)(x.shape[0], *_shape(blocks), "float16")
    return _launched(matmul.VECTOR if few else matmul.TILED, launch, [x.astype(HALF), *blocks.inputs])


def of_heads(x: mx.array, blocks: Blocks) -> mx.array:
    """16-bit ``x`` ``[heads, T, in]`` by the matrices that lie above one another: 16-bit ``[heads, T, out]``."""
    heads, rows, columns = x.shape
    chosen = mx.repeat(mx.arange(heads, dtype=mx.int32)[:, None], rows, axis=1)
    return _of_experts(x.reshape(-1, columns), blocks, heads, chosen.reshape(-1), 1).reshape(heads, rows, -1)


def of_experts(x: mx.array, blocks: Blocks, experts: int, chosen: mx.array) -> mx.array:
    """16-bit ``x`` ``[T, 1 or used, in]`` by the matrices of the experts that each token chose, int32 ``[T, used]``:
    16-bit ``[T, used, out]``."""
    tokens, used = chosen.shape
    sharing = used // x.shape[1]
    out = _of_experts(x.reshape(-1, x.shape[-1]), blocks, experts, chosen.reshape(-1), sharing)
    return out.reshape(tokens, used, -1)


def _of_experts(x: mx.array, blocks: Blocks, experts: int, chosen: mx.array, sharing: int) -> mx.array:
    outputs, columns, number = _shape(blocks)
    outputs, count, chosen = outputs // experts, chosen.size, chosen.astype(mx.int32)
    if count <= MOST_CHOSEN_ROWS:
        launch = matmul.chosen(count, sharing, outputs, columns, number, "float16")
        return _launched(matmul.CHOSEN, launch, [x.astype(HALF), *blocks.inputs, chosen])
    order = mx.argsort(chosen)
    rows = x.astype(HALF)[order // sharing]
    ends = mx.cumsum(mx.sum(chosen[:, None] == mx.arange(experts), axis=0))
    starts = mx.concatenate([mx.zeros(1, mx.int32), ends.astype(mx.int32)])
    launch = matmul.grouped(count, experts, outputs, columns, number, "float16")
    return _launched(matmul.GROUPED, launch, [rows, *blocks.inputs, starts])[mx.argsort(order)]


def _shape(blocks: Blocks) -> tuple[int, int, int]:
    """Returns outputs, columns and the type's number."""
    weights, size = matmul.block_of(blocks.number)
    outputs, width = blocks.packed.shape
    return outputs, width // size * weights, blocks.number


def _launched(kernel: Kernel, launch: Launch, inputs: list[mx.array]) -> mx.array:
    out: mx.array
    (out,) = _launching(kernel, launch)(inputs=inputs)
    return out


@cache
def _kernel(kernel: Kernel) -> MadeKernel:
    return MadeKernel(kernel, Language.METAL)


@cache
def _launching(kernel: Kernel, launch: Launch) -> Callable[..., list[mx.array]]:
    return _kernel(kernel).launching(launch)
