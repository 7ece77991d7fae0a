"""What every model that generates is held to with the real scheduler and KV manager before it, whatever its layers keep
of a sequence: pages, windows, latents, states, or several of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from mlxr.actors.scheduler.speculation import Speculation
from mlxr.metal.backend import Backend
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import LoadedModel, load_model
from mlxr.runtime.messages.kv import CacheKind
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.executor.engines import GENERATED, PAGE, ask, computed_anew, engine_of, prompt_of, said, small_pool
from tests.actors.simulation import Engine
from tests.actors.speculation.drafters import informed
from tests.metal.backends import NATIVE, NATIVE_IDS
from tests.models.architectures import (
    checkpoints_gemma,
    checkpoints_hybrid,
    checkpoints_latent,
    checkpoints_recurrent,
    checkpoints_states,
)
from tests.models.files import Sizes, write_model

GRID = 16
"""Tokens of a prompt between two states that are kept."""

WINDOWED = Sizes(
    layers=7,
    width=64,
    hidden=96,
    heads=4,
    kv_heads=1,
    head_dim=32,
    vocabulary=100,
    settings={"attention.sliding_window": 9, "rope.freq_base": 1e6},
)


def written(checkpoints: Any, name: str, path: Path) -> Path:
    return cast(Path, checkpoints.write_gguf(path, checkpoints.config_of(name)))


def windowed(path: Path) -> Path:
    return write_model(path, "gemma3", TensorType.Q8_0, WINDOWED)


def folder(checkpoints: Any, name: str, path: Path) -> Path:
    return cast(Path, checkpoints.write_folder(path.with_name("folder"), checkpoints.config_of(name)))


def family(checkpoints: Any, *names: str) -> dict[str, Callable[[Path], Path]]:
    return {name: partial(written, checkpoints, name) for name in names}


MODELS: dict[str, Callable[[Path], Path]] = {
    "gemma3": windowed,
    **family(
        checkpoints_gemma,
        "gemma4 with shared keys",
        "gemma4 with values that are keys",
        "gemma4 with experts",
        "gemma3n",
    ),
    **family(checkpoints_latent, "deepseek_v3"),
    **family(checkpoints_hybrid, "qwen3_5", "qwen3_next"),
    **family(checkpoints_recurrent, "lfm2_moe", "granite 4", "nemotron_h with experts", "falcon_h1"),
    **{name: partial(folder, checkpoints_states, name) for name in ("mamba", "kimi_linear")},
}
"""How each is written."""


@dataclass(frozen=True)
class Case:
    """A loaded model, with engines over a pool that holds all that a test asks (``roomy``), or does not (``tight``)."""

    model: LoadedModel
    backend: Backend
    answers: dict[tuple[int, ...], list[int]] = field(default_factory=dict)

    @property
    def has_states(self) -> bool:
        return any(group.kind is CacheKind.STATE for group in self.model.cache_groups)

    def roomy(self, speculation: Speculation | None = None) -> Engine:
        return self._engine(200, 24, speculation) if self.has_states else self._small(400, speculation)

    def tight(self, speculation: Speculation | None = None) -> Engine:
        return self._engine(16, 4, speculation) if self.has_states else self._small(80, speculation)

    def anew(self, prompt: list[int]) -> list[int]:
        """The answer by forward passes over all before, which take a second or two: each is made once."""
        if tuple(prompt) not in self.answers:
            self.answers[tuple(prompt)] = computed_anew(self.model, self.backend, prompt)
        return self.answers[tuple(prompt)]

    def _small(self, tokens: int, speculation: Speculation | None) -> Engine:
        return engine_of(self.model, self.backend, small_pool(self.model, tokens), speculation)

    def _engine(self, pages: int, states: int, speculation: Speculation | None) -> Engine:
        groups = [
            GroupSpec(group, states, GRID) if group.kind is CacheKind.STATE else GroupSpec(group, pages, PAGE)
            for group in self.model.cache_groups
        ]
        return engine_of(self.model, self.backend, PoolSpec(tuple(groups)), speculation)


@pytest.fixture(scope="module", params=[ReferenceBackend(), NATIVE[0]], ids=["reference", NATIVE_IDS[0]])
def backend(request: pytest.FixtureRequest) -> Backend:
    """Those whose rows are the same in any company."""
    return cast(Backend, request.param)


@pytest.fixture(scope="module", params=list(MODELS))
def case(request: pytest.FixtureRequest, backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(load_model(MODELS[request.param](tmp_path_factory.mktemp("model") / "m.gguf"), backend), backend)


def cached(engine: Engine, request: int) -> int:
    done = engine.ended[request][0]
    assert isinstance(done, RequestDone)
    return done.usage.cached_tokens


def test_answers_are_the_same_alone_and_in_company(case: Case) -> None:
    prompts = {request: prompt_of(8 * request + 3, request) for request in range(1, 7)}
    alone, together = case.roomy(), case.roomy()
    for request, prompt in prompts.items():
        ask(alone, request, prompt)
        alone.settle()
        ask(together, request, prompt, n=1 + request % 2)
    together.settle()
    for request, prompt in prompts.items():
        assert said(alone, request) == said(together, request) == case.anew(prompt)
        assert request % 2 == 0 or said(together, request, 1) == said(together, request)


def test_a_seed_draws_the_same_alone_and_in_company(case: Case) -> None:
    alone, together = case.roomy(), case.roomy()
    for request in range(1, 6):
        for engine in (alone, together):
            engine.submit(request, prompt_of(5 * request, request), GENERATED, seed=request)
        alone.settle()
    together.settle()
    assert all(said(alone, request) == said(together, request) for request in range(1, 6))


def test_a_turn_goes_on_from_what_is_kept_of_the_one_before(case: Case) -> None:
    engine = case.roomy()
    turn = prompt_of(50, 1)
    ask(engine, 1, turn)
    engine.settle()
    for request in (2, 3):
        # States are kept behind prompts, pages behind answers, too.
        kept = len(turn) // PAGE * PAGE if case.has_states else len(turn) + len(said(engine, request - 1)) - PAGE
        turn = [*turn, *said(engine, request - 1), *prompt_of(7, request)]
        ask(engine, request, turn)
        engine.settle()
        assert cached(engine, request) >= kept
        assert said(engine, request) == case.anew(turn)


def test_another_ending_of_a_prompt_goes_on_from_within_it(case: Case) -> None:
    engine = case.roomy()
    ask(engine, 1, prompt_of(50, 1))
    engine.settle()
    other = [*prompt_of(50, 1)[:38], *prompt_of(9, 4)]
    ask(engine, 2, other)
    engine.settle()
    windows = any(group.kind is CacheKind.WINDOW for group in case.model.cache_groups)
    if case.has_states:
        assert cached(engine, 2) == 2 * GRID
    elif not windows:  # which may have given back what was before them
        assert cached(engine, 2) == 38 // PAGE * PAGE
    assert said(engine, 2) == case.anew(other)


@pytest.mark.parametrize("fails", [Engine.crash, Engine.lose_kv], ids=["executor", "KV manager"])
def test_what_was_preempted_or_lost_says_the_same(case: Case, fails: Callable[[Engine], None]) -> None:
    engine = case.tight()
    prompts = {request: prompt_of(20 + request, request) for request in range(1, 6)}
    for request, prompt in prompts.items():
        ask(engine, request, prompt, n=2 if request == 2 else 1)
    for _ in range(80):
        engine.move()
    fails(engine)
    engine.settle()
    assert engine.scheduler.counters.preemptions
    for request, prompt in prompts.items():
        assert said(engine, request) == case.anew(prompt)
    assert said(engine, 2, 1) == said(engine, 2)


def test_drafts_right_and_wrong_change_nothing(case: Case) -> None:
    """Greedy and seeded, several choices, with and without room for all."""
    plain = case.roomy()
    ask_all(plain)
    for seed, make in enumerate((case.roomy, case.tight)):
        engine = make(informed(plain.output, 100, seed))
        ask_all(engine)
        assert engine.output == plain.output
        assert 0 < engine.scheduler.counters.accepted_tokens < engine.scheduler.counters.drafted_tokens


def ask_all(engine: Engine) -> None:
    for request in range(1, 6):
        temperature = 0.0 if request % 2 else 1.0
        engine.submit(
            request, prompt_of(9 + request, request), GENERATED, 1 + request % 2, request, temperature=temperature
        )
    engine.settle()
