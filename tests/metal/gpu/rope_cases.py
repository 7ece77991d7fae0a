"""The rope with its norms and the write to pages: cases in every variant."""

from __future__ import annotations

import numpy as np

from mlxr.metal.gpu import rope
from mlxr.metal.specs import AttentionSpec, Rope, RopeStyle
from tests.metal.gpu.case import ROUNDING, Case, Values, values
from tests.metal.gpu.emulated import Array


def rope_case(rows: int, spec: AttentionSpec, normed: bool, dtype: str) -> Case:
    rng = np.random.default_rng(rows + spec.head_dim)
    dims, kv_heads, slots = spec.head_dim, spec.kv_heads, rows + 3
    given = spec.heads + (1 if spec.values_are_keys else 2) * kv_heads
    x = Array.of(rng.standard_normal((rows, given * dims), np.float32))
    norms = [Array.of(rng.standard_normal(dims, np.float32)) for _ in range(2)]
    pairs = len(spec.rope.inverse_frequencies) if spec.rope else 1
    turns = rng.uniform(0, 100, (rows, pairs))
    angles = Array.of(np.stack([np.cos(turns), np.sin(turns)], 1).astype(np.float32))
    temperatures = Array.of(rng.uniform(0.5, 2, rows).astype(np.float32))
    where = rng.permutation(slots)[:rows].astype(np.int32)
    where[0] = -1  # a row that is not kept
    pages = [Array.of(rng.standard_normal((slots, kv_heads, dims), np.float32), dtype) for _ in range(2)]

    def turned(heads: Values) -> Values:
        if spec.rope is None:
            return heads
        out, (cosine, sine) = heads.copy(), (values(angles)[:, None, at] for at in range(2))
        neox = spec.rope.style is RopeStyle.NEOX
        first = slice(0, pairs) if neox else slice(0, 2 * pairs, 2)
        second = slice(pairs, 2 * pairs) if neox else slice(1, 2 * pairs, 2)
        out[..., first] = heads[..., first] * cosine - heads[..., second] * sine
        out[..., second] = heads[..., first] * sine + heads[..., second] * cosine
        return out

    def normed_by(heads: Values, weight: Values) -> Values:
        return heads / np.sqrt((heads**2).mean(-1, keepdims=True) + 1e-5) * weight

    def prepared(heads: Values, weight: Values) -> Values:
        if not normed:
            return turned(heads)
        return normed_by(turned(heads), weight) if spec.rope_first else turned(normed_by(heads, weight))

    def expected() -> list[Values]:
        heads = values(x).reshape(rows, given, dims)
        key = heads[:, spec.heads : spec.heads + kv_heads]
        value = key if spec.values_are_keys else heads[:, spec.heads + kv_heads :]
        if spec.norm_values:
            value = normed_by(value, np.ones(dims))
        query = prepared(heads[:, : spec.heads], values(norms[0])) * values(temperatures)[:, None, None]
        kept = [values(page).copy() for page in pages]
        for page, new in zip(kept, (prepared(key, values(norms[1])), value), strict=True):
            page[where[1:]] = new[1:]
        return [query, *kept]

    return Case(
        f"rope {rows} rows of {spec.heads}/{kv_heads}x{dims} {dtype}, "
        f"{spec.rope.style if spec.rope else 'none'} {pairs}, norm {normed}, {spec.rope_first}",
        rope.KERNEL,
        rope.launch(rows, spec, normed, dtype),
        [x, *norms, angles, temperatures, Array.of(where), Array.of(np.array([1e-5], np.float32)), *pages],
        expected,
        (1e-5, 2 * ROUNDING[dtype], 2 * ROUNDING[dtype]),
    )


def rope_cases() -> list[Case]:
    def spec(style: RopeStyle | None, pairs: int, heads: int, kv_heads: int, dims: int, **more: bool) -> AttentionSpec:
        rope_of = None if style is None else Rope(style, (1.0,) * pairs)
        return AttentionSpec(heads, kv_heads, dims, 1.0, rope_of, **more)

    return [
        rope_case(3, spec(RopeStyle.NEOX, 32, 4, 2, 64), True, "float16"),
        rope_case(2, spec(RopeStyle.NORMAL, 64, 3, 1, 128, rope_first=True), True, "bfloat16"),
        rope_case(2, spec(RopeStyle.NEOX, 20, 2, 2, 80, norm_values=True), False, "float16"),
        rope_case(5, spec(None, 1, 2, 1, 512, values_are_keys=True, norm_values=True), True, "float16"),
    ]
