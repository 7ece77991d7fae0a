"""The checks that ``device_checks.py`` runs: each way of ``device.Ways`` against plain float32 arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import mlx.core as mx
import numpy as np
from numpy.typing import NDArray

from mlxr.metal import affine
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import CacheGroup, attention_group
from mlxr.metal.gpu import recurrence
from mlxr.metal.mlx import few_rows
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.dense_layers import grid_memory
from mlxr.metal.mlx.device import ENDLESS, Ways
from mlxr.metal.mlx.matrix_forms import BLOCKS_AS_THEY_ARE, MXFP4, MXFP8, NVFP4, Kind
from mlxr.metal.operations import FeedForwardOperation, MixerOperation
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.sampling import SamplingBatch
from mlxr.metal.specs import (
    Activation,
    AttentionSpec,
    ExpertsSpec,
    GatedDeltaNetSpec,
    Mamba2Spec,
    MLPSpec,
    Rope,
    RopeStyle,
)
from mlxr.metal.tensors import BLOCKS, Tensor, TensorType
from mlxr.metal.weights import (
    AttentionWeights,
    ExpertsWeights,
    GatedDeltaNetWeights,
    Mamba2Weights,
    MLPWeights,
    Weight,
)

Values = NDArray[np.float32]

FEATURES, HEADS, KV_HEADS, HEAD_DIM, PAGE = 128, 4, 2, 64, 16
TOLERANCE = 0.01
"""Of the result's own size: some times what 16-bit floats lose."""

ROPE = Rope(RopeStyle.NORMAL, tuple(10000.0 ** (-2 * i / HEAD_DIM) for i in range(HEAD_DIM // 2)))


def _near(ours: mx.array, theirs: mx.array) -> bool:
    own, expected = np.array(ours, np.float64), np.array(theirs, np.float64)
    return bool(np.sqrt(((own - expected) ** 2).mean()) < TOLERANCE * np.sqrt((expected**2).mean()))


def _normal(seed: int, *shape: int) -> Values:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _matrix(seed: int, outputs: int, inputs: int) -> Tensor:
    values = _normal(seed, outputs, inputs) / np.float32(inputs**0.5)
    return Tensor("w", TensorType.F32, values.shape, values.view(np.uint8))


def _codes(kind: Kind, outputs: int, inputs: int) -> Tensor:
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


def products(kind: Kind, ways: Ways) -> bool:
    """One row, as many as a kernel for some takes, and as many as are multiplied densely."""
    own, reference = MlxBackend(ways), ReferenceBackend()
    tensor = _codes(kind, 256, 512)
    ours, theirs = own.linear(own.weight(tensor)), reference.linear(reference.weight(tensor))
    counts = [1, 8, *([ways.dense_rows] if ways.dense_rows != ENDLESS else [])]
    inputs = [mx.array(_normal(count, count, 512)) for count in counts]
    right = all(_near(ours(x), theirs(x)) for x in inputs)
    return right and (isinstance(kind, int) or _of_experts(kind, ways))


def _few_rows(ways: Ways) -> bool:
    """Every form that the kernel is compiled in for a layer of each kind of codes, against plain floats."""
    right = True
    for bits, rows in few_rows.checked():
        x = mx.array(_normal(rows, rows, 320))
        ours, theirs = (_dense_half(backend, bits)(x) for backend in (MlxBackend(ways), ReferenceBackend()))
        right = right and _near(ours, theirs)
    return right


def _dense_half(backend: MlxBackend | ReferenceBackend, bits: int) -> Callable[[mx.array], mx.array]:
    """A gated half, a layer's four forms of products but the plain one, with that behind it. Of 16 bits are floats."""

    def weight(seed: int, outputs: int, inputs: int) -> Weight:
        return backend.weight(_matrix(seed, outputs, inputs) if bits == 16 else _codes(bits, outputs, inputs))

    gate, up = (weight(seed, 512, 320) for seed in range(2))
    down, head = weight(2, 320, 512), weight(3, 64, 320)
    bias = mx.array(_normal(1, 512))
    weights = MLPWeights(up, down, gate, norm=mx.array(_normal(2, 320)), gate_bias=bias, up_bias=-bias)
    half = backend.feed_forward(weights, MLPSpec(Activation.SILU))
    multiply = backend.linear(head)

    def run(x: mx.array) -> mx.array:
        out = half(x)
        return mx.concatenate([out - x, multiply(x)], axis=1)

    return run


def _own_experts(ways: Ways) -> bool:
    """Mixtures of codes of both numbers of bits and of floats, and rows that fill a tile, two and four. The router's
    weights are exact in 16 bits, so that no rounding picks others."""
    spec = ExpertsSpec(Activation.SILU, 8, 3, scale=1.5)
    right = True
    for bits, rows in ((4, 1), (8, 1), (16, 1), (4, 9), (8, 32), (16, 32)):
        outs = []
        for backend in (MlxBackend(ways), ReferenceBackend()):
            router = backend.weight(_exact_matrix(rows, 8, 320))
            gate, up, down = (
                backend.weight(_matrix(seed, *shape) if bits == 16 else _codes(bits, *shape))
                for seed, shape in enumerate([(8 * 256, 320), (8 * 256, 320), (8 * 320, 256)])
            )
            weights = ExpertsWeights(router, up, down, gate, norm=1 + mx.array(_normal(2, 320)) / 8)
            half = backend.feed_forward(weights, spec)
            x = mx.array(_normal(rows, rows, 320))
            outs.append(half(x) - x)
        right = right and _near(*outs)
    return right


def _exact_matrix(seed: int, outputs: int, inputs: int) -> Tensor:
    values = np.round(16 * _normal(seed, outputs, inputs)) / np.float32(256)
    return Tensor("w", TensorType.F32, values.shape, values.view(np.uint8))


def _of_experts(kind: Kind, ways: Ways) -> bool:
    """A mixture, which multiplies by matrices that it picks; all of them, so that no rounding picks others."""
    outs = []
    for backend in (MlxBackend(ways), ReferenceBackend()):
        router = backend.weight(_matrix(1, 4, 256))
        gate, up, down = (backend.weight(_codes(kind, 4 * 256, 256)) for _ in range(3))
        half = backend.feed_forward(ExpertsWeights(router, up, down, gate), ExpertsSpec(Activation.SILU, 4, 4))
        x = mx.array(_normal(3, 20, 256))
        outs.append(mx.concatenate([half(rows) - rows for rows in (x, x[:6])]))
    return _near(*outs)


def _feed_forward(ways: Ways) -> bool:
    outs = []
    for backend in (MlxBackend(ways), ReferenceBackend()):
        up, gate, down = (
            backend.weight(_matrix(seed, *shape))
            for seed, shape in enumerate([(256, FEATURES), (256, FEATURES), (FEATURES, 256)])
        )
        weights = MLPWeights(up, down, gate, norm=mx.ones(FEATURES))
        x = mx.array(_normal(9, 5, FEATURES))
        halves = [backend.feed_forward(weights, MLPSpec(activation)) for activation in Activation]
        outs.append(mx.concatenate([half(x) - x for half in halves]))
    return _near(*outs)


def _attention(ways: Ways, steps: list[list[int]], rope: Rope | None = None, softcap: float = 0.0) -> bool:
    """Steps of some sequences one after another; ``steps[i]`` are the tokens that each runs in step i."""
    spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5, rope, softcap=softcap)
    outs = []
    for backend in (MlxBackend(ways), ReferenceBackend()):
        shapes = [(HEADS * HEAD_DIM, FEATURES), *[(KV_HEADS * HEAD_DIM, FEATURES)] * 2, (FEATURES, HEADS * HEAD_DIM)]
        query, key, value, output = (backend.weight(_matrix(seed, *shape)) for seed, shape in enumerate(shapes))
        attend = backend.attention(AttentionWeights(query, key, value, output), spec, 0)
        outs.append(_steps_of(backend, attend, attention_group(0, KV_HEADS, HEAD_DIM), steps))
    return _near(*outs)


def _steps_of(
    backend: MlxBackend | ReferenceBackend, mix: MixerOperation, group: CacheGroup, steps: list[list[int]]
) -> mx.array:
    """What a half adds to the rows of some steps, of a layer number 0."""
    pool = backend.pool(PoolSpec.even([group], 64, PAGE))
    done = [0] * len(steps[0])
    parts = []
    for number, counts in enumerate(steps):
        batch = _batch(counts, done)
        x = mx.array(_normal(number, batch.tokens, FEATURES))
        parts.append(mix(x, backend.on_device(batch), pool) - x)
        mx.eval(parts[-1], backend.barrier(pool))
        done = [before + count for before, count in zip(done, counts, strict=True)]
    return mx.concatenate(parts)


def _batch(counts: list[int], done: list[int]) -> Batch:
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


def _dense_layers(ways: Ways) -> bool:
    """Two layers as one kernel, of codes of both numbers of bits and of floats: a sequence alone, and three. Its blocks
    wait for each other: where they do so for ever, all is wrong."""
    grid, right = grid_memory(), True
    grid.forget(mild=True)
    try:
        for bits, steps in ((4, [[300], [1]]), (8, [[20, 300, 3], [1, 1, 1], [1, 1, 1]]), (16, [[20], [1]])):
            outs = []
            for backend in (MlxBackend(ways), ReferenceBackend()):
                group = replace(attention_group(0, KV_HEADS, HEAD_DIM), layers=(0, 1))
                outs.append(_steps_of(backend, _two_layers(backend, bits), group, steps))
            right = right and _near(*outs) and not grid.broken
    finally:
        grid.forget()
    return right


def _two_layers(backend: MlxBackend | ReferenceBackend, bits: int) -> MixerOperation:
    def weight(seed: int, outputs: int, inputs: int) -> Weight:
        return backend.weight(_matrix(seed, outputs, inputs) if bits == 16 else _codes(bits, outputs, inputs))

    spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5, ROPE)
    shapes = [(HEADS * HEAD_DIM, FEATURES), *[(KV_HEADS * HEAD_DIM, FEATURES)] * 2, (FEATURES, HEADS * HEAD_DIM)]
    layers: list[tuple[MixerOperation, FeedForwardOperation]] = []
    for number in range(2):
        query, key, value, output = (weight(seed, *shape) for seed, shape in enumerate(shapes))
        of_heads = AttentionWeights(query, key, value, output, norm=1 + mx.array(_normal(4, FEATURES)) / 8)
        up, gate, down = (weight(5, 320, FEATURES), weight(6, 320, FEATURES), weight(7, FEATURES, 320))
        half = MLPWeights(up, down, gate, norm=1 + mx.array(_normal(8, FEATURES)) / 8)
        layers.append((backend.attention(of_heads, spec, number), backend.feed_forward(half, MLPSpec(Activation.SILU))))

    joined = backend.joined(layers)

    def run(x: mx.array, step: Any, pool: Pool | None) -> mx.array:
        if joined is not None:
            return list(joined(x, step, pool))[-1]
        for mix, feed_forward in layers:
            x = feed_forward(mix(x, step, pool), step)
        return x

    return run


def _recurrence(ways: Ways) -> bool:
    """The gated delta rule and Mamba-2: sequences from their begin, and some tokens more; and a token of the largest
    heads that a kernel for CUDA takes, of which a thread has the most in registers."""
    kept, width = recurrence.PARTS * recurrence.MOST_KEPT, recurrence.MOST_THREADS // recurrence.PARTS
    largest = GatedDeltaNetSpec(1, 1, kept, width, 2), Mamba2Spec(1, width, 1, kept, 2)
    several = GatedDeltaNetSpec(2, 4, 64, 32, 4), Mamba2Spec(4, 16, 2, 32, 4)
    return _recurrences(ways, *several, [[3, 1], [1, 5], [1, 1]]) and _recurrences(ways, *largest, [[1], [1]])


def _recurrences(ways: Ways, rule: GatedDeltaNetSpec, mamba: Mamba2Spec, steps: list[list[int]]) -> bool:
    """Of a network and a state space with as many heads."""
    outs = []
    for backend in (MlxBackend(ways), ReferenceBackend()):
        sizes = [rule.channels, rule.values, rule.value_heads, rule.value_heads]
        inputs = [backend.weight(_matrix(size, size, FEATURES)) for size in sizes]
        taps, head = mx.array(_normal(1, rule.channels * rule.taps)), mx.array(np.abs(_normal(2, rule.value_heads)))
        delta = GatedDeltaNetWeights(
            query_key_value=inputs[0],
            gate=inputs[1],
            alpha=inputs[2],
            beta=inputs[3],
            output=backend.weight(_matrix(3, FEATURES, rule.values)),
            convolution=taps,
            decay=-head,
            alpha_bias=head,
            head_norm=mx.ones(rule.value_dim),
            norm=mx.ones(FEATURES),
        )
        states = Mamba2Weights(
            input=backend.weight(_matrix(4, mamba.inner + mamba.channels + mamba.heads, FEATURES)),
            output=backend.weight(_matrix(5, FEATURES, mamba.inner)),
            convolution=mx.array(_normal(3, mamba.channels * mamba.taps)),
            decay=-head,
            skip=head,
            step_bias=head,
            norm=mx.ones(FEATURES),
            gate_norm=mx.ones(mamba.inner),
        )
        halves = (
            (backend.gated_delta_net(delta, rule, 0), rule.cache(0)),
            (backend.mamba2(states, mamba, 0), mamba.cache(0)),
        )
        outs.append(mx.concatenate([_steps_of(backend, mix, group, steps) for mix, group in halves]))
    return _near(*outs)


def _sampling(ways: Ways) -> bool:
    """Rows with each filter, whose random numbers are far from where another token begins."""
    rows, none = 6, np.ones(6, np.float32)
    temperature = np.array([0, 1, 0.7, 1.3, 1, 2], np.float32)
    batch = SamplingBatch(
        temperature=temperature,
        top_k=np.array([0, 0, 0, 0, 20, 3], np.int32),
        top_p=np.array([1, 1, 0.9, 1, 0.8, 1], np.float32),
        min_p=np.array([0, 0, 0, 0.1, 0.05, 0], np.float32),
        typical_p=none,
        repetition_penalty=none,
        presence_penalty=0 * none,
        frequency_penalty=0 * none,
        uniform=np.array([0.5, 0.3, 0.8, 0.95, 0.6, 0.9], np.float32),
    )
    logits = mx.array(2 * _normal(4, rows, 1000))
    ours, theirs = (backend.sample(logits, batch).tokens for backend in (MlxBackend(ways), ReferenceBackend()))
    return bool(mx.array_equal(ours, theirs).item())


def _tables(ways: Ways) -> bool:
    """Rows that are looked up, known and not; a matrix as floats, by as many rows as are multiplied so; the best tokens
    of rows, one of which has none."""
    right = True
    for bits in (4, 8, 16):
        outs = []
        for backend in (MlxBackend(ways), ReferenceBackend()):
            tensor = _matrix(1, 96, 256) if bits == 16 else _codes(bits, 96, 256)
            rows = backend.embedding(backend.table(tensor))(mx.array([5, 95, -1, 96, 0], mx.int32))
            x = mx.array(_normal(2, min(ways.dense_rows, 256), 256))
            outs.append(mx.concatenate([rows.reshape(-1), backend.linear(backend.weight(tensor))(x).reshape(-1)]))
        right = right and _near(*outs)
    logits = _normal(3, 4, 5000)
    logits[1, 4000], logits[2, [70, 71]], logits[3] = np.nan, 50.0, -np.inf
    tokens = MlxBackend(ways).sample(mx.array(logits), _greedy(4)).tokens
    return right and tokens.tolist() == [int(logits[0].argmax()), -1, 70, -1]


def _greedy(rows: int) -> SamplingBatch:
    none, one, off = np.zeros(rows, np.float32), np.ones(rows, np.float32), np.zeros(rows, np.int32)
    return SamplingBatch(none, off, one, none, one, one, none, none, none)


CHECKS: dict[str, Callable[[Ways], bool]] = {
    "fused": _feed_forward,
    "rope": partial(_attention, steps=[[1, 5], [1, 1]], rope=ROPE),
    "attention": partial(_attention, steps=[[70], [1], [30]]),
    "in_place": partial(_attention, steps=[[20], [1]]),
    "paged_decode": partial(_attention, steps=[[20, 3, 9], [1, 1, 1]]),
    "few_rows": _few_rows,
    "experts": _own_experts,
    "sampling": _sampling,
    "tables": _tables,
    "recurrence": _recurrence,
    "paged_prefill": partial(_attention, steps=[[70, 3], [30, 1]], softcap=2.0),
    "dense_layers": _dense_layers,
    "step_attention": partial(_attention, steps=[[300, 20, 1], [1, 1, 1], [1, 1, 1]], rope=ROPE),
}
"""By the field of ``Ways`` that each is about. None needs MLX's kernels for codes, which take long to compile."""
