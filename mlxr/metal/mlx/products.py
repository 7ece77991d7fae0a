"""Products with matrices in MLX's layouts; several matrices that take the same input are multiplied as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import mlx.core as mx

from mlxr.metal.backend import Weight
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.weights import GROUP, HALF, Codes, Matrix, dequantized, joined


def product(x: mx.array, matrix: Matrix, ways: Ways) -> mx.array:
    """``x @ matrix.T`` for 16-bit ``x`` ``[T, in]``: 16-bit ``[T, out]``. Always two dimensions: MLX's fast kernels for
    few rows miss ``[T, 1, in]``."""
    if not isinstance(matrix, Codes):
        return (_wide(x, ways) @ _wide(matrix.values, ways).T).astype(HALF)
    if x.shape[0] >= ways.dense_rows:
        return x @ dequantized(matrix).T
    scales, biases = _wide(matrix.scales, ways), _wide(matrix.biases, ways)
    out = mx.quantized_matmul(_wide(x, ways), matrix.packed, scales, biases, True, GROUP, matrix.bits)
    return out.astype(HALF)


def _wide(x: mx.array, ways: Ways) -> mx.array:
    return x.astype(mx.float32) if ways.wide_sums else x


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
        self._ways = ways
        results = _results(weights, biases, joins or [1] * len(weights))
        self._products: list[tuple[Matrix, list[Result]]] = []
        for _, run in groupby(results, key=lambda result: result.layout):
            same = list(run)
            matrices = [weight.handle for result in same for weight in result.weights]
            matrix = matrices[0] if len(matrices) == 1 else joined(matrices)
            self._products.append((matrix, same))

    def __call__(self, x: mx.array) -> list[mx.array]:
        """16-bit ``[T, out]`` for each result; those multiplied together lie side by side in memory."""
        outs: list[mx.array] = []
        for matrix, results in self._products:
            out, at = product(x, matrix, self._ways), 0
            for result in results:
                part = out if len(results) == 1 else out[:, at : at + result.size]
                outs.append(part if result.bias is None else part + result.bias)
                at += result.size
        return outs


@dataclass(frozen=True, slots=True)
class Result:
    """Matrices of one layout above one another, and their bias, 16-bit ``[size]``."""

    weights: list[Weight]
    size: int
    bias: mx.array | None

    @property
    def layout(self) -> int:
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


def _layout(weight: Weight) -> int:
    matrix: Matrix = weight.handle
    return matrix.bits if isinstance(matrix, Codes) else 0
