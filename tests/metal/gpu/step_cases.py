"""What is between the projections and the output matrix in a step of one token a sequence."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from mlxr.metal.gpu import attention
from mlxr.metal.gpu.attention import STEP, Heads, StepShape, of_attention, on_metal
from mlxr.metal.gpu.kernel import Language
from mlxr.metal.specs import AttentionSpec, Rope, RopeStyle
from tests.metal.gpu.attention_cases import packed, unpacked
from tests.metal.gpu.case import ROUNDING, Case, Values, values
from tests.metal.gpu.emulated import Array

PAGE, SPLIT = 16, 8
EPS = 1e-5


def turned(heads: Values, rope: Rope | None, angles: Values) -> Values:
    """``heads`` ``[rows, heads, dims]``, by ``angles`` ``[rows, 2, pairs]``."""
    if rope is None:
        return heads
    pairs = len(rope.inverse_frequencies)
    cosine, sine = angles[:, :1], angles[:, 1:]
    neox, out = rope.style is RopeStyle.NEOX, heads.copy()
    first = slice(0, pairs) if neox else slice(0, 2 * pairs, 2)
    second = slice(pairs, 2 * pairs) if neox else slice(1, 2 * pairs, 2)
    out[..., first] = heads[..., first] * cosine - heads[..., second] * sine
    out[..., second] = heads[..., first] * sine + heads[..., second] * cosine
    return out


def normed_by(heads: Values, weight: Values) -> Values:
    normed: Values = heads / np.sqrt((heads**2).mean(-1, keepdims=True) + EPS) * weight
    return normed


def step_case(
    name: str,
    spec: AttentionSpec,
    positions: list[int],
    *,
    normed: bool = False,
    sunk: bool = False,
    unkept: int | None = None,
    apart: bool = False,
    blocks: tuple[int, int] = (0, 0),
    language: Language = Language.METAL,
) -> Case:
    """``positions``: of each sequence's token; ``unkept``: the row that is not written to pages; ``apart``: whether
    queries, keys and values are arrays of their own; ``blocks``: as of ``StepShape``."""
    rng = np.random.default_rng(spec.head_dim + len(positions))
    rows, dims, kv_heads, own = len(positions), spec.head_dim, spec.kv_heads, spec.kv_layer is None
    # As one product gives them, or as three.
    sizes = [heads * dims for heads in (spec.heads, *[kv_heads if own else 0] * 2)]
    product = Array.of(rng.standard_normal((rows, sum(sizes))), "float16")
    parts = np.split(values(product), np.cumsum(sizes)[:-1], axis=1)
    begins, given = (0, sizes[0], sizes[0] + sizes[1]), [product] * 3
    if apart:
        begins, given = (0, 0, 0), [Array.of(part, "float16") for part in parts]
    norms = [Array.of(rng.uniform(0.5, 1.5, dims), "float32") for _ in range(2)]
    at = np.array(positions, np.int32)
    first = spec.first_key(at)
    pages_each = at // PAGE - first // PAGE + 1
    count = int(pages_each.sum()) + 2
    order = rng.permutation(count)
    tables = np.zeros((rows, max(int(at.max()) // PAGE + 1, 8)), np.int32)
    for row, pages in enumerate(pages_each):
        begin = first[row] // PAGE
        tables[row, begin : begin + pages], order = order[:pages], order[pages:]
    where = tables[np.arange(rows), at // PAGE] * PAGE + at % PAGE
    slots = np.where(np.arange(rows) == unkept, -1, where).astype(np.int32)
    drawn = rng.standard_normal((2, count * PAGE, kv_heads, dims))
    unseen = np.ones(count * PAGE, bool)
    for row, position in enumerate(positions):
        near = np.arange(first[row], position if own else position + 1)
        unseen[tables[row, near // PAGE] * PAGE + near % PAGE] = False
    drawn[:, unseen] = np.nan  # what no row sees may be others'
    heads = of_attention(spec)
    if any(blocks):
        heads = replace(heads, dtype="uint8", widths=(dims + 16, dims + 16), blocks=blocks)
    pages, stored = zip(*(packed(part, heads, at) for at, part in enumerate(drawn)), strict=True)
    sinks = rng.standard_normal(spec.heads) if sunk else np.full(spec.heads, -np.inf)
    pairs = len(spec.rope.inverse_frequencies) if spec.rope else 1
    turns = rng.uniform(0, 100, (rows, pairs))
    angles = np.stack([np.cos(turns), np.sin(turns)], 1).astype(np.float32)
    layout = np.concatenate([at[:, None] + 1, slots[:, None], angles.reshape(rows, -1).view(np.int32), tables], 1)
    constants = [np.array([EPS, spec.scale, spec.softcap, 0]), *(map(values, norms) if normed else [])]
    constants += [sinks] if sunk else []

    def prepared(heads: Values, weight: Values) -> Values:
        if not normed:
            return turned(heads, spec.rope, angles.astype(np.float64))
        if spec.rope_first:
            return normed_by(turned(heads, spec.rope, angles.astype(np.float64)), weight)
        return turned(normed_by(heads, weight), spec.rope, angles.astype(np.float64))

    def expected() -> list[Values]:
        queries, key, value = (part.reshape(rows, -1, dims) for part in parts)
        queries = prepared(queries, values(norms[0]))
        kept, seen = ([numbers.copy() for numbers in stored] for _ in range(2))
        if own:
            new = prepared(key, values(norms[1])), normed_by(value, np.ones(dims)) if spec.norm_values else value
            for at_of, (page, known, fresh) in enumerate(zip(kept, seen, new, strict=True)):
                known[where] = packed(values(Array.of(fresh, "float16")), heads, at_of)[1]
                page[slots[slots >= 0]] = known[slots[slots >= 0]]
        outs = []
        for row, position in enumerate(positions):
            near = np.arange(first[row], position + 1)
            among = tables[row, near // PAGE] * PAGE + near % PAGE
            for head in range(spec.heads):
                kv_head = head * kv_heads // spec.heads
                scores = seen[0][among, kv_head] @ queries[row, head] * spec.scale
                if spec.softcap:
                    scores = spec.softcap * np.tanh(scores / spec.softcap)
                top = max(scores.max(), sinks[head])
                weights = np.exp(scores - top)
                outs.append(weights @ seen[1][among, kv_head] / (weights.sum() + np.exp(sinks[head] - top)))
        return [np.array(outs).reshape(rows, -1), *(np.nan_to_num(page) for page in kept)]

    shape = StepShape(spec, PAGE, normed, own, sunk, blocks)
    if language is Language.CUDA:
        assert shape.fits
        launch = attention.step(rows, shape, shape.splits(at + 1), begins)
    else:
        assert on_metal.fits(shape)
        launch = on_metal.step(rows, shape, on_metal.splits(shape, at + 1, SPLIT), begins, SPLIT)
    return Case(
        f"{STEP.name} {name}",
        STEP,
        launch,
        [
            *given,
            Array.of(layout.astype(np.int32)),
            Array.of(np.concatenate(constants), "float32"),
            *pages,
            Array.of(np.zeros(max(8, rows * spec.heads), np.uint32)),
            Array.of(np.zeros(1, np.int32)),
        ],
        expected,
        (ROUNDING["float16"],) * 3,
        partial(without_tickets, heads),
    )


def without_tickets(heads: Heads, outputs: list[Array]) -> list[Array]:
    """Returns the result and the pages' numbers of a launch that left its tickets as it found them."""
    out, _, done, keys, new, tickets = outputs
    assert not tickets.bits.any()
    assert done.bits[0] == 0
    numbers = (unpacked(page, heads, at) for at, page in enumerate((keys, new)))
    return [out, *(Array.of(np.nan_to_num(part), "float32") for part in numbers)]


def spec(style: RopeStyle | None, heads: int, kv_heads: int, dims: int, pairs: int = 1, **more: Any) -> AttentionSpec:
    rope = None if style is None else Rope(style, (1.0,) * pairs)
    return AttentionSpec(heads, kv_heads, dims, dims**-0.5, rope, **more)


def step_cases() -> list[Case]:
    neox, normal = RopeStyle.NEOX, RopeStyle.NORMAL
    capped = spec(neox, 8, 1, 256, 128, softcap=5.0)
    windowed = spec(neox, 2, 2, 80, 40, rope_first=True, norm_values=True, window=20)
    return [
        step_case("of two splits", spec(neox, 2, 1, 64, 32), [12]),
        step_case("of two parts of heads", spec(neox, 8, 1, 256, 128), [6]),
        step_case("ragged", spec(neox, 4, 2, 64, 32), [5, 0, 300, 31, 32], unkept=3, apart=True),
        step_case("of another's keys", spec(neox, 4, 2, 64, 32, kv_layer=0), [40, 64]),
        step_case("of 512, in chunks", spec(None, 2, 1, 512, window=40, chunked=True), [45, 79, 80]),
        step_case("capped", capped, [45]),
        step_case("in a window, normed behind the rope", windowed, [1_000_005, 15], normed=True),
        step_case("normed, with sinks", spec(normal, 6, 1, 128, 48), [99, 15], normed=True, sunk=True),
    ]


def step_cases_of_cuda() -> list[Case]:
    """Both numbers of warps; splits that the last block adds up."""
    cuda, neox, normal = Language.CUDA, RopeStyle.NEOX, RopeStyle.NORMAL
    windowed = spec(neox, 2, 2, 64, 32, rope_first=True, norm_values=True, window=300)
    return [
        step_case("ragged", spec(neox, 4, 2, 64, 32), [5, 0, 700, 31], apart=True, language=cuda),
        step_case("capped", spec(neox, 8, 1, 256, 128, softcap=5.0), [45], language=cuda),
        step_case("in a window, normed behind the rope", windowed, [100_005, 15], normed=True, language=cuda),
        step_case("normed, with sinks", spec(normal, 6, 1, 128, 48), [299], normed=True, sunk=True, language=cuda),
        step_case("long", spec(neox, 1, 1, 64, 32), [4100], language=cuda),
        step_case("of int8's pages", spec(neox, 4, 2, 64, 32), [5, 0, 300, 31], blocks=(32, 64), language=cuda),
        step_case("of int8's keys", spec(neox, 2, 1, 128, 64), [45], blocks=(32, 0), language=cuda),
    ]
