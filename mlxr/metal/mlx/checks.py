"""The checks that ``device_checks.py`` runs: each way of ``device.Ways`` against plain float32 arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import mlx.core as mx
import numpy as np

from mlxr.metal.cache import NumberType, attention_group
from mlxr.metal.gpu import recurrence
from mlxr.metal.mlx import few_row_matmul, joined_checks
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.mlx.check_inputs import (
    FEATURES,
    HEAD_DIM,
    HEAD_SHAPES,
    HEADS,
    KV_HEADS,
    ROPE,
    Side,
    agree,
    codes,
    exact_matrix,
    matrix,
    normal,
    of_bits,
    steps_of,
)
from mlxr.metal.mlx.device import ENDLESS, Ways
from mlxr.metal.mlx.experts import ROWS_OF_AN_EXPERT
from mlxr.metal.mlx.matrix_forms import Kind
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
)
from mlxr.metal.weights import (
    AttentionWeights,
    ExpertsWeights,
    GatedDeltaNetWeights,
    Mamba2Weights,
    MLPWeights,
)


def products(kind: Kind, ways: Ways) -> bool:
    """One row, as many as a kernel for some takes, and as many as are multiplied densely."""
    counts = [1, 8, *([ways.dense_rows] if ways.dense_rows != ENDLESS else [])]
    right = all(agree(ways, partial(_product, kind, count)) for count in counts)
    return right and (isinstance(kind, int) or agree(ways, partial(_picked_experts, kind)))


def _product(kind: Kind, rows: int, side: Side) -> mx.array:
    return side.linear(side.weight(codes(kind, 256, 512)))(mx.array(normal(rows, rows, 512)))


def _picked_experts(kind: Kind, side: Side) -> mx.array:
    """A mixture, which multiplies by matrices that it picks; all of them, so that no rounding picks others."""
    router = side.weight(matrix(1, 4, 256))
    gate, up, down = (side.weight(codes(kind, 4 * 256, 256)) for _ in range(3))
    half = side.feed_forward(ExpertsWeights(router, up, down, gate), ExpertsSpec(Activation.SILU, 4, 4))
    x = mx.array(normal(3, 20, 256))
    return mx.concatenate([half(rows) - rows for rows in (x, x[:6])])


def _few_rows(ways: Ways) -> bool:
    """Every form that the kernel is compiled in for a layer of each kind of codes, against plain floats."""
    return all(agree(ways, partial(_dense_half, bits, rows)) for bits, rows in few_row_matmul.checked())


def _dense_half(bits: int, rows: int, side: Side) -> mx.array:
    """A gated half, a layer's four forms of products but the plain one, with that behind it. Of 16 bits are floats."""
    gate, up = (of_bits(side, seed, 512, 320, bits) for seed in range(2))
    down, head = of_bits(side, 2, 320, 512, bits), of_bits(side, 3, 64, 320, bits)
    bias = mx.array(normal(1, 512))
    weights = MLPWeights(up, down, gate, norm=mx.array(normal(2, 320)), gate_bias=bias, up_bias=-bias)
    x = mx.array(normal(rows, rows, 320))
    out = side.feed_forward(weights, MLPSpec(Activation.SILU))(x)
    return mx.concatenate([out - x, side.linear(head)(x)], axis=1)


def _own_experts(ways: Ways) -> bool:
    """Mixtures of codes of both numbers of bits and of floats, and rows that fill a tile, two and four."""
    cases = (4, 1), (8, 1), (16, 1), (4, 9), (8, 32), (16, 32)
    return all(agree(ways, partial(_mixture, bits, rows)) for bits, rows in cases)


def _grouped_experts(ways: Ways) -> bool:
    """Of rows that choose each expert often enough."""
    return all(agree(ways, partial(_mixture, bits, 3 * ROWS_OF_AN_EXPERT)) for bits in (4, 16))


def _mixture(bits: int, rows: int, side: Side) -> mx.array:
    """The router's weights are exact in 16 bits, so that no rounding picks others."""
    router = side.weight(exact_matrix(rows, 8, 320))
    shapes = [(8 * 256, 320), (8 * 256, 320), (8 * 320, 256)]
    gate, up, down = (of_bits(side, seed, *shape, bits) for seed, shape in enumerate(shapes))
    weights = ExpertsWeights(router, up, down, gate, norm=1 + mx.array(normal(2, 320)) / 8)
    x = mx.array(normal(rows, rows, 320))
    return side.feed_forward(weights, ExpertsSpec(Activation.SILU, 8, 3, scale=1.5))(x) - x


def _perceptrons(side: Side) -> mx.array:
    """One with each activation."""
    shapes = [(256, FEATURES), (256, FEATURES), (FEATURES, 256)]
    up, gate, down = (side.weight(matrix(seed, *shape)) for seed, shape in enumerate(shapes))
    weights = MLPWeights(up, down, gate, norm=mx.ones(FEATURES))
    x = mx.array(normal(9, 5, FEATURES))
    return mx.concatenate([side.feed_forward(weights, MLPSpec(activation))(x) - x for activation in Activation])


def _attention(
    ways: Ways,
    steps: list[list[int]],
    rope: Rope | None = None,
    softcap: float = 0.0,
    pages: NumberType = NumberType.HALF,
) -> bool:
    """Steps of some sequences one after another; ``steps[i]`` are the tokens that each runs in step i."""
    spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5, rope, softcap=softcap)

    def attended(side: Side) -> mx.array:
        query, key, value, output = (side.weight(matrix(seed, *shape)) for seed, shape in enumerate(HEAD_SHAPES))
        attend = side.attention(AttentionWeights(query, key, value, output), spec, 0)
        return steps_of(side, attend, attention_group(0, KV_HEADS, HEAD_DIM).typed(pages, pages), steps)

    return agree(ways, attended)


def _step_attention(ways: Ways) -> bool:
    """With pages of each type."""
    steps = [[300, 20, 1], [1, 1, 1], [1, 1, 1]]
    return all(_attention(ways, steps, ROPE, pages=pages) for pages in NumberType)


def _recurrence(ways: Ways) -> bool:
    """The gated delta rule and Mamba-2: sequences from their begin, and some tokens more; and a token of the largest
    heads that a kernel for CUDA takes, of which a thread has the most in registers."""
    kept, width = recurrence.PARTS * recurrence.MOST_KEPT, recurrence.MOST_THREADS // recurrence.PARTS
    largest = GatedDeltaNetSpec(1, 1, kept, width, 2), Mamba2Spec(1, width, 1, kept, 2)
    several = GatedDeltaNetSpec(2, 4, 64, 32, 4), Mamba2Spec(4, 16, 2, 32, 4)
    whole = agree(ways, partial(_recurrences, *several, [[3, 1], [1, 5], [1, 1]]))
    return whole and agree(ways, partial(_recurrences, *largest, [[1], [1]]))


def _recurrences(rule: GatedDeltaNetSpec, mamba: Mamba2Spec, steps: list[list[int]], side: Side) -> mx.array:
    """Of a network and a state space with as many heads."""
    sizes = [rule.channels, rule.values, rule.value_heads, rule.value_heads]
    inputs = [side.weight(matrix(size, size, FEATURES)) for size in sizes]
    taps, head = mx.array(normal(1, rule.channels * rule.taps)), mx.array(np.abs(normal(2, rule.value_heads)))
    delta = GatedDeltaNetWeights(
        query_key_value=inputs[0],
        gate=inputs[1],
        alpha=inputs[2],
        beta=inputs[3],
        output=side.weight(matrix(3, FEATURES, rule.values)),
        convolution=taps,
        decay=-head,
        alpha_bias=head,
        head_norm=mx.ones(rule.value_dim),
        norm=mx.ones(FEATURES),
    )
    states = Mamba2Weights(
        input=side.weight(matrix(4, mamba.inner + mamba.channels + mamba.heads, FEATURES)),
        output=side.weight(matrix(5, FEATURES, mamba.inner)),
        convolution=mx.array(normal(3, mamba.channels * mamba.taps)),
        decay=-head,
        skip=head,
        step_bias=head,
        norm=mx.ones(FEATURES),
        gate_norm=mx.ones(mamba.inner),
    )
    halves = (
        (side.gated_delta_net(delta, rule, 0), rule.cache(0)),
        (side.mamba2(states, mamba, 0), mamba.cache(0)),
    )
    return mx.concatenate([steps_of(side, mix, group, steps) for mix, group in halves])


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
    logits = mx.array(2 * normal(4, rows, 1000))
    ours, theirs = (backend.sample(logits, batch).tokens for backend in (MlxBackend(ways), ReferenceBackend()))
    return bool(mx.array_equal(ours, theirs).item())


def _tables(ways: Ways) -> bool:
    """Rows that are looked up, known and not; a matrix as floats, by as many rows as are multiplied so; the best tokens
    of rows, one of which has none."""
    right = all(agree(ways, partial(_looked_up, bits, min(ways.dense_rows, 256))) for bits in (4, 8, 16))
    logits = normal(3, 4, 5000)
    logits[1, 4000], logits[2, [70, 71]], logits[3] = np.nan, 50.0, -np.inf
    tokens = MlxBackend(ways).sample(mx.array(logits), _greedy(4)).tokens
    return right and tokens.tolist() == [int(logits[0].argmax()), -1, 70, -1]


def _looked_up(bits: int, rows: int, side: Side) -> mx.array:
    tensor = matrix(1, 96, 256) if bits == 16 else codes(bits, 96, 256)
    found = side.embedding(side.table(tensor))(mx.array([5, 95, -1, 96, 0], mx.int32))
    x = mx.array(normal(2, rows, 256))
    return mx.concatenate([found.reshape(-1), side.linear(side.weight(tensor))(x).reshape(-1)])


def _greedy(rows: int) -> SamplingBatch:
    none, one, off = np.zeros(rows, np.float32), np.ones(rows, np.float32), np.zeros(rows, np.int32)
    return SamplingBatch(none, off, one, none, one, one, none, none, none)


CHECKS: dict[str, Callable[[Ways], bool]] = {
    "fused": partial(agree, compute=_perceptrons),
    "rope": partial(_attention, steps=[[1, 5], [1, 1]], rope=ROPE),
    "attention": partial(_attention, steps=[[70], [1], [30]]),
    "in_place": partial(_attention, steps=[[20], [1]]),
    "paged_decode": partial(_attention, steps=[[20, 3, 9], [1, 1, 1]]),
    "few_rows": _few_rows,
    "experts": _own_experts,
    "grouped_experts": _grouped_experts,
    "sampling": _sampling,
    "tables": _tables,
    "recurrence": _recurrence,
    "paged_prefill": partial(_attention, steps=[[70, 3], [30, 1]], softcap=2.0),
    "dense_layers": joined_checks.dense_layers,
    "attention_halves": joined_checks.attention_halves,
    "step_attention": _step_attention,
}
"""By the field of ``Ways`` that each is about. None needs MLX's kernels for codes, which take long to compile."""
