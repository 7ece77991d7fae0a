"""Real models over real pools of several cache groups, with the real scheduler and KV manager before them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.batch import Batch
from mlxr.metal.cache import CacheGroup
from mlxr.metal.pool import GroupSpec, Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.kv import CacheKind
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.executor.engines import (
    GENERATED,
    PAGE,
    ask,
    computed_anew,
    engine_of,
    prompt_of,
    said,
    small_pool,
)
from tests.actors.simulation import STOP_TOKEN, Engine
from tests.metal.backends import NATIVE, NATIVE_IDS
from tests.models.files import Sizes, write_model

SIZES = {"layers": 7, "width": 64, "hidden": 96, "heads": 4, "kv_heads": 1, "head_dim": 32, "vocabulary": 100}
WINDOW = 9


@pytest.fixture(scope="module", params=[ReferenceBackend(), NATIVE[0]], ids=["reference", NATIVE_IDS[0]])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Those whose rows are the same in any company."""
    return cast(Backend, request.param)


@pytest.fixture(scope="module")
def gemma(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    keys = {"attention.sliding_window": WINDOW, "rope.freq_base": 1e6}
    path = tmp_path_factory.mktemp("gemma") / "m.gguf"
    return load_model(write_model(path, "gemma3", TensorType.Q8_0, Sizes(**SIZES, settings=keys)), backend)


def test_a_model_with_windows_has_a_group_for_each_kind_of_layer(gemma: LoadedModel) -> None:
    window, full = small_pool(gemma, 400).groups
    assert (window.group.kind, full.group.kind) == (CacheKind.WINDOW, CacheKind.FULL)
    assert (window.group.layers, full.group.layers) == ((0, 1, 2, 3, 4, 6), (5,))
    assert window.pages < full.pages / 4


def test_windows_read_the_same_beyond_their_length_alone_and_in_company(gemma: LoadedModel, backend: Backend) -> None:
    prompts = {request: prompt_of(8 * request + 3, request) for request in range(1, 8)}
    expected = {request: computed_anew(gemma, backend, prompt) for request, prompt in prompts.items()}
    alone, together = (engine_of(gemma, backend, small_pool(gemma, 400)) for _ in range(2))
    for request, prompt in prompts.items():
        ask(alone, request, prompt)
        alone.settle()
        ask(together, request, prompt)
    together.settle()
    for request in prompts:
        assert said(alone, request) == said(together, request) == expected[request]


def test_a_second_turn_begins_with_the_pages_of_the_first(gemma: LoadedModel, backend: Backend) -> None:
    engine = engine_of(gemma, backend, small_pool(gemma, 400))
    prompt = prompt_of(50, 1)
    ask(engine, 1, prompt)
    engine.settle()
    turn = [*prompt, *said(engine, 1), *prompt_of(7, 2)]
    ask(engine, 2, turn)
    engine.settle()
    done = engine.ended[2][0]
    assert isinstance(done, RequestDone)
    assert done.usage.cached_tokens >= len(prompt) + len(said(engine, 1)) - PAGE
    assert said(engine, 2) == computed_anew(gemma, backend, turn)


def test_what_was_preempted_says_the_same(gemma: LoadedModel, backend: Backend) -> None:
    engine = engine_of(gemma, backend, small_pool(gemma, 80))
    prompts = {request: prompt_of(20 + request, request) for request in range(1, 6)}
    for request, prompt in prompts.items():
        ask(engine, request, prompt, n=2 if request == 2 else 1)
    for _ in range(80):
        engine.move()
    engine.crash()
    engine.settle()
    assert engine.scheduler.counters.preemptions
    for request, prompt in prompts.items():
        assert said(engine, request) == computed_anew(gemma, backend, prompt)
    assert said(engine, 2, 1) == said(engine, 2)


class Summing:
    """A model whose layer keeps a decaying sum of all tokens' embeddings: the simplest mixer that has a state."""

    pooling = ()
    pooling_head = None
    DECAY = 0.9

    def __init__(self) -> None:
        self.table = np.random.default_rng(3).standard_normal((100, 16)).astype(np.float32)

    def forward(self, tokens: mx.array, batch: Batch, pool: Pool) -> mx.array:
        (states,) = pool.layers[0]
        slots = batch.groups[pool.group_of[0]].block_tables[:, 0]
        embedded = mx.array(self.table)[tokens]
        rows = []
        for sequence, (begin, end) in enumerate(zip(batch.query_starts, batch.query_starts[1:], strict=False)):
            slot = int(slots[sequence])
            state = states[slot] if batch.positions[begin] else mx.zeros(16)
            for row in range(int(begin), int(end)):
                state = self.DECAY * state + embedded[row]
                rows.append(state)
            states[slot] = state
        return mx.stack(rows)

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        return hidden[rows] @ mx.array(self.table).T

    def answer(self, prompt: list[int]) -> list[int]:
        """The greedy answer, computed in NumPy."""
        state = np.zeros(16, np.float32)
        for token in prompt:
            state = np.float32(self.DECAY) * state + self.table[token]
        out: list[int] = []
        while len(out) < GENERATED:
            out.append(int((self.table @ state).argmax()))
            if out[-1] == STOP_TOKEN:
                break
            state = np.float32(self.DECAY) * state + self.table[out[-1]]
        return out


def summing(states: int) -> tuple[Summing, Engine]:
    model, group = Summing(), CacheGroup(CacheKind.STATE, (0,), state_size=16)
    return model, engine_of(model, ReferenceBackend(), PoolSpec((GroupSpec(group, states, 8),)))


def test_states_read_the_same_alone_in_company_and_shared_by_choices() -> None:
    model, engine = summing(states=8)
    prompts = {request: prompt_of(5 * request, request) for request in range(1, 8)}
    for request, prompt in prompts.items():
        ask(engine, request, prompt, n=1 + request % 3)
    engine.settle()
    for request, prompt in prompts.items():
        for choice in range(1 + request % 3):
            assert said(engine, request, choice) == model.answer(prompt)


def test_a_turn_goes_on_from_the_state_at_the_end_of_the_one_before() -> None:
    model, engine = summing(states=8)
    prompt = prompt_of(21, 1)
    ask(engine, 1, prompt)
    engine.settle()
    for request, turn, cached in (
        (2, [*prompt, *said(engine, 1), 5, 6], len(prompt)),
        (3, [*prompt[:18], 9, 9, 9], 16),
        (4, [*prompt[:7], 9, 9], 0),
    ):
        ask(engine, request, turn)
        engine.settle()
        done = engine.ended[request][0]
        assert isinstance(done, RequestDone)
        assert done.usage.cached_tokens >= cached
        assert done.usage.cached_tokens == cached or request == 2
        assert said(engine, request) == model.answer(turn)


@pytest.mark.parametrize("fails", [Engine.crash, Engine.lose_kv], ids=["executor", "KV manager"])
def test_states_are_computed_again_where_they_were_evicted_or_lost(fails: Callable[[Engine], None]) -> None:
    model, engine = summing(states=2)
    prompts = {request: prompt_of(9 * request, request % 2) for request in range(1, 6)}
    for request, prompt in prompts.items():
        ask(engine, request, prompt)
    for _ in range(60):
        engine.move()
    fails(engine)
    engine.settle()
    for request, prompt in prompts.items():
        assert said(engine, request) == model.answer(prompt)
