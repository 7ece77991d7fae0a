"""What models keep in groups, and a model of one state; ``test_promises.py`` has what all of them are held to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from mlxr.metal.batch import Batch
from mlxr.metal.cache import CacheGroup
from mlxr.metal.pool import GroupSpec, Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
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
from tests.actors.executor.test_promises import MODELS
from tests.actors.simulated_device import STOP_TOKEN
from tests.actors.simulation import Engine


def loaded(name: str, folder: Path) -> LoadedModel:
    return load_model(MODELS[name](folder / "m.gguf"), ReferenceBackend())


def test_a_model_with_windows_has_a_group_for_each_kind_of_layer(tmp_path: Path) -> None:
    window, full = small_pool(loaded("gemma3", tmp_path), 400).groups
    assert (window.group.kind, full.group.kind) == (CacheKind.WINDOW, CacheKind.FULL)
    assert (window.group.layers, full.group.layers) == ((0, 1, 2, 3, 4, 6), (5,))
    assert window.pages < full.pages / 4


def test_latent_attention_has_one_group_with_a_vector_a_token(tmp_path: Path) -> None:
    (group,) = small_pool(loaded("deepseek_v3", tmp_path), 400).groups
    assert (group.group.kind, group.group.layers) == (CacheKind.LATENT, (0, 1, 2))
    assert group.group.page_numbers(PAGE) == PAGE * (48 + 16)


@pytest.mark.parametrize("name", ["gemma4 with shared keys", "gemma3n"])
def test_layers_that_read_the_pages_of_earlier_ones_have_none(name: str, tmp_path: Path) -> None:
    model = loaded(name, tmp_path)
    assert sorted(layer for group in model.cache_groups for layer in group.layers) == [0, 1, 2, 3]
    spec = small_pool(model, 400)
    assert spec.numbers() == sum(
        part.pages * PAGE * 2 * part.group.kv_heads * part.group.head_dim * len(part.group.layers)
        for part in spec.groups
    )


@pytest.mark.parametrize("name", ["gemma3", "gemma4 with shared keys", "gemma3n"])
def test_windows_give_pages_back(name: str, tmp_path: Path) -> None:
    model = loaded(name, tmp_path)
    spec = small_pool(model, 400)
    window, whole = spec.groups
    assert (window.group.kind, whole.group.kind) == (CacheKind.WINDOW, CacheKind.FULL)
    assert window.pages < whole.pages / 4
    engine = engine_of(model, ReferenceBackend(), spec)
    prompt = prompt_of(300, 5)
    assert len(prompt) > window.pages * PAGE
    ask(engine, 1, prompt)
    engine.settle()
    assert said(engine, 1) == computed_anew(model, ReferenceBackend(), prompt)


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
