"""Models whose last layers read the pages of earlier ones, with the real scheduler and KV manager before them: what
shared keys, windows and per-layer embeddings must not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from mlxr.metal.backend import Backend
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
from tests.actors.simulation import Engine
from tests.metal.backends import NATIVE, NATIVE_IDS
from tests.models.architectures.checkpoints_gemma import config_of, write_gguf

CASES = ["gemma4 with shared keys", "gemma4 with values that are keys", "gemma4 with experts", "gemma3n"]
SHARED = ["gemma4 with shared keys", "gemma3n"]


@pytest.fixture(scope="module", params=[ReferenceBackend(), NATIVE[0]], ids=["reference", NATIVE_IDS[0]])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Those whose rows are the same in any company."""
    return cast(Backend, request.param)


@pytest.fixture(scope="module", params=CASES)
def gemma(request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    path = tmp_path_factory.mktemp("gemma") / "m.gguf"
    return load_model(write_gguf(path, config_of(request.param)), backend)


def test_answers_are_the_same_alone_and_in_company(gemma: LoadedModel, backend: Backend) -> None:
    prompts = {request: prompt_of(8 * request + 3, request) for request in range(1, 7)}
    alone, together = (engine_of(gemma, backend, small_pool(gemma, 400)) for _ in range(2))
    for request, prompt in prompts.items():
        ask(alone, request, prompt)
        alone.settle()
        ask(together, request, prompt, n=1 + request % 2)
    together.settle()
    for request, prompt in prompts.items():
        assert said(alone, request) == said(together, request) == computed_anew(gemma, backend, prompt)
        assert request % 2 == 0 or said(together, request, 1) == said(together, request)


def test_a_seed_draws_the_same_alone_and_in_company(gemma: LoadedModel, backend: Backend) -> None:
    alone, together = (engine_of(gemma, backend, small_pool(gemma, 400)) for _ in range(2))
    for request in range(1, 6):
        for engine in (alone, together):
            engine.submit(request, prompt_of(5 * request, request), GENERATED, seed=request)
        alone.settle()
    together.settle()
    assert all(said(alone, request) == said(together, request) for request in range(1, 6))


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


@pytest.mark.parametrize("fails", [Engine.crash, Engine.lose_kv], ids=["executor", "KV manager"])
def test_what_was_preempted_or_lost_says_the_same(
    gemma: LoadedModel, backend: Backend, fails: Callable[[Engine], None]
) -> None:
    engine = engine_of(gemma, backend, small_pool(gemma, 80))
    prompts = {request: prompt_of(20 + request, request) for request in range(1, 6)}
    for request, prompt in prompts.items():
        ask(engine, request, prompt, n=2 if request == 2 else 1)
    for _ in range(80):
        engine.move()
    fails(engine)
    engine.settle()
    assert engine.scheduler.counters.preemptions
    for request, prompt in prompts.items():
        assert said(engine, request) == computed_anew(gemma, backend, prompt)
    assert said(engine, 2, 1) == said(engine, 2)


def test_windows_give_pages_back_and_shared_layers_take_none(gemma: LoadedModel, backend: Backend) -> None:
    spec = small_pool(gemma, 400)
    window, whole = spec.groups
    assert (window.group.kind, whole.group.kind) == (CacheKind.WINDOW, CacheKind.FULL)
    assert window.pages < whole.pages / 4
    engine = engine_of(gemma, backend, spec)
    prompt = prompt_of(300, 5)
    assert len(prompt) > window.pages * PAGE
    ask(engine, 1, prompt)
    engine.settle()
    assert said(engine, 1) == computed_anew(gemma, backend, prompt)


@pytest.mark.parametrize("case", SHARED)
def test_pages_are_counted_for_layers_that_have_keys_alone(
    case: str, backend: Backend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("gemma") / "m.gguf"
    model = load_model(write_gguf(path, config_of(case)), backend)
    kept = [layer for group in model.cache_groups for layer in group.layers]
    assert sorted(kept) == [0, 1, 2, 3]
    spec = small_pool(model, 400)
    assert spec.numbers() == sum(
        part.pages * PAGE * 2 * part.group.kv_heads * part.group.head_dim * len(part.group.layers)
        for part in spec.groups
    )
