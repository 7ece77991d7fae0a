"""What the device's checks compute with: random tensors, steps of some sequences, and when results agree."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal import affine
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import CacheGroup
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.device import Ways
from mlxr.metal.mlx.matrix_forms import BLOCKS_AS_THEY_ARE, MXFP4, MXFP8, NVFP4, Kind
from mlxr.metal.operations import MixerOperation
from mlxr.metal.pool import PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Rope, RopeStyle
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from mlxr.metal.weights import Weight

Values = NDArray[np.float32]

Side = MlxBackend | ReferenceBackend
"""What is looked at, or what it is held against."""

FEATURES, PAGE = 128, 16
"""Of a layer's rows, how many numbers they have, and how many tokens a page."""

HEADS, KV_HEADS, HEAD_DIM = 4, 2, 64
TOLERANCE = 0.01
"""Of the result's own size: some times what 16-bit floats lose."""

ROPE = Rope(RopeStyle.NORMAL, tuple(10000.0 ** (-2 * i / HEAD_DIM) for i in range(HEAD_DIM // 2)))

HEAD_SHAPES = [(HEADS * HEAD_DIM, FEATURES), *[(KV_HEADS * HEAD_DIM, FEATURES)] * 2, (FEATURES, HEADS * HEAD_DIM)]
"""Outputs and inputs of the matrices of attention."""


def agree(ways: Ways, compute: Callable[[Side], mx.array]) -> bool:
    """Whether ``ways`` give what plain arithmetic does, nearly."""
    own, plain = (np.array(compute(side), np.float64) for side in (MlxBackend(ways), ReferenceBackend()))
    return bool(np.sqrt(((own - plain) ** 2).mean()) < TOLERANCE * np.sqrt((plain**2).mean()))


def normal(seed: int, *shape: int) -> Values:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def matrix(seed: int, outputs: int, inputs: int) -> Tensor:
    """Returns a float32 matrix whose products are about as large as what it multiplies."""
    values = normal(seed, outputs, inputs) / np.float32(inputs**0.5)
    return Tensor("w", TensorType.F32, values.shape, values.view(np.uint8))


def exact_matrix(seed: int, outputs: int, inputs: int) -> Tensor:
    """As ``matrix``, of numbers that 16 bits hold exactly."""
    values = np.round(16 * normal(seed, outputs, inputs)) / np.float32(256)
    return Tensor("w", TensorType.F32, values.shape, values.view(np.uint8))


def codes(kind: Kind, outputs: int, inputs: int) -> Tensor:
    """Random codes under scales of one size."""
    random = np.random.default_rng(5)
    if kind == BLOCKS_AS_THEY_ARE:
        blocks = random.integers(0, 256, (outputs, inputs // 256, 84), dtype=np.uint8)
        blocks[..., 80:] = np.array([0.01, 0.02], np.float16).view(np.uint8)
        return Tensor("w", TensorType.Q2_K, (outputs, inputs), blocks.reshape(outputs, -1))
    if isinstance(kind, int):
        packed = random.integers(0, 256, (outputs, inputs * kind // 8), dtype=np.uint8)
        scales = np.full((outputs, inputs // 32), 0.01, np.float32)
        return affine.affine("w", (outputs, inputs), kind, 32, packed, scales, -scales * 2 ** (kind - 1))
    type, scale, places = {
        MXFP4: (TensorType.MXFP4, 120, 1),
        MXFP8: (TensorType.MXFP8, 120, 1),
        NVFP4: (TensorType.NVFP4, 0x18, 4),
    }[kind]
    values, size = BLOCKS[type]
    blocks = random.integers(0, 0x7F, (outputs, inputs // values, size), dtype=np.uint8)
    blocks[..., :places] = scale
    return Tensor("w", type, (outputs, inputs), blocks.reshape(outputs, -1))


def of_bits(side: Side, seed: int, outputs: int, inputs: int, bits: int) -> Weight:
    """Returns a matrix of codes of so many ``bits``, or of floats where they are 16."""
    return side.weight(matrix(seed, outputs, inputs) if bits == 16 else codes(bits, outputs, inputs))


def steps_of(backend: Side, mix: MixerOperation, group: CacheGroup, steps: list[list[int]]) -> mx.array:
    """Returns what a half adds to the rows of some steps, of a layer number 0."""
    pool = backend.pool(PoolSpec.even([group], 64, PAGE))
    done = [0] * len(steps[0])
    parts = []
    for number, counts in enumerate(steps):
        batch = batch_of(counts, done)
        x = mx.array(normal(number, batch.tokens, FEATURES))
        parts.append(mix(x, backend.on_device(batch), pool) - x)
        mx.eval(parts[-1], backend.barrier(pool))
        done = [before + count for before, count in zip(done, counts, strict=True)]
    return mx.concatenate(parts)


def batch_of(counts: list[int], done: list[int]) -> Batch:
    """Sequence i has every so many-th page from page i on."""
    sequences = len(counts)
    contexts = [before + count for before, count in zip(done, counts, strict=True)]
    width = -(-max(contexts) // PAGE)
    tables = (np.arange(width)[None] * sequences + np.arange(sequences)[:, None]).astype(np.int32)
    spans = [np.arange(before, context) for before, context in zip(done, contexts, strict=True)]
    slots = [tables[i, span // PAGE] * PAGE + span % PAGE for i, span in enumerate(spans)]
    return Batch(
        np.cumsum([0, *counts]).astype(np.int32),
        np.array(contexts, np.int32),
        np.concatenate(spans).astype(np.int32),
        (GroupTables(np.concatenate(slots).astype(np.int32), tables, PAGE),),
    )
