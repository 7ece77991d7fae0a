"""A model of attention and recurrent layers, with the real scheduler and KV manager before it: what states of sequences
must not change."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.kv import CacheKind
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.executor.engines import GENERATED, PAGE, ask, computed_anew, engine_of, prompt_of, said
from tests.actors.simulation import Engine
from tests.metal.backends import NATIVE, NATIVE_IDS
from tests.models.architectures import checkpoints_hybrid, checkpoints_recurrent

GRID = 16
"""Tokens of a prompt between two states that are kept."""


@pytest.fixture(scope="module", params=[ReferenceBackend(), NATIVE[0]], ids=["reference", NATIVE_IDS[0]])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Those whose rows are the same in any company."""
    return cast(Backend, request.param)


@pytest.fixture(
    scope="module", params=["qwen3_5", "qwen3_next", "lfm2_moe", "granite 4", "nemotron_h with experts", "falcon_h1"]
)
def hybrid(request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    path = tmp_path_factory.mktemp("hybrid") / "m.gguf"
    family = checkpoints_hybrid if request.param in checkpoints_hybrid.CASES else checkpoints_recurrent
    return load_model(family.write_gguf(path, family.config_of(request.param)), backend)


def pool_of(model: LoadedModel, pages: int, states: int) -> PoolSpec:
    return PoolSpec(
        tuple(
            GroupSpec(group, states, GRID) if group.kind is CacheKind.STATE else GroupSpec(group, pages, PAGE)
            for group in model.cache_groups
        )
    )


def cached(engine: Engine, request: int) -> int:
    done = engine.ended[request][0]
    assert isinstance(done, RequestDone)
    return done.usage.cached_tokens


def test_answers_are_the_same_alone_and_in_company(hybrid: LoadedModel, backend: Backend) -> None:
    prompts = {request: prompt_of(8 * request + 3, request) for request in range(1, 7)}
    alone, together = (engine_of(hybrid, backend, pool_of(hybrid, 200, 24)) for _ in range(2))
    for request, prompt in prompts.items():
        ask(alone, request, prompt)
        alone.settle()
        ask(together, request, prompt, n=1 + request % 2)
    together.settle()
    for request, prompt in prompts.items():
        assert said(alone, request) == said(together, request) == computed_anew(hybrid, backend, prompt)
        assert request % 2 == 0 or said(together, request, 1) == said(together, request)


def test_a_seed_draws_the_same_alone_and_in_company(hybrid: LoadedModel, backend: Backend) -> None:
    alone, together = (engine_of(hybrid, backend, pool_of(hybrid, 200, 24)) for _ in range(2))
    for request in range(1, 6):
        for engine in (alone, together):
            engine.submit(request, prompt_of(5 * request, request), GENERATED, seed=request)
        alone.settle()
    together.settle()
    assert all(said(alone, request) == said(together, request) for request in range(1, 6))


def test_a_second_turn_goes_on_from_the_state_behind_the_first_prompt(hybrid: LoadedModel, backend: Backend) -> None:
    engine = engine_of(hybrid, backend, pool_of(hybrid, 200, 24))
    prompt = prompt_of(37, 1)
    ask(engine, 1, prompt)
    engine.settle()
    turn = [*prompt, *said(engine, 1), *prompt_of(7, 2)]
    ask(engine, 2, turn)
    engine.settle()
    assert cached(engine, 2) >= len(prompt) // PAGE * PAGE
    assert said(engine, 2) == computed_anew(hybrid, backend, turn)
    third = [*turn, *said(engine, 2), *prompt_of(5, 3)]
    ask(engine, 3, third)
    engine.settle()
    assert cached(engine, 3) >= len(turn) // PAGE * PAGE
    assert said(engine, 3) == computed_anew(hybrid, backend, third)


def test_another_ending_of_a_prompt_goes_on_from_a_state_within_it(hybrid: LoadedModel, backend: Backend) -> None:
    engine = engine_of(hybrid, backend, pool_of(hybrid, 200, 24))
    ask(engine, 1, prompt_of(50, 1))
    engine.settle()
    other = [*prompt_of(50, 1)[:38], *prompt_of(9, 4)]
    ask(engine, 2, other)
    engine.settle()
    assert cached(engine, 2) == 2 * GRID
    assert said(engine, 2) == computed_anew(hybrid, backend, other)


@pytest.mark.parametrize("fails", [Engine.crash, Engine.lose_kv], ids=["executor", "KV manager"])
def test_what_was_preempted_or_lost_says_the_same(
    hybrid: LoadedModel, backend: Backend, fails: Callable[[Engine], None]
) -> None:
    """A pool that is too small for all, in pages and in states."""
    engine = engine_of(hybrid, backend, pool_of(hybrid, 16, 4))
    prompts = {request: prompt_of(20 + request, request) for request in range(1, 6)}
    for request, prompt in prompts.items():
        ask(engine, request, prompt, n=2 if request == 2 else 1)
    for _ in range(80):
        engine.move()
    fails(engine)
    engine.settle()
    assert engine.scheduler.counters.preemptions
    for request, prompt in prompts.items():
        assert said(engine, request) == computed_anew(hybrid, backend, prompt)
    assert said(engine, 2, 1) == said(engine, 2)
