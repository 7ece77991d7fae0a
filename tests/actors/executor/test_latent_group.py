"""A model with latent attention over real latent pages, with the real scheduler and KV manager before it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from mlxr.metal.backend import Backend
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.kv import CacheKind
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.executor.test_cache_groups import PAGE, ask, computed_anew, engine_of, prompt_of, said, small_pool
from tests.metal.backends import NATIVE, NATIVE_IDS
from tests.models.architectures.checkpoints_latent import config_of, write_gguf


@pytest.fixture(scope="module", params=[ReferenceBackend(), NATIVE[0]], ids=["reference", NATIVE_IDS[0]])
def backend(request: pytest.FixtureRequest) -> Backend:
    return cast(Backend, request.param)


@pytest.fixture(scope="module")
def deepseek(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    path: Path = tmp_path_factory.mktemp("deepseek") / "m.gguf"
    return load_model(write_gguf(path, config_of("deepseek_v3")), backend)


def test_its_only_group_keeps_a_vector_a_token(deepseek: LoadedModel) -> None:
    (group,) = small_pool(deepseek, 400).groups
    assert (group.group.kind, group.group.layers) == (CacheKind.LATENT, (0, 1, 2))
    assert group.group.page_numbers(PAGE) == PAGE * (48 + 16)


def test_it_reads_the_same_alone_and_in_company(deepseek: LoadedModel, backend: Backend) -> None:
    prompts = {request: prompt_of(8 * request + 3, request) for request in range(1, 8)}
    expected = {request: computed_anew(deepseek, backend, prompt) for request, prompt in prompts.items()}
    alone, together = (engine_of(deepseek, backend, small_pool(deepseek, 800)) for _ in range(2))
    for request, prompt in prompts.items():
        ask(alone, request, prompt)
        alone.settle()
        ask(together, request, prompt)
    together.settle()
    for request in prompts:
        assert said(alone, request) == said(together, request) == expected[request]


def test_a_second_turn_begins_with_the_pages_of_the_first(deepseek: LoadedModel, backend: Backend) -> None:
    engine = engine_of(deepseek, backend, small_pool(deepseek, 400))
    prompt = prompt_of(50, 1)
    ask(engine, 1, prompt)
    engine.settle()
    turn = [*prompt, *said(engine, 1), *prompt_of(7, 2)]
    ask(engine, 2, turn)
    engine.settle()
    done = engine.ended[2][0]
    assert isinstance(done, RequestDone)
    assert done.usage.cached_tokens >= len(prompt) + len(said(engine, 1)) - PAGE
    assert said(engine, 2) == computed_anew(deepseek, backend, turn)


def test_what_was_preempted_and_lost_with_its_executor_says_the_same(deepseek: LoadedModel, backend: Backend) -> None:
    engine = engine_of(deepseek, backend, small_pool(deepseek, 80))
    prompts = {request: prompt_of(20 + request, request) for request in range(1, 6)}
    for request, prompt in prompts.items():
        ask(engine, request, prompt, n=2 if request == 2 else 1)
    for _ in range(80):
        engine.move()
    engine.crash()
    engine.settle()
    assert engine.scheduler.counters.preemptions
    for request, prompt in prompts.items():
        assert said(engine, request) == computed_anew(deepseek, backend, prompt)
    assert said(engine, 2, 1) == said(engine, 2)
