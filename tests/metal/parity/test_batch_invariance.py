"""A sequence's numbers are the same, bit for bit but on a GPU, whatever shares its steps and however its prompt is
cut."""

from __future__ import annotations

import os

import mlx.core as mx
import numpy as np
import pytest
from numpy.typing import NDArray

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.operations import DeviceBatch
from mlxr.metal.pool import Pool
from mlxr.metal.sampling import SamplingBatch
from mlxr.metal.specs import Activation, AttentionSpec, MLPSpec, Rope, RopeStyle
from mlxr.metal.tensors import TensorType
from mlxr.metal.weights import AttentionWeights, MLPWeights, Weight
from tests.metal.backends import BACKENDS, IDS, same_rows
from tests.metal.batches import HALF, INT8, Types, pool_spec
from tests.metal.tensors import random_tensor
from tests.server import eventually
from tests.server.processes import virtual_bytes

WIDTH, HEADS, KV_HEADS, HEAD_DIM, HIDDEN, VOCABULARY, LAYERS = 64, 6, 2, 32, 96, 500, 2
PAGES = 16_384
"""A pool of this many is well above what else comes and goes: 128 MiB."""

TYPES = ((HALF, HALF), (INT8, INT8), (HALF, INT8), (INT8, HALF))

ROPE = Rope(RopeStyle.NEOX, tuple(10000.0 ** (-2 * i / HEAD_DIM) for i in range(HEAD_DIM // 2)))

pytestmark = pytest.mark.parametrize("backend", BACKENDS, ids=IDS)


class TinyModel:
    """Two quantized layers with a pool of their own."""

    def __init__(
        self, backend: Backend, window: int, page_size: int = 16, pages: int = 120, types: Types = (HALF, HALF)
    ) -> None:
        rng = np.random.default_rng(0)

        def weight(outputs: int, inputs: int, type: TensorType = TensorType.Q8_0) -> Weight:
            return backend.weight(random_tensor(type, outputs, inputs, rng, 0.002))

        norm = mx.ones(WIDTH)
        queries, keys = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
        self.backend, self.page_size = backend, page_size
        attention = AttentionWeights(
            weight(queries, WIDTH), weight(keys, WIDTH), weight(keys, WIDTH), weight(WIDTH, queries), norm
        )
        mlp = MLPWeights(
            weight(HIDDEN, WIDTH, TensorType.Q4_1), weight(WIDTH, HIDDEN), weight(HIDDEN, WIDTH, TensorType.Q5_0), norm
        )
        table = weight(VOCABULARY, WIDTH)
        spec = AttentionSpec(HEADS, KV_HEADS, HEAD_DIM, HEAD_DIM**-0.5, ROPE, window=window)
        self.pool: Pool = backend.pool(pool_spec(LAYERS, pages, page_size, KV_HEADS, HEAD_DIM, types))
        self.embed = backend.embedding(table)
        self.attention = [backend.attention(attention, spec, layer) for layer in range(LAYERS)]
        self.mlp = backend.feed_forward(mlp, MLPSpec(Activation.SILU))
        self.head = backend.head(table, norm, 1e-5)
        self.compiled = backend.compiled(self.layers)
        self.tables = np.random.default_rng(1).permutation(pages).astype(np.int32).reshape(2, -1)

    def batch(self, spans: list[tuple[int, int, int]]) -> Batch:
        """Spans are (sequence, first position, tokens)."""
        positions = np.concatenate([np.arange(start, start + count) for _, start, count in spans])
        owners = np.repeat([owner for owner, _, _ in spans], [count for _, _, count in spans])
        slots = self.tables[owners, positions // self.page_size] * self.page_size + positions % self.page_size
        return Batch(
            np.cumsum([0, *(count for _, _, count in spans)]).astype(np.int32),
            np.array([start + count for _, start, count in spans], np.int32),
            positions.astype(np.int32),
            (GroupTables(slots.astype(np.int32), self.tables[[owner for owner, _, _ in spans]], self.page_size),),
        )

    def forward(self, tokens: mx.array, batch: Batch) -> mx.array:
        return self.compiled(tokens, batch, self.pool)

    def layers(self, tokens: mx.array, batch: DeviceBatch, pool: Pool | None) -> mx.array:
        x = self.embed(tokens)
        for attend in self.attention:
            x = self.mlp(attend(x, batch, pool))
        return x

    def logits(self, hidden: mx.array, rows: NDArray[np.int32]) -> mx.array:
        return self.head(hidden, mx.array(rows))

    def read(self, texts: dict[int, NDArray[np.int32]], spans: list[tuple[int, int, int]]) -> NDArray[np.float32]:
        """Logits of every token of a step."""
        tokens = np.concatenate([texts[owner][start : start + count] for owner, start, count in spans])
        logits = self.logits(self.forward(mx.array(tokens), self.batch(spans)), np.arange(len(tokens), dtype=np.int32))
        mx.eval([logits, *self.backend.barrier(self.pool)])
        return np.array(logits)


def texts() -> dict[int, NDArray[np.int32]]:
    return {i: np.random.default_rng(i).integers(0, VOCABULARY, 800).astype(np.int32) for i in range(2)}


@pytest.mark.parametrize("types", TYPES, ids=lambda types: f"{types[0]}-{types[1]}")
@pytest.mark.parametrize("window", [0, 100])
@pytest.mark.parametrize("page_size", [16, 8])
def test_a_prompt_reads_the_same_whole_and_in_chunks_and_beside_another(
    backend: Backend, window: int, page_size: int, types: Types
) -> None:
    """700 tokens: beyond one partition of keys."""
    whole = TinyModel(backend, window, page_size, 240, types).read(texts(), [(0, 0, 700)])
    cut = TinyModel(backend, window, page_size, 240, types)
    steps = [
        [(0, 0, 1)],
        [(0, 1, 9), (1, 0, 3)],
        [(1, 3, 200), (0, 10, 300)],
        [(0, 310, 2), (1, 203, 1)],
        [(0, 312, 380)],
        *[[(1, 204 + i, 1), (0, 692 + i, 1)] for i in range(8)],
    ]
    seen = np.zeros_like(whole)
    for spans in steps:
        out, at = cut.read(texts(), spans), 0
        for owner, start, count in spans:
            if owner == 0:
                seen[start : start + count] = out[at : at + count]
            at += count
    assert same_rows(backend, seen, whole)


def greedy() -> SamplingBatch:
    zeros, ones = np.zeros(1, np.float32), np.ones(1, np.float32)
    return SamplingBatch(zeros, np.zeros(1, np.int32), ones, zeros, ones, ones, zeros, zeros, zeros)


def generate(model: TinyModel, ahead: int) -> list[int]:
    """Forty greedy tokens, with up to ``ahead`` steps queued behind the one whose token is read."""
    waiting: list[mx.array] = []
    said: list[int] = []
    token = mx.array([7], mx.int32)
    for position in range(40):
        hidden = model.forward(token, model.batch([(0, position, 1)]))
        token = model.backend.sample(model.logits(hidden, np.zeros(1, np.int32)), greedy()).tokens
        mx.async_eval([token, *model.backend.barrier(model.pool)])
        waiting.append(token)
        if len(waiting) > ahead:
            said.append(int(waiting.pop(0).item()))
    return said + [int(left.item()) for left in waiting]


def test_steps_queued_behind_one_another_say_what_steps_one_by_one_say(backend: Backend) -> None:
    assert generate(TinyModel(backend, 0), ahead=3) == generate(TinyModel(backend, 0), ahead=0)


def test_a_prompt_without_logits_is_written_to_its_pages_all_the_same(backend: Backend) -> None:
    whole = TinyModel(backend, 0).read(texts(), [(0, 0, 40)])
    model = TinyModel(backend, 0)
    hidden = model.forward(mx.array(texts()[0][:39]), model.batch([(0, 0, 39)]))
    del hidden
    mx.async_eval(model.backend.barrier(model.pool))
    assert same_rows(backend, model.read(texts(), [(0, 39, 1)])[0], whole[39])


@pytest.mark.parametrize("types", TYPES, ids=lambda types: f"{types[0]}-{types[1]}")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_copied_page_reads_like_its_source(backend: Backend, compiled: bool, types: Types) -> None:
    model = TinyModel(backend, 0, types=types)
    if not compiled:
        model.compiled = lambda tokens, batch, pool: model.layers(tokens, backend.on_device(batch), pool)
    text = texts()[0][:30]
    model.read({0: text}, [(0, 0, 20)])
    backend.copy_pages(model.pool, 0, [(int(model.tables[0, 1]), int(model.tables[1, 1]))])
    model.tables[0, 1] = model.tables[1, 1]
    assert same_rows(
        backend,
        model.read({0: text}, [(0, 20, 10)])[-1],
        TinyModel(backend, 0, types=types).read({0: text}, [(0, 0, 30)])[-1],
    )


def held_bytes(backend: Backend) -> int:
    # Not the process's for arrays of MLX: what was freed of those may stay in the C library's heap.
    return virtual_bytes(os.getpid()) if backend.name == "cpu" else mx.get_active_memory()


def test_a_pool_that_nobody_has_any_more_is_given_back(backend: Backend) -> None:
    model = TinyModel(backend, 0, pages=PAGES)
    model.read(texts(), [(0, 0, 20)])
    before = held_bytes(backend)
    model.pool = backend.pool(pool_spec(LAYERS, 1, model.page_size, KV_HEADS, HEAD_DIM))
    wanted = backend.sizes.pool(model.pool.spec) * PAGES // 2
    # MLX's threads may hold the arrays of their last task a moment longer than Python does.
    eventually(lambda: before - held_bytes(backend) > wanted)


def test_hidden_states_may_be_used_more_than_once(backend: Backend) -> None:
    model = TinyModel(backend, 0)
    hidden = model.forward(mx.array(texts()[0][:30]), model.batch([(0, 0, 30)]))
    logits = [model.logits(hidden, np.array([row], np.int32)) for row in (0, 29)]
    mx.eval([*logits, hidden * 2, *model.backend.barrier(model.pool)])
    whole = TinyModel(backend, 0).read(texts(), [(0, 0, 30)])
    assert same_rows(backend, np.array(logits[1])[0], whole[29])
    assert same_rows(backend, np.array(logits[0])[0], whole[0])
