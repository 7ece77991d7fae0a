"""Per-layer embeddings in plain MLX operations. The table stays as its file has it; rows are dequantized when they are
looked up."""

from __future__ import annotations

import mlx.core as mx
import numpy as np

from mlxr.metal.reference.dequantize import dequantize
from mlxr.metal.reference.products import multiplied
from mlxr.metal.specs import PerLayerEmbeddingSpec
from mlxr.metal.tensor_rows import rows_of
from mlxr.metal.tensors import Tensor
from mlxr.metal.weights import PerLayerEmbeddingWeights


def layer_inputs(
    weights: PerLayerEmbeddingWeights, spec: PerLayerEmbeddingSpec, tokens: mx.array, x: mx.array
) -> mx.array:
    """Returns float32 ``[T, layers, size]``."""
    projected = (multiplied(x, weights.projection) * spec.projection_scale).reshape(-1, spec.layers, spec.size)
    own = rows(weights.table.handle, tokens).reshape(projected.shape)
    return spec.scale * (mx.fast.rms_norm(projected, weights.norm, spec.norm_eps) + spec.table_scale * own)


def rows(table: Tensor, tokens: mx.array) -> mx.array:
    """Returns those of ``table`` for ``tokens`` int32 ``[T]``, float32 ``[T, features]``; row 0 for one outside it."""
    ids = np.array(tokens)
    distinct, at = np.unique(np.where((ids >= 0) & (ids < table.shape[0]), ids, 0), return_inverse=True)
    if not len(ids):
        return mx.zeros((0, table.shape[1]))
    found = [dequantize(rows_of(table, int(row), int(row) + 1)).reshape(-1) for row in distinct]
    return mx.array(np.stack(found)[at])
