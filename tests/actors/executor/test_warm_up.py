"""Before the first request a device computes what would be compiled then."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import mlx.core as mx
import pytest

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.actors.executor.warm_up import STAGE, warm_up
from mlxr.metal.batch import Batch
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.loading import LoadedModel, load_model
from tests.actors.executor.engines import ask, engine_of, no_vocabulary, prompt_of, said, small_pool
from tests.models.architectures.checkpoints_hybrid import config_of, write_folder


class Compiling(ReferenceBackend):
    """Stands for a device whose kernels are compiled at their first launch."""

    first_steps = ((1, 1), (3, 1), (1, 9), (1, 1000))


@pytest.fixture
def model(tmp_path: Path) -> LoadedModel:
    return load_model(write_folder(tmp_path, config_of("qwen3_5")), Compiling())


def runner_of(model: LoadedModel, backend: Compiling, spec: PoolSpec) -> ModelRunner:
    return ModelRunner(model, backend, spec, ConstraintTable(Compiler(no_vocabulary), 100), AdapterTable())


def test_each_step_that_there_is_room_for_runs_and_is_told(model: LoadedModel) -> None:
    backend = Compiling()
    ran: list[tuple[int, int]] = []
    told: list[tuple[str, float]] = []
    forward = model.forward

    def watched(tokens: mx.array, batch: Batch, pool: Pool) -> mx.array:
        ran.append((len(batch.context_lengths), batch.tokens))
        return forward(tokens, batch, pool)

    runner = runner_of(model, backend, small_pool(model, 64))
    warm_up(replace(model, compiled=watched), backend, runner, lambda stage, fraction: told.append((stage, fraction)))
    assert ran == [(1, 1), (3, 3), (1, 9)]
    assert [stage for stage, _ in told] == [STAGE] * 4
    assert told[-1][1] == 1.0


def test_texts_are_the_same_behind_it(model: LoadedModel) -> None:
    backend, texts = Compiling(), []
    for warm in (False, True):
        engine = engine_of(model, backend, small_pool(model, 64))
        if warm:
            warm_up(model, backend, engine.device.runner, lambda stage, fraction: None)
        ask(engine, 1, prompt_of(11, 0))
        engine.settle()
        texts.append(said(engine, 1))
    assert texts[0] == texts[1]


def test_a_step_that_fails_is_no_reason_not_to_serve(model: LoadedModel, caplog: pytest.LogCaptureFixture) -> None:
    backend = Compiling()
    runner = runner_of(model, backend, small_pool(model, 64))

    def broken(*arguments: object) -> mx.array:
        raise RuntimeError("Failed to compile kernel")

    warm_up(replace(model, compiled=broken), backend, runner, lambda stage, fraction: None)
    assert "Failed to compile kernel" in caplog.text


def test_what_a_step_that_fails_has_left_in_the_pool_is_gone(model: LoadedModel) -> None:
    """MLX computes lazily: a layer of the pool is what the step makes of it, which can't be computed."""
    backend = Compiling()
    runner = runner_of(model, backend, small_pool(model, 64))
    before = runner.pool

    def broken(tokens: mx.array, batch: Batch, pool: Pool) -> mx.array:
        model.forward(tokens, batch, pool)
        pool.layers[0] = None
        raise RuntimeError("Failed to compile kernel")

    warm_up(replace(model, compiled=broken), backend, runner, lambda stage, fraction: None)
    assert before.layers[0] is None
    assert runner.pool.layers[0] is not None
