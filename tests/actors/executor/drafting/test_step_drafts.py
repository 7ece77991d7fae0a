"""A drafter that fails costs drafts, and no request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mlxr.actors.executor.adapters import AdapterTable
from mlxr.actors.executor.compiler import Compiler
from mlxr.actors.executor.constraints import ConstraintTable
from mlxr.actors.executor.drafting import Wanted
from mlxr.actors.executor.model_runner import ModelRunner
from mlxr.actors.executor.pool_size import group_pages
from mlxr.metal.cpu.backend import CpuBackend
from mlxr.metal.tensors import TensorType
from mlxr.models.loading import load_model
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind, DrafterLost
from tests.actors.executor.engines import (
    LIMITS,
    Runner,
    ask,
    computed_anew,
    no_vocabulary,
    prompt_of,
    said,
    small_pool,
)
from tests.actors.scheduler.drafters import AnyDeviceDrafts, speculation
from tests.actors.simulation import Engine
from tests.models.files import Sizes, write_model

INFO = DrafterInfo(DrafterKind.DRAFT_MODEL, 0.1, "small")


class Failing:
    """Has no memory any more."""

    watches = False
    info = INFO

    def __init__(self) -> None:
        self.forwards: list[tuple[int, int]] = []

    def draft(self, wanted: list[Wanted]) -> Any:
        raise RuntimeError("no memory")

    def saw(self, *_: Any) -> None:
        return None

    def forget(self, sequence: int) -> None: ...

    def clear(self) -> None: ...


def test_requests_go_on_without_drafts_and_who_asks_for_them_hears_of_it(tmp_path: Path) -> None:
    backend = CpuBackend(2)
    model = load_model(write_model(tmp_path / "m.gguf", "llama", TensorType.Q8_0, Sizes(vocabulary=100)), backend)
    spec, reasons, drafts = small_pool(model, 256), list[str](), AnyDeviceDrafts(lambda count: count - 1)

    def device() -> Runner:
        constraints = ConstraintTable(Compiler(no_vocabulary), 100)
        runner = ModelRunner(model, backend, spec, constraints, AdapterTable(), Failing(), reasons.append)
        return Runner(runner)

    groups = group_pages(spec, backend.sizes, backend.lazy_pages)
    speculating = replace(speculation("wrong")[0], device=drafts)
    engine = Engine(LIMITS, 0, 0, groups=groups, device=device, speculation=speculating, drafter=INFO)
    ask(engine, 1, prompt_of(9, 1))
    engine.settle()
    assert said(engine, 1) == computed_anew(model, backend, prompt_of(9, 1))
    (reason,) = reasons
    assert "no memory" in reason
    assert drafts.on
    engine.scheduler.drafter_lost(DrafterLost(engine.epoch))
    assert not drafts.on
    assert engine.scheduler.counters.drafter_failures == 1
