"""What is computed row by row outside layers: embeddings, plain products, logits."""

from __future__ import annotations

import mlx.core as mx

from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.few_row_matmul import FewRows, Norm, takes
from mlxr.metal.mlx.matrix_forms import HALF
from mlxr.metal.mlx.norms import normed
from mlxr.metal.mlx.products import product
from mlxr.metal.mlx.tables import EveryRow, embedded
from mlxr.metal.operations import EmbeddingOperation, HeadOperation, RowOperation
from mlxr.metal.specs import NormKind
from mlxr.metal.weights import Weight


def embedding(table: Weight, scale: float, ways: Ways) -> EmbeddingOperation:
    def look_up(tokens: mx.array) -> mx.array:
        rows = embedded(table.handle.matrix, tokens, ways)
        return rows if scale == 1.0 else rows * scale

    return look_up


def linear(weight: Weight, bias: mx.array | None, ways: Ways) -> RowOperation:
    def multiply(x: mx.array) -> mx.array:
        if not x.shape[0]:  # MLX's products divide by the number of rows
            return mx.zeros((0, weight.shape[0]))
        if few is not None and few.takes(x.shape[0]):
            return few.plain(x.astype(HALF), "float32")
        out = product(x.astype(HALF), weight.handle.matrix, ways).astype(mx.float32)
        return out if bias is None else out + bias

    few = FewRows(weight.handle.matrix, bias) if ways.few_rows and takes(weight.handle.matrix) else None
    return multiply


def head(
    matrix: Weight,
    norm: mx.array,
    norm_eps: float,
    softcap: float,
    kind: NormKind,
    norm_bias: mx.array | None,
    bias: mx.array | None,
    ways: Ways,
) -> HeadOperation:
    multiply, few = linear(matrix, bias, ways), None
    if ways.few_rows and takes(matrix.handle.matrix) and kind is NormKind.RMS and norm_bias is None:
        few = FewRows(matrix.handle.matrix, bias, Norm(norm, norm_eps))
    every = EveryRow()

    def logits(x: mx.array, rows: mx.array) -> mx.array:
        read = x if every.of(x.shape[0], rows) else x[rows]
        if few is not None and few.takes(read.shape[0]):
            out = few.plain(read, "float32")
        else:
            out = multiply(normed(read, norm, norm_eps, kind, norm_bias))
        return softcap * mx.tanh(out / softcap) if softcap else out

    return logits
