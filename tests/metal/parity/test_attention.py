"""Attention over pages by every backend of this machine, held against the reference in plain MLX operations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.specs import AttentionSpec, Gate, NormKind, Rope, RopeStyle, Temperature
from mlxr.metal.weights import AttentionWeights
from tests.metal.backends import BACKENDS, IDS, slack
from tests.metal.batches import HALF, Types, pool_spec, ragged
from tests.metal.tensors import Matrix, float_tensor, normal

REFERENCE = ReferenceBackend()

pytestmark = pytest.mark.parametrize("backend", BACKENDS, ids=IDS)


def attention_of(backend: Backend, spec: AttentionSpec, dressed: bool = False, factor: float = 1.0) -> AttentionWeights:
    """``dressed``: with every optional part. ``factor``: what matrices are multiplied by."""
    width, queries, keys = 64, spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim

    def weight(seed: int, outputs: int, inputs: int) -> Any:
        return backend.weight(float_tensor(normal(seed, outputs, inputs, scale=0.1) * factor))

    sizes = {
        "norm": width,
        "query_norm": spec.head_dim,
        "key_norm": spec.head_dim,
        "post_norm": width,
        "query_bias": queries,
        "key_bias": keys,
        "value_bias": keys,
        "output_bias": width,
        "sinks": spec.heads,
    }
    if spec.norm is NormKind.LAYER:
        # With a bias, and norms over all heads together.
        sizes |= {"norm_bias": width, "query_norm": queries, "key_norm": keys}
    parts = {name: mx.array(1 + normal(size, size, scale=0.2)) for name, size in sizes.items()} if dressed else {}
    gate = weight(5, spec.heads if spec.head_gates else queries, width) if spec.gate else None
    inputs = weight(1, queries, width), weight(2, keys, width), weight(3, keys, width)
    return AttentionWeights(*inputs, weight(4, width, queries), gate=gate, **parts)


def spec_of(heads: int = 6, kv_heads: int = 2, head_dim: int = 32, **changes: Any) -> AttentionSpec:
    rope = Rope(RopeStyle.NEOX, tuple(10000.0 ** (-2 * i / head_dim) for i in range(head_dim // 2)))
    return replace(AttentionSpec(heads, kv_heads, head_dim, head_dim**-0.5, rope), **changes)


def steps_of(counts: list[list[int]], page_size: int, pages: int) -> list[Batch]:
    """Steps of some sequences; ``counts[i]`` are the tokens that each runs in step i."""
    total = np.sum(counts, axis=0).tolist()
    whole = ragged(total, [0] * len(total), page_size, pages)
    steps, done = [], [0] * len(total)
    for step in counts:
        kept = [
            whole.groups[0].slots[first + before : first + before + now]
            for first, before, now in zip(whole.query_starts, done, step, strict=False)
        ]
        batch = ragged(step, done, page_size, pages)
        tables = GroupTables(
            np.concatenate(kept).astype(np.int32), whole.groups[0].block_tables, whole.groups[0].page_size
        )
        steps.append(replace(batch, groups=(tables,)))
        done = [before + now for before, now in zip(done, step, strict=True)]
    return steps


def run_steps(
    backend: Backend,
    spec: AttentionSpec,
    steps: list[Batch],
    pages: int,
    dressed: bool = False,
    scale: float = 1.0,
    types: Types = (HALF, HALF),
) -> list[Matrix]:
    """Outputs of each step, on inputs that depend on a token's sequence and position alone."""
    pool = backend.pool(pool_spec(1, pages, steps[0].groups[0].page_size, spec.kv_heads, spec.head_dim, types))
    attend = backend.attention(attention_of(backend, spec, dressed), spec, 0)
    results = []
    for batch in steps:
        owners = np.repeat(np.arange(len(batch.context_lengths)), np.diff(batch.query_starts))
        x = inputs_of(owners, batch.positions, scale)
        out = attend(mx.array(x), backend.on_device(batch), pool)
        mx.eval([out, *backend.barrier(pool)])
        results.append(np.array(out))
    return results


def inputs_of(owners: NDArray[np.int64], positions: NDArray[np.int32], scale: float) -> Matrix:
    rows = [
        normal(1000 * int(owner) + int(position), 64, scale=scale)
        for owner, position in zip(owners, positions, strict=True)
    ]
    return np.array(rows, np.float32).reshape(-1, 64)


SPECS = {
    "grouped": spec_of(),
    "neighbours": spec_of(rope=Rope(RopeStyle.NORMAL, tuple(100.0 ** (-i / 8) for i in range(8)), 1.3)),
    "no rope": spec_of(rope=None),
    "window": spec_of(window=7),
    "softcap": spec_of(softcap=0.7),
    "gated": spec_of(gate=Gate.SIGMOID),
    "gated by softplus": spec_of(gate=Gate.SOFTPLUS),
    "gated heads": spec_of(gate=Gate.SIGMOID, head_gates=True),
    "gated heads by softplus": spec_of(gate=Gate.SOFTPLUS, head_gates=True),
    "one kv head": spec_of(4, 1, 256),
    "all kv heads": spec_of(3, 3, 8),
    "head of 80": spec_of(2, 1, 80),
    "head of 96": spec_of(14, 2, 96),
    "head of 128": spec_of(2, 2, 128, window=20),
    "many heads a group": spec_of(32, 1, 8),
    "chunks": spec_of(window=7, chunked=True),
    "large chunks": spec_of(window=20, chunked=True),
    "norms behind the rope": spec_of(rope_first=True),
    "temperature": spec_of(temperature=Temperature(0.5, 4, 1), rope=None),
    "layer norm": spec_of(norm=NormKind.LAYER),
    "layer norm behind the rope": spec_of(norm=NormKind.LAYER, rope_first=True, temperature=Temperature(0.1, 3)),
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
@pytest.mark.parametrize("dressed", [False, True], ids=["plain", "dressed"])
@pytest.mark.parametrize("page_size", [1, 5, 16, 64])
def test_attention_over_pages_agrees(backend: Backend, spec: AttentionSpec, dressed: bool, page_size: int) -> None:
    steps = steps_of([[20, 3, 0, 41], [1, 1, 9, 1], [0, 30, 1, 1], [2, 1, 1, 5]], page_size, 150)
    ours, theirs = (run_steps(own, spec, steps, 150, dressed) for own in (backend, REFERENCE))
    for own, expected in zip(ours, theirs, strict=True):
        assert np.abs(own - expected).max() < 3e-3 * slack(backend, 8)


@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_attention_agrees_on_any_layout(backend: Backend, data: st.DataObject) -> None:
    sequences = data.draw(st.integers(1, 4))
    counts = data.draw(
        st.lists(st.lists(st.integers(0, 40), min_size=sequences, max_size=sequences), min_size=1, max_size=3)
    )
    counts[0] = [max(1, count) for count in counts[0]]
    page_size = data.draw(st.sampled_from([1, 3, 16, 17, 32]))
    spec = spec_of(window=data.draw(st.sampled_from([0, 1, 16, 33])))
    steps = [batch for batch in steps_of(counts, page_size, 500) if batch.tokens]
    for own, expected in zip(run_steps(backend, spec, steps, 500), run_steps(REFERENCE, spec, steps, 500), strict=True):
        assert np.abs(own - expected).max() < 3e-3


def test_a_chunk_begins_at_a_multiple_of_its_size(backend: Backend) -> None:
    """Positions 0 to 6 and 7 to 13 are chunks: the query at 7 sees itself alone, that at 13 as much as the one at 6."""
    spec, batch = spec_of(rope=None, window=7, chunked=True), ragged([14], [0], 16, 4)
    weights = attention_of(backend, spec)
    pool = backend.pool(pool_spec(1, 4, 16, spec.kv_heads, spec.head_dim))
    half = normal(3, 7, 64)
    x = mx.array(np.concatenate([half, half]))
    out = np.array(backend.attention(weights, spec, 0)(x, backend.on_device(batch), pool))
    assert np.abs(out[7:] - out[:7]).max() < 1e-5 * slack(backend, 1000)
    assert np.abs(out[8] - out[0]).max() > 1e-2


def test_queries_grow_with_their_position(backend: Backend) -> None:
    """At position 9 by ``1 + 0.5 * ln(1 + floor(10 / 4))``: as if the scale were so much larger there."""
    batch, factor = ragged([10], [0], 16, 4), 1 + 0.5 * np.log(3)
    x = mx.array(normal(3, 10, 64, scale=3))
    outs = []
    for spec in (
        spec_of(rope=None, temperature=Temperature(0.5, 4, 1)),
        spec_of(rope=None, scale=32**-0.5 * factor),
        spec_of(rope=None),
    ):
        pool = backend.pool(pool_spec(1, 4, 16, spec.kv_heads, spec.head_dim))
        run = backend.attention(attention_of(backend, spec), spec, 0)
        outs.append(np.array(run(x, backend.on_device(batch), pool)))
    warm, scaled, plain = outs
    limit = 3e-3 * slack(backend, 20)
    assert np.abs(warm[9] - scaled[9]).max() < limit
    assert np.abs(warm[2] - plain[2]).max() < limit
    assert np.abs(warm[9] - plain[9]).max() > 5 * limit


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 100.0])
def test_attention_agrees_on_denormal_and_huge_inputs(backend: Backend, scale: float) -> None:
    steps = steps_of([[40, 3], [1, 1]], 16, 20)
    ours, theirs = (run_steps(own, spec_of(), steps, 20, scale=scale) for own in (backend, REFERENCE))
    for own, expected in zip(ours, theirs, strict=True):
        # Kept values are half precision: below 6e-8 nothing is left of them.
        assert np.abs(own - expected).max() < 5e-3 * scale + 1e-6


ENCODERS = {
    "whole": spec_of(causal=False),
    "window": spec_of(causal=False, window=9),
    "window of one": spec_of(causal=False, window=1),
    "window as long": spec_of(causal=False, window=130),
    "alibi": spec_of(causal=False, rope=None, alibi=tuple(2.0 ** -(i + 1) for i in range(6))),
    "alibi and window": spec_of(causal=False, window=70, alibi=(0.5, 0.1, 0.0, 1.0, 0.2, 0.3)),
}


@pytest.mark.parametrize("spec", ENCODERS.values(), ids=ENCODERS.keys())
def test_an_encoder_s_sequences_see_themselves_whole_or_what_is_near(backend: Backend, spec: AttentionSpec) -> None:
    batch = ragged([5, 130, 0, 1, 600], [0] * 5, 16, 60)
    x = mx.array(normal(1, 736, 64))
    out, expected = (
        own.attention(attention_of(own, spec), spec, 0)(x, own.on_device(batch), None) for own in (backend, REFERENCE)
    )
    assert np.abs(np.array(out) - np.array(expected)).max() < 3e-3 * slack(backend, 8)


@pytest.mark.parametrize("spec", ENCODERS.values(), ids=ENCODERS.keys())
def test_what_an_encoder_s_query_does_not_see_changes_nothing_for_it(backend: Backend, spec: AttentionSpec) -> None:
    batch, seen = ragged([80], [0], 16, 60), min(spec.window or 80, 80)
    x = normal(1, 80, 64)
    changed = x.copy()
    changed[seen:] += 1
    attend = backend.attention(attention_of(backend, spec), spec, 0)
    out, other = (np.array(attend(mx.array(rows), backend.on_device(batch), None)) for rows in (x, changed))
    assert np.array_equal(out[0], other[0])
    changed[seen - 1] += 1
    if seen > 1:
        assert not np.array_equal(out[0], np.array(attend(mx.array(changed), backend.on_device(batch), None))[0])


def test_an_empty_step_gives_no_rows(backend: Backend) -> None:
    batch = ragged([0, 0], [0, 0], 16, 4)
    pool = backend.pool(pool_spec(1, 4, 16, 2, 32))
    attend = backend.attention(attention_of(backend, spec_of()), spec_of(), 0)
    out = attend(mx.zeros((0, 64)), backend.on_device(batch), pool)
    mx.eval([out, *backend.barrier(pool)])
    assert out.shape == (0, 64)


def test_copied_pages_hold_what_they_were_copied_from(backend: Backend) -> None:
    def continued(own: Backend) -> Matrix:
        weights = attention_of(own, spec_of())
        layers = [own.attention(weights, spec_of(), layer) for layer in range(2)]
        pool = own.pool(pool_spec(2, 12, 16, 2, 32))
        first = steps_of([[20]], 16, 4)[0]
        for attend in layers:
            attend(mx.array(normal(1, 20, 64)), own.on_device(first), pool)
            mx.eval(own.barrier(pool))
        used = first.groups[0].block_tables[0].tolist()
        own.copy_pages(pool, 0, [(used[0], 10), (used[1], 11), (11, 9)])
        tables = np.array([[10, 9]], np.int32)
        step = Batch(
            np.array([0, 1], np.int32),
            np.array([21], np.int32),
            np.array([20], np.int32),
            (GroupTables(np.array([9 * 16 + 4], np.int32), tables, 16),),
        )
        out = layers[1](mx.array(normal(2, 1, 64)), own.on_device(step), pool)
        mx.eval([out, *own.barrier(pool)])
        return np.array(out)

    assert np.abs(continued(backend) - continued(REFERENCE)).max() < 3e-3
