"""Drawing tokens by a kernel of our own (``mlxr.metal.gpu.sampling``), where MLX's operations would sort whole rows."""

from __future__ import annotations

from functools import cache

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal.gpu import sampling
from mlxr.metal.gpu.kernel import Language, MadeKernel
from mlxr.metal.gpu.metal_kernel import FEWEST_ON_DEVICE
from mlxr.metal.reference.sampling import best_of
from mlxr.metal.reference.sampling import drawn as drawn_by_sorting
from mlxr.metal.sampling import SamplingBatch


def drawn(logits: mx.array, batch: SamplingBatch, rows: NDArray[np.int32]) -> mx.array:
    """As ``reference.sampling.drawn``: int32 ``[len(rows)]`` of ``logits`` float32 ``[len(rows), V]``."""
    # An array of so few elements is in another address space than the kernel reads.
    if logits.size < FEWEST_ON_DEVICE or (batch.typical_p[rows] < 1).any():
        return drawn_by_sorting(logits, batch, rows)
    options = np.stack([part[rows] for part in (batch.temperature, batch.top_p, batch.min_p, batch.uniform)], axis=1)
    inputs = [logits, mx.array(options.astype(np.float32)), mx.array(batch.top_k[rows].astype(np.int32))]
    tokens: mx.array
    (tokens,) = _kernel()(inputs, sampling.launch(*logits.shape))
    return tokens


def best(logits: mx.array) -> mx.array:
    """As ``reference.sampling.best_of``, on CUDA: one kernel instead of seven."""
    if not logits.size:
        return best_of(logits)
    return _best()([logits], sampling.best(*logits.shape))[0]


@cache
def _best() -> MadeKernel:
    return MadeKernel(sampling.BEST, Language.CUDA)


@cache
def _kernel() -> MadeKernel:
    return MadeKernel(sampling.KERNEL, Language.METAL)
