"""What a step that broke leaves behind: no memory, and nothing that a later step could read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import numpy as np
import pytest

from mlxr.actors.executor import device
from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.device import DeviceThread
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.metal.batch import Batch
from mlxr.metal.cache import attention_group
from mlxr.metal.mlx.backend import MlxBackend
from mlxr.metal.pool import Pool, PoolSpec
from mlxr.metal.reference.backend import ReferenceBackend
from mlxr.models.architectures.pooling_head import Pooling
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.kv import PlanRow, RowSetup, TableEntries
from mlxr.runtime.messages.scheduler import StepFailed
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.executor.engines import no_vocabulary

SPEC = PoolSpec.even([attention_group(0, 2, 64)], 64, 16)


class Model:
    """Hidden states are the tokens and what is in the pool: nothing. ``breaks``: they can't be computed."""

    pooling = (Pooling.MEAN,)
    pooling_head = staticmethod(lambda vectors: vectors)
    breaks = False

    def forward(self, tokens: mx.array, batch: Batch, pool: Pool | None) -> mx.array:
        hidden = mx.broadcast_to(tokens[:, None].astype(mx.float32), (tokens.size, 100))
        if self.breaks:
            hidden = hidden + never_computed()
        if pool is not None:
            keys, values = pool.layers[0]
            pool.layers[0] = keys + hidden.sum(), values
            hidden = hidden + 0 * pool.layers[0][0].sum()
        return hidden

    def logits(self, hidden: mx.array, rows: mx.array) -> mx.array:
        return hidden[rows]

    def pooled_input(self, hidden: mx.array) -> mx.array:
        return hidden


class Watched(ReferenceBackend):
    """Notes how much of arrays there is when a pool is made."""

    def __init__(self) -> None:
        super().__init__()
        self.held: list[int] = []

    def pool(self, spec: PoolSpec) -> Pool:
        self.held.append(mx.get_active_memory())
        return super().pool(spec)


def never_computed() -> mx.array:
    """A number that MLX finds out it can't compute when it is to."""
    halves = mx.zeros((1, 1, 1), mx.float16)
    return mx.gather_mm(halves, halves, rhs_indices=mx.array([0]), stream=mx.cpu).reshape(())


def runner_of(model: Any, backend: Any, spec: PoolSpec | None = SPEC) -> ModelRunner:
    return ModelRunner(model, backend, spec, ConstraintTable(Compiler(no_vocabulary), 100), AdapterTable())


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def thread(told: list[Any], monkeypatch: pytest.MonkeyPatch) -> DeviceThread:
    # The test's own log would keep the error, and with it all that its frames hold.
    monkeypatch.setattr(device.log, "exception", lambda *_: None)
    made = DeviceThread(SimpleNamespace(engine="tiny", epoch=0), SimpleNamespace())  # type: ignore[arg-type]
    made._reports._sender = SimpleNamespace(tell=lambda _, message: told.append(message))  # type: ignore[assignment]
    return made


def row(sequence: int, start: int, length: int, **more: Any) -> PlanRow:
    setup = RowSetup(Sampling(temperature=0.0), TokenIds.of(range(8)), 8, normalize=False) if not start else None
    tables = [TableEntries(0, [sequence])] if not start else []
    tokens = TokenIds.of(range(start, start + length))
    return PlanRow(sequence, start, length, tokens, setup=setup, tables=tables, **more)


def sampled(sequence: int) -> PlanRow:
    return row(sequence, 0, 4, sample=[sequence])


@pytest.mark.parametrize("behind", [False, True], ids=["alone", "behind another"])
def test_a_new_pool_has_the_old_one_s_memory(behind: bool, thread: DeviceThread, told: list[Any]) -> None:
    model, backend = Model(), Watched()
    runner = runner_of(model, backend)
    previous = thread._advance(runner, Step(0, 1, [sampled(1)]), 0, None) if behind else None
    model.breaks = True
    assert thread._advance(runner, Step(0, 2, [sampled(2)]), 0, previous) is None
    assert isinstance(told[-1], StepFailed)
    before, after = backend.held
    assert after - before < runner.pool.nbytes / 4


def test_who_was_in_a_step_hears_of_it_though_no_pool_can_be_made(thread: DeviceThread, told: list[Any]) -> None:
    model, backend = Model(), ReferenceBackend()
    runner = runner_of(model, backend)
    model.breaks = True

    def full(spec: PoolSpec) -> Pool:
        raise RuntimeError("[malloc] Unable to allocate")

    backend.pool = full  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="malloc"):
        thread._advance(runner, Step(0, 2, [sampled(2)]), 0, None)
    (failed,) = told
    assert failed.sequences == [2]
    assert "GatherMM" in failed.reason


def test_what_was_gathered_of_an_input_counts_once(thread: DeviceThread) -> None:
    """It is computed from its beginning again, alone."""
    model = Model()
    runner = runner_of(model, ReferenceBackend())
    first, rest = row(1, 0, 4, embeds=True), row(1, 4, 4, embeds=True, pool=True)
    runner.finish(runner.launch(Step(0, 1, [first]), 0))
    model.breaks = True
    thread._advance(runner, Step(0, 2, [rest, sampled(2)]), 0, None)
    model.breaks = False
    runner.finish(runner.launch(Step(0, 3, [first], reset=True), 0))
    (pooled,) = runner.finish(runner.launch(Step(0, 4, [rest]), 0)).pooled
    assert np.frombuffer(pooled.vector, "<f4")[0] == np.mean(range(8))


@pytest.mark.parametrize("spec", [SPEC, None], ids=["pages", "no pages"])
def test_a_backend_forgets_what_the_step_left_in_it(spec: PoolSpec | None, thread: DeviceThread) -> None:
    model, backend = Model(), MlxBackend()
    runner = runner_of(model, backend, spec)
    forgotten: list[bool] = []
    backend.forget_steps = lambda: forgotten.append(True)  # type: ignore[method-assign]
    runner.clear()
    assert forgotten
