"""The reference backend's operations, held against NumPy."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import Activation, AttentionSpec, MLPSpec, Rope, RopeStyle
from mlxr.metal.tensors import Tensor, TensorType
from mlxr.metal.weights import AttentionWeights, MLPWeights, Weight
from tests.metal.backends import same_rows
from tests.metal.batches import pool_spec, ragged
from tests.oracle import formulas

BACKEND = ReferenceBackend()
WIDTH, HEADS, KV_HEADS, HEAD_DIM = 48, 4, 2, 16
POOL = pool_spec(layers=1, pages=40, page_size=16, kv_heads=KV_HEADS, head_dim=HEAD_DIM)
ROPE = Rope(RopeStyle.NORMAL, tuple(10000.0 ** (-np.arange(0, HEAD_DIM, 2) / HEAD_DIM)))
SPEC = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, 0.3, ROPE)
RNG = np.random.default_rng(11)

Matrix = NDArray[np.float32]


def weight_of(values: Matrix) -> Weight:
    return BACKEND.weight(Tensor("w", TensorType.F32, values.shape, values.view(np.uint8)))


def random(*shape: int) -> Matrix:
    return RNG.normal(0, 0.3, shape).astype(np.float32)


QUERY, KEY, VALUE = (
    random(HEADS * HEAD_DIM, WIDTH),
    random(KV_HEADS * HEAD_DIM, WIDTH),
    random(KV_HEADS * HEAD_DIM, WIDTH),
)
OUTPUT = random(WIDTH, HEADS * HEAD_DIM)
WEIGHTS = AttentionWeights(weight_of(QUERY), weight_of(KEY), weight_of(VALUE), weight_of(OUTPUT))


def expected_attention(x: Matrix, spec: AttentionSpec, sinks: Matrix | None = None) -> Matrix:
    """One whole sequence."""
    angles = formulas.rope_angles(len(x), HEAD_DIM, 10000.0)
    turn = formulas.rope_neighbours if spec.rope and spec.rope.style is RopeStyle.NORMAL else formulas.rope_halves
    queries = (x @ QUERY.T).reshape(len(x), HEADS, HEAD_DIM)
    keys = (x @ KEY.T).reshape(len(x), KV_HEADS, HEAD_DIM)
    values = (x @ VALUE.T).reshape(len(x), KV_HEADS, HEAD_DIM)
    if spec.rope:
        queries, keys = turn(queries, angles), turn(keys, angles)
    out = np.empty((len(x), HEADS, HEAD_DIM))
    for head in range(HEADS):
        for at in range(len(x)):
            first = max(0, at + 1 - spec.window) if spec.window else 0
            seen = slice(first, at + 1) if spec.causal else slice(None)
            scores = keys[seen, head // 2] @ queries[at, head] * spec.scale
            if spec.softcap:
                scores = spec.softcap * np.tanh(scores / spec.softcap)
            weights = np.exp(scores)
            out[at, head] = (
                weights @ values[seen, head // 2] / (weights.sum() + (np.exp(sinks[head]) if sinks is not None else 0))
            )
    return x + out.reshape(len(x), -1) @ OUTPUT.T


def run(
    x: Matrix, batch: Batch, pool: Pool | None, spec: AttentionSpec = SPEC, weights: AttentionWeights = WEIGHTS
) -> Matrix:
    return np.array(BACKEND.attention(weights, spec, 0)(mx.array(x), BACKEND.on_device(batch), pool))


def run_mlp(x: Matrix, weights: MLPWeights, activation: Activation) -> Matrix:
    return np.array(BACKEND.feed_forward(weights, MLPSpec(activation))(mx.array(x)))


VARIANTS = {
    "causal": SPEC,
    "without rope": replace(SPEC, rope=None),
    "halves turned together": replace(SPEC, rope=replace(ROPE, style=RopeStyle.NEOX)),
    "window": replace(SPEC, window=7),
    "softcap": replace(SPEC, softcap=0.5),
}


@pytest.mark.parametrize("spec", VARIANTS.values(), ids=VARIANTS.keys())
def test_a_prefill_and_decode_steps_over_pages_give_whole_sequence_attention(spec: AttentionSpec) -> None:
    x, pool = random(50, WIDTH), BACKEND.pool(POOL)
    expected = expected_attention(x, spec)
    for start, end in ((0, 20), (20, 45), (45, 46), (46, 47), (47, 50)):
        (whole,) = ragged([50], [0], 16, 40).groups
        batch = replace(ragged([end - start], [start], 16, 40), groups=(replace(whole, slots=whole.slots[start:end]),))
        assert np.abs(run(x[start:end], batch, pool, spec) - expected[start:end]).max() < 1e-5


def test_sequences_of_one_step_do_not_see_each_other() -> None:
    lengths = [3, 1, 20, 1, 0, 3]
    parts = [random(n, WIDTH) for n in lengths]
    out = run(np.concatenate(parts), ragged(lengths, [0] * 6, 16, 40), BACKEND.pool(POOL))
    for part, start in zip(parts, np.cumsum([0, *lengths]), strict=False):
        if len(part):
            assert np.abs(out[start : start + len(part)] - expected_attention(part, SPEC)).max() < 1e-5


def test_a_row_is_bit_for_bit_the_same_alone_and_in_company() -> None:
    parts, pool = [random(n, WIDTH) for n in (1, 90, 1, 17)], BACKEND.pool(POOL)
    together = run(np.concatenate(parts), ragged([1, 90, 1, 17], [0] * 4, 16, 40), pool)
    alone = [run(part, ragged([len(part)], [0], 16, 40), BACKEND.pool(POOL)) for part in parts]
    assert same_rows(BACKEND, together, np.concatenate(alone))


def test_a_sink_joins_the_denominator() -> None:
    sinks, x = random(HEADS) + 1, random(9, WIDTH)
    out = run(x, ragged([9], [0], 16, 40), BACKEND.pool(POOL), weights=replace(WEIGHTS, sinks=mx.array(sinks)))
    assert np.abs(out - expected_attention(x, SPEC, sinks)).max() < 1e-5


def test_an_encoder_sees_every_token_of_its_own_sequence_and_needs_no_pool() -> None:
    spec, parts = replace(SPEC, causal=False, rope=None), [random(n, WIDTH) for n in (5, 2, 5)]
    out = run(np.concatenate(parts), ragged([5, 2, 5], [0] * 3, 16, 40), None, spec)
    assert np.abs(out - np.concatenate([expected_attention(part, spec) for part in parts])).max() < 1e-5


def test_what_others_left_in_a_page_harms_nobody() -> None:
    pool = BACKEND.pool(POOL)
    pool.layers[0] = tuple(mx.full(array.shape, mx.nan) for array in pool.layers[0])
    x = random(5, WIDTH)
    assert np.abs(run(x, ragged([5], [0], 16, 40), pool) - expected_attention(x, SPEC)).max() < 1e-5


def test_norms_and_biases_around_attention_apply_where_given() -> None:
    x, scale, bias = random(6, WIDTH), random(WIDTH), random(HEADS * HEAD_DIM)
    spec = replace(SPEC, rope=None, norm_eps=1e-3)
    weights = replace(WEIGHTS, norm=mx.array(scale), post_norm=mx.array(scale), output_bias=mx.array(scale))
    out = run(x, ragged([6], [0], 16, 40), BACKEND.pool(POOL), spec, weights)
    normed = formulas.rms_norm(x, scale, 1e-3)
    inner = expected_attention(normed, spec) - normed + scale
    assert np.abs(out - (x + formulas.rms_norm(inner, scale, 1e-3))).max() < 1e-5
    biased = run(x, ragged([6], [0], 16, 40), BACKEND.pool(POOL), spec, replace(WEIGHTS, query_bias=mx.array(bias)))
    assert np.abs(biased - run(x, ragged([6], [0], 16, 40), BACKEND.pool(POOL), spec)).max() > 1e-3


def test_a_step_without_tokens_is_possible() -> None:
    assert run(np.zeros((0, WIDTH), np.float32), ragged([0], [0], 16, 40), BACKEND.pool(POOL)).shape == (0, WIDTH)


@pytest.mark.parametrize(
    ("activation", "formula"),
    [(Activation.SILU, formulas.silu), (Activation.GELU_TANH, formulas.gelu_tanh), (Activation.GELU, formulas.gelu)],
)
def test_the_mlp_gates_with_its_activation_or_has_no_gate(activation: Activation, formula: object) -> None:
    assert callable(formula)
    x, scale = random(5, WIDTH), random(WIDTH)
    gate, up, down, bias = random(96, WIDTH), random(96, WIDTH), random(WIDTH, 96), random(96)
    gated = MLPWeights(weight_of(up), weight_of(down), weight_of(gate), norm=mx.array(scale), post_norm=mx.array(scale))
    n = formulas.rms_norm(x, scale, 1e-5)
    expected = x + formulas.rms_norm((formula(n @ gate.T) * (n @ up.T)) @ down.T, scale, 1e-5)
    assert np.abs(run_mlp(x, gated, activation) - expected).max() < 1e-5
    plain = MLPWeights(weight_of(up), weight_of(down), up_bias=mx.array(bias), down_bias=mx.array(scale))
    expected = x + formula(x @ up.T + bias) @ down.T + scale
    assert np.abs(run_mlp(x, plain, activation) - expected).max() < 1e-5


def test_pages_are_copied_in_order_so_a_copy_can_be_copied_again() -> None:
    pool = BACKEND.pool(POOL)
    keys = mx.broadcast_to(mx.arange(40.0)[:, None, None, None], pool.layers[0][0].shape)
    pool.layers[0] = (mx.array(keys), mx.array(keys))
    BACKEND.copy_pages(pool, 0, [(1, 2), (2, 3), (5, 1), (9, 3)])
    for array in pool.layers[0]:
        assert array[:6, 0, 0, 0].tolist() == [0, 5, 1, 9, 4, 5]
    BACKEND.copy_pages(pool, 0, [])


def test_the_pool_takes_as_much_as_it_says() -> None:
    pool = BACKEND.pool(POOL)
    assert pool.nbytes == BACKEND.sizes.pool(POOL) == sum(array.nbytes for array in BACKEND.barrier(pool))


def test_only_matrices_become_weights() -> None:
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        BACKEND.weight(Tensor("v", TensorType.F32, (4,), np.zeros((1, 16), np.uint8)))


def test_embedding_logits_and_norms() -> None:
    table, scale, bias, x = random(30, WIDTH), random(WIDTH), random(WIDTH), random(4, WIDTH)
    rows = BACKEND.embedding(weight_of(table), 2.5)(mx.array([3, 0, 29]))
    assert np.abs(np.array(rows) - table[[3, 0, 29]] * 2.5).max() < 1e-6
    head = BACKEND.head(weight_of(table), mx.array(scale), 1e-5, softcap=3.0)
    logits = head(mx.array(x), mx.array([2, 0]))
    expected = 3 * np.tanh(formulas.rms_norm(x[[2, 0]], scale, 1e-5) @ table.T / 3)
    assert np.abs(np.array(logits) - expected).max() < 1e-5
    normed = BACKEND.layer_norm(mx.array(scale), mx.array(bias), 1e-5)(mx.array(x))
    assert np.abs(np.array(normed) - formulas.layer_norm(x, scale, bias, 1e-5)).max() < 1e-5
