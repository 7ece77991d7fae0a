"""Products with matrices in MLX's layouts; several matrices that take the same input are multiplied as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

import mlx.core as mx

from mlxr.metal.mlx import few_row_matmul, own_blocks
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.matrix_forms import (
    HALF,
    Blocks,
    Codes,
    Floats,
    Matrix,
    joined,
    rows_of,
    split,
    unsplit,
)
from mlxr.metal.mlx.tables import dense, dense_rows
from mlxr.metal.weights import Weight

BLOCK = 128
"""Outputs that a block of MLX's CUDA kernel for several rows computes."""

LEAST_INPUTS = 64
"""What it takes inputs in."""


def product(x: mx.array, matrix: Matrix, ways: Ways) -> mx.array:
    """``x @ matrix.T`` for 16-bit ``x`` ``[T, in]``: 16-bit ``[T, out]``. Always two dimensions: MLX's fast kernels for
    few rows miss ``[T, 1, in]``."""
    if isinstance(matrix, Blocks):
        return own_blocks.multiplied(x, matrix)
    if isinstance(matrix, Floats):
        return (_wide(x, ways) @ _wide(matrix.values, ways).T).astype(HALF)
    if x.shape[0] >= dense_rows(matrix, ways):
        return x @ dense(matrix, ways).T
    return _quantized(x, matrix, ways)


def _quantized(x: mx.array, codes: Codes, ways: Ways) -> mx.array:
    wide = _wide(x, ways)
    scales, biases = codes.wide(wide.dtype)
    out = mx.quantized_matmul(wide, codes.packed, scales, biases, True, codes.group, codes.bits, codes.mode)
    return out.astype(HALF)


def _wide(x: mx.array, ways: Ways) -> mx.array:
    return x.astype(mx.float32) if ways.wide_sums else x


def head_products(x: mx.array, matrix: Matrix, ways: Ways) -> mx.array:
    """Returns the products of 16-bit ``x`` ``[heads, T, in]`` with each head's own matrix, which lie above one another
    in ``matrix`` ``[heads * out, in]``: 16-bit ``[heads, T, out]``."""
    heads = x.shape[0]
    if isinstance(matrix, Blocks):
        return own_blocks.of_heads(x, matrix)
    if isinstance(matrix, Floats):
        values = matrix.values.reshape(heads, -1, matrix.values.shape[1])
        return (_wide(x, ways) @ _wide(values, ways).swapaxes(1, 2)).astype(HALF)
    apart = matrix.of([array.reshape(heads, -1, array.shape[-1]) for array in matrix.arrays])
    return _quantized(x, apart, ways)


class SplitProduct:
    """The product of matrices above one another, and a bias. It is computed as a sum of parts where few outputs of many
    inputs would leave most of a GPU idle: MLX computes 128 outputs a block.

    The weights' own matrices are parts of what is kept here from now on. ``codes`` and ``few``: the matrix, and its
    product for few rows, where a kernel of our own takes it. ``sizes``: outputs of each weight.
    """

    def __init__(self, weights: Sequence[Weight], bias: mx.array | None, ways: Ways) -> None:
        self._ways = ways
        self.bias = None if bias is None else bias.astype(HALF)
        self.sizes = [weight.shape[0] for weight in weights]
        matrices: list[Matrix] = [weight.handle.matrix for weight in weights]
        whole = matrices[0] if len(matrices) == 1 else joined(matrices)
        outputs, inputs = sum(weight.shape[0] for weight in weights), weights[0].shape[1]
        self.codes = whole if not isinstance(whole, Blocks) and ways.few_rows and few_row_matmul.takes(whole) else None
        self.few = None if self.codes is None else few_row_matmul.FewRows(self.codes, self.bias)
        self.parts = _parts(whole, outputs, inputs, ways) if self.few is None else 1
        self._matrix = split(whole, self.parts) if self.parts > 1 and isinstance(whole, Codes) else whole
        whole, begin = self._unsplit(), 0
        for weight in weights:
            weight.handle.matrix = rows_of(whole, begin, begin + weight.shape[0]) if len(weights) > 1 else whole
            begin += weight.shape[0]

    def __call__(self, x: mx.array) -> mx.array:
        """16-bit ``[T, out]`` of 16-bit ``x`` ``[T, in]``."""
        if self.few is not None and self.few.takes(x.shape[0]):
            return self.few.plain(x)
        out = self._multiplied(x)
        return out if self.bias is None else out + self.bias

    def _multiplied(self, x: mx.array) -> mx.array:
        rows = x.shape[0]
        if self.parts == 1 or not isinstance(self._matrix, Codes):
            return product(x, self._matrix, self._ways)
        if rows >= self._ways.dense_rows:
            return product(x, self._unsplit(), self._ways)
        columns = x.reshape(self.parts, 1, -1) if rows == 1 else x.reshape(rows, self.parts, -1).swapaxes(0, 1)
        return mx.sum(_quantized(columns, self._matrix, self._ways), axis=0)

    def _unsplit(self) -> Matrix:
        return unsplit(self._matrix) if self.parts > 1 and isinstance(self._matrix, Codes) else self._matrix


@dataclass(frozen=True, slots=True)
class Part:
    """Where a matrix's outputs are: from column ``at`` on in what product number ``product`` gives."""

    product: int
    at: int


class Projections:
    """Some matrices' products with one input, with biases: as few products as their types allow.

    ``joins``: how many matrices each result covers, one after another; one each if not given.
    """

    def __init__(
        self,
        weights: Sequence[Weight],
        biases: Sequence[mx.array | None],
        ways: Ways,
        joins: Sequence[int] | None = None,
    ) -> None:
        results = _results(weights, biases, joins or [1] * len(weights))
        self.products: list[SplitProduct] = []
        self._results: list[list[Result]] = []
        for _, run in groupby(results, key=lambda result: result.layout):
            same = list(run)
            self.products.append(SplitProduct([w for result in same for w in result.weights], _joined_bias(same), ways))
            self._results.append(same)

    def __call__(self, x: mx.array) -> list[mx.array]:
        """16-bit ``[T, out]`` for each result; those multiplied together lie side by side in memory."""
        outs: list[mx.array] = []
        for out, results in zip(self.joined(x), self._results, strict=True):
            at = 0
            for result in results:
                outs.append(out if len(results) == 1 else out[:, at : at + result.size])
                at += result.size
        return outs

    def joined(self, x: mx.array) -> list[mx.array]:
        """16-bit ``[T, out]`` of each of ``products``."""
        return [product(x) for product in self.products]

    @property
    def parts(self) -> list[Part]:
        """Where each matrix's outputs are in what ``joined`` gives."""
        parts = []
        for index, product in enumerate(self.products):
            parts += [Part(index, at) for at in accumulate(product.sizes[:-1], initial=0)]
        return parts


def _joined_bias(results: Sequence[Result]) -> mx.array | None:
    if all(result.bias is None for result in results):
        return None
    return mx.concatenate([mx.zeros(r.size, HALF) if r.bias is None else r.bias for r in results])


def _parts(matrix: Matrix, outputs: int, inputs: int, ways: Ways) -> int:
    """The fewest parts, a power of 2, that occupy ``ways.blocks`` blocks, as far as MLX's kernel can compute them."""
    parts = 1
    if not isinstance(matrix, Codes) or outputs % BLOCK:
        return parts
    least = max(LEAST_INPUTS, matrix.group)
    while parts * outputs // BLOCK < ways.blocks and inputs % (2 * parts * least) == 0:
        parts *= 2
    return parts


@dataclass(frozen=True, slots=True)
class Result:
    """Matrices of one layout above one another, and their bias, 16-bit ``[size]``."""

    weights: list[Weight]
    size: int
    bias: mx.array | None

    @property
    def layout(self) -> tuple[object, ...]:
        return _layout(self.weights[0])


def same_layout(*weights: Weight) -> bool:
    """Whether the weights can be multiplied as one."""
    return len({_layout(weight) for weight in weights}) == 1


def _results(weights: Sequence[Weight], biases: Sequence[mx.array | None], joins: Sequence[int]) -> list[Result]:
    results, at = [], 0
    for count in joins:
        of, bias = list(weights[at : at + count]), list(biases[at : at + count])
        given = [mx.zeros(w.shape[0]) if b is None else b for w, b in zip(of, bias, strict=True)]
        whole = None if all(b is None for b in bias) else mx.concatenate(given).astype(HALF)
        results.append(Result(of, sum(weight.shape[0] for weight in of), whole))
        at += count
    return results


def _layout(weight: Weight) -> tuple[object, ...]:
    matrix: Matrix = weight.handle.matrix
    return matrix.layout
