"""Latent attention by every backend of this machine, held against its formula, in which each head has keys and values
of its own, and bit by bit against itself in other company."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.cache import NumberType, latent_group
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.specs import LatentSpec, Rope, RopeStyle, Temperature
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import LatentWeights, Weight
from tests.metal.backends import ALL, ALL_IDS, BACKENDS, IDS, same_rows, slack
from tests.metal.batches import HALF, INT8
from tests.metal.parity.test_attention import REFERENCE, inputs_of, steps_of
from tests.metal.tensors import Matrix, float_tensor, normal, random_tensor

WIDTH, PAGES = 64, 150


def rope_of(dims: int, style: RopeStyle, magnitude: float = 1.0) -> Rope:
    return Rope(style, tuple(100.0 ** (-2 * i / dims) for i in range(dims // 2)), magnitude)


SPECS = {
    "plain": LatentSpec(6, 48, 32, 16, 16, 48**-0.5, rope_of(16, RopeStyle.NORMAL)),
    "halves": LatentSpec(4, 32, 32, 8, 48, 0.2, rope_of(8, RopeStyle.NEOX, 1.3)),
    "query rank": LatentSpec(5, 64, 64, 32, 32, 0.1, rope_of(32, RopeStyle.NORMAL), query_rank=40),
    "no rope": LatentSpec(3, 32, 32, 16, 32, 0.1, None),
    "many heads": LatentSpec(26, 32, 32, 16, 16, 0.15, rope_of(16, RopeStyle.NORMAL)),
    "temperature": LatentSpec(4, 32, 32, 16, 16, 0.15, None, temperature=Temperature(0.4, 7, 1)),
    "one head": LatentSpec(1, 32, 32, 16, 16, 0.15, rope_of(16, RopeStyle.NORMAL)),
    "published": LatentSpec(2, 512, 128, 64, 128, 192**-0.5, rope_of(64, RopeStyle.NORMAL), query_rank=96),
}


def matrices(spec: LatentSpec) -> dict[str, Matrix]:
    """``keys`` and ``values`` are each head's own, of latents."""
    queries, inputs = spec.heads * (spec.plain_dims + spec.rope_dims), spec.query_rank or WIDTH
    shapes = {
        "query": (queries, inputs),
        "latent": (spec.kept, WIDTH),
        "keys": (spec.heads * spec.plain_dims, spec.rank),
        "values": (spec.heads * spec.value_dims, spec.rank),
        "output": (WIDTH, spec.heads * spec.value_dims),
        **({"query_down": (spec.query_rank, WIDTH)} if spec.query_rank else {}),
    }
    return {part: normal(seed, *shape, scale=shape[1] ** -0.5) for seed, (part, shape) in enumerate(shapes.items())}


def norms(spec: LatentSpec) -> dict[str, Matrix]:
    sizes = {"norm": WIDTH, "latent_norm": spec.rank, **({"query_norm": spec.query_rank} if spec.query_rank else {})}
    return {part: 1 + normal(size, size, scale=0.2) for part, size in sizes.items()}


def weights_of(backend: Backend, spec: LatentSpec) -> LatentWeights:
    parts = matrices(spec)
    turned = parts["keys"].reshape(spec.heads, spec.plain_dims, spec.rank).swapaxes(1, 2)

    def weight(values: Matrix) -> Weight:
        return backend.weight(float_tensor(np.ascontiguousarray(values)))

    return LatentWeights(
        query=weight(parts["query"]),
        latent=weight(parts["latent"]),
        key_up=weight(turned.reshape(-1, spec.plain_dims)),
        value_up=weight(parts["values"]),
        output=weight(parts["output"]),
        query_down=weight(parts["query_down"]) if spec.query_rank else None,
        **{part: mx.array(values) for part, values in norms(spec).items()},
    )


def pool_of(
    backend: Backend, spec: LatentSpec, pages: int, page_size: int, layers: int = 1, type: NumberType = HALF
) -> Pool:
    group = replace(latent_group(0, spec.kept), layers=tuple(range(layers))).typed(type, type)
    return backend.pool(PoolSpec.even((group,), pages, page_size))


def run_steps(backend: Backend, spec: LatentSpec, steps: list[Batch], type: NumberType = HALF) -> list[Matrix]:
    """Outputs of each step, on inputs that depend on a token's sequence and position alone."""
    pool = pool_of(backend, spec, PAGES, steps[0].groups[0].page_size, type=type)
    attend = backend.latent_attention(weights_of(backend, spec), spec, 0)
    results = []
    for batch in steps:
        owners = np.repeat(np.arange(len(batch.context_lengths)), np.diff(batch.query_starts))
        out = attend(mx.array(inputs_of(owners, batch.positions, 1.0)), backend.on_device(batch), pool)
        mx.eval([out, *backend.barrier(pool)])
        results.append(np.array(out))
    return results


def by_formula(spec: LatentSpec, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A whole sequence ``[T, WIDTH]``: keys and values of every head are made of latents (DeepSeek-V2, appendix C)."""
    part, norm = matrices(spec), norms(spec)

    def normed(values: NDArray[Any], weight: Matrix) -> NDArray[np.float64]:
        out: NDArray[np.float64] = values / np.sqrt((values**2).mean(-1, keepdims=True) + 1e-6) * weight
        return out

    def turned(values: NDArray[Any]) -> NDArray[np.float64]:
        if spec.rope is None:
            return values
        angles = np.arange(len(values))[:, None, None] * np.array(spec.rope.inverse_frequencies)
        cosine, sine = np.cos(angles) * spec.rope.magnitude, np.sin(angles) * spec.rope.magnitude
        half, out = spec.rope_dims // 2, np.empty_like(values)
        neighbours = spec.rope.style is RopeStyle.NORMAL
        first, second = (slice(0, None, 2), slice(1, None, 2)) if neighbours else (slice(half), slice(half, None))
        out[..., first] = values[..., first] * cosine - values[..., second] * sine
        out[..., second] = values[..., first] * sine + values[..., second] * cosine
        return out

    count, rows = len(x), normed(x, norm["norm"])
    inputs = normed(rows @ part["query_down"].T, norm["query_norm"]) if spec.query_rank else rows
    queries = (inputs @ part["query"].T).reshape(count, spec.heads, -1)
    queries = np.concatenate([queries[..., : spec.plain_dims], turned(queries[..., spec.plain_dims :])], axis=-1)
    if (warm := spec.temperature) is not None:
        steps = np.floor((np.arange(count) + warm.offset) / warm.length)
        queries = queries * (1 + warm.scale * np.log(1 + steps))[:, None, None]
    both = rows @ part["latent"].T
    latents = normed(both[:, : spec.rank], norm["latent_norm"])
    shared = np.repeat(turned(both[:, None, spec.rank :]), spec.heads, axis=1)
    keys = np.concatenate([(latents @ part["keys"].T).reshape(count, spec.heads, -1), shared], axis=-1)
    values = (latents @ part["values"].T).reshape(count, spec.heads, -1)
    scores = np.einsum("qhd,khd->hqk", queries, keys) * spec.scale
    scores = np.where(np.tri(count, dtype=bool), scores, -np.inf)
    shares = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = np.einsum("hqk,khd->qhd", shares / shares.sum(-1, keepdims=True), values)
    out: NDArray[np.float64] = x + mixed.reshape(count, -1) @ part["output"].T
    return out


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
@pytest.mark.parametrize("page_size", [1, 5, 16, 64])
def test_latent_attention_is_attention_with_keys_and_values_of_each_head(
    backend: Backend, spec: LatentSpec, page_size: int
) -> None:
    steps = steps_of([[20, 3, 0, 41], [1, 1, 9, 1], [0, 30, 1, 1], [2, 1, 1, 5]], page_size, PAGES)
    seen: dict[int, list[Matrix]] = {}
    for batch, out in zip(steps, run_steps(backend, spec, steps), strict=True):
        for sequence, (begin, end) in enumerate(zip(batch.query_starts, batch.query_starts[1:], strict=False)):
            seen.setdefault(sequence, []).append(out[begin:end])
    for sequence, parts in seen.items():
        ours = np.concatenate(parts)
        owners, positions = np.full(len(ours), sequence), np.arange(len(ours), dtype=np.int32)
        expected = by_formula(spec, inputs_of(owners, positions, 1.0).astype(np.float64))
        most = 1e-4 if backend.name == "reference" else 3e-3 * slack(backend, 8)
        assert np.abs(ours - expected).max() < most


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
@pytest.mark.parametrize("page_size", [5, 16, 64])
def test_latents_that_are_codes_agree(backend: Backend, spec: LatentSpec, page_size: int) -> None:
    """A number at the border of two codes may get either."""
    steps = steps_of([[20, 3, 0, 41], [1, 1, 9, 1], [0, 30, 1, 1], [2, 1, 1, 5]], page_size, PAGES)
    ours, theirs = (run_steps(own, spec, steps, INT8) for own in (backend, REFERENCE))
    for own, expected in zip(ours, theirs, strict=True):
        assert np.abs(own - expected).max() < 3e-2
        assert np.abs(own - expected).mean() < 1e-3 * slack(backend, 5)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_an_empty_step_gives_no_rows(backend: Backend) -> None:
    (batch,) = steps_of([[0, 0]], 16, 4)
    assert [out.shape for out in run_steps(backend, SPECS["plain"], [batch])] == [(0, WIDTH)]


class QuantizedLayers:
    """Two layers of quantized matrices, with a pool of their own."""

    def __init__(self, backend: Backend, page_size: int = 16, pages: int = 120, type: NumberType = HALF) -> None:
        rng, spec = np.random.default_rng(0), SPECS["query rank"]

        def weight(outputs: int, inputs: int) -> Weight:
            return backend.weight(random_tensor(TensorType.Q8_0, outputs, inputs, rng, 0.02))

        spec = replace(spec, query_rank=64)
        queries = spec.heads * (spec.plain_dims + spec.rope_dims)
        weights = LatentWeights(
            query=weight(queries, 64),
            latent=weight(spec.kept, WIDTH),
            key_up=weight(spec.heads * spec.rank, spec.plain_dims),
            value_up=weight(spec.heads * spec.value_dims, spec.rank),
            output=weight(WIDTH, spec.heads * spec.value_dims),
            latent_norm=mx.ones(spec.rank),
            norm=mx.ones(WIDTH),
            query_down=weight(64, WIDTH),
            query_norm=mx.ones(64),
        )
        self.backend, self.page_size = backend, page_size
        self.pool = pool_of(backend, spec, pages, page_size, layers=2, type=type)
        self.layers = [backend.latent_attention(weights, spec, number) for number in range(2)]
        self.tables = np.random.default_rng(1).permutation(pages).astype(np.int32).reshape(2, -1)

    def read(self, spans: list[tuple[int, int, int]]) -> Matrix:
        """What becomes of every token of a step; spans are (sequence, first position, tokens)."""
        positions = np.concatenate([np.arange(start, start + count) for _, start, count in spans]).astype(np.int32)
        owners = np.repeat([owner for owner, _, _ in spans], [count for _, _, count in spans])
        slots = self.tables[owners, positions // self.page_size] * self.page_size + positions % self.page_size
        tables = self.tables[[owner for owner, _, _ in spans]]
        batch = Batch(
            np.cumsum([0, *(count for _, _, count in spans)]).astype(np.int32),
            np.array([start + count for _, start, count in spans], np.int32),
            positions,
            (GroupTables(slots.astype(np.int32), tables, self.page_size),),
        )
        x, step = mx.array(inputs_of(owners, positions, 1.0)), self.backend.on_device(batch)
        for attend in self.layers:
            x = attend(x, step, self.pool)
        mx.eval([x, *self.backend.barrier(self.pool)])
        return np.array(x)


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
@pytest.mark.parametrize("page_size", [16, 8])
@pytest.mark.parametrize("type", [HALF, INT8])
def test_a_prompt_reads_the_same_whole_and_in_chunks_and_beside_another(
    backend: Backend, page_size: int, type: NumberType
) -> None:
    """700 tokens: beyond one partition of keys."""
    whole = QuantizedLayers(backend, page_size, 240, type).read([(0, 0, 700)])
    cut, seen = QuantizedLayers(backend, page_size, 240, type), np.zeros_like(whole)
    steps = [
        [(0, 0, 1)],
        [(0, 1, 9), (1, 0, 3)],
        [(1, 3, 200), (0, 10, 300)],
        [(0, 310, 2), (1, 203, 1)],
        [(0, 312, 380)],
        *[[(1, 204 + i, 1), (0, 692 + i, 1)] for i in range(8)],
    ]
    for spans in steps:
        out, at = cut.read(spans), 0
        for owner, start, count in spans:
            if owner == 0:
                seen[start : start + count] = out[at : at + count]
            at += count
    assert same_rows(backend, seen, whole)


@pytest.mark.parametrize("backend", ALL, ids=ALL_IDS)
def test_a_copied_page_reads_like_its_source(backend: Backend) -> None:
    layers = QuantizedLayers(backend)
    layers.read([(0, 0, 20)])
    backend.copy_pages(layers.pool, 0, [(int(layers.tables[0, 1]), int(layers.tables[1, 1]))])
    layers.tables[0, 1] = layers.tables[1, 1]
    assert same_rows(backend, layers.read([(0, 20, 10)]), QuantizedLayers(backend).read([(0, 0, 30)])[20:])


@pytest.mark.parametrize("backend", BACKENDS, ids=IDS)
def test_pages_hold_no_more_than_one_vector_a_token(backend: Backend) -> None:
    spec = SPECS["published"]
    pool = pool_of(backend, spec, 10, 32)
    assert pool.nbytes == 10 * 32 * 576 * (4 if backend.name == "reference" else 2)
