"""The executor's life around its device's thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import anyio
import msgspec
import pytest

from mlxr.actors.executor.actor import ExecutorActor
from mlxr.actors.executor.engine_reports import EngineReports
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.metal.tensors import TensorType
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.registry import EngineDown, LoadProgress
from mlxr.runtime.pacing import Pacer
from mlxr.runtime.telemetry import Telemetry
from tests.models.files import Sizes, write_hollow, write_model

pytestmark = pytest.mark.anyio


def absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    return "No such file"


def cut_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    path = write_model(tmp_path / "model.gguf", "llama", TensorType.Q8_0, Sizes())

    def cut(self: EngineReports, pacer: Pacer) -> Callable[[str, float], None]:
        return lambda stage, fraction: os.truncate(path, 1 << 16)

    monkeypatch.setattr(EngineReports, "progress", cut)
    return "changed while it was read"


def another_by_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    write_model(tmp_path / "model.gguf", "llama", TensorType.Q8_0, Sizes())
    return "was changed while its model was in use"


def out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    def load(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("mlxr.actors.executor.fitting_loader.load_model", load)
    return "can't be loaded: MemoryError"


def larger_than_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    layer = Sizes(layers=1, width=8192, hidden=32768, heads=64, kv_heads=64, head_dim=128)
    layers = memory // (4 * layer.width**2 + 3 * layer.width * layer.hidden) + 1
    write_hollow(tmp_path / "model.gguf", TensorType.Q8_0, replace(layer, layers=layers))
    return " for a context of 512 tokens"


@pytest.mark.parametrize("prepare", [absent, cut_while_it_is_read, another_by_now, out_of_memory, larger_than_memory])
async def test_an_executor_that_can_not_load_its_model_says_so_and_waits_to_be_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepare: Callable[[Path, pytest.MonkeyPatch], str]
) -> None:
    reason = prepare(tmp_path, monkeypatch)
    bus = Bus(tmp_path, lambda address: True)
    registry = bus.inbox(Address("registry"), INBOXES["registry"])
    address = Address.of("executor", "test")
    inbox = bus.inbox(address, INBOXES["executor"])
    before = "1 2 3" if prepare is another_by_now else ""
    settings = msgspec.json.encode(ExecutorSettings(str(tmp_path / "model.gguf"), identity=before))
    actor = ExecutorActor(Context(address, bus, Telemetry(), tmp_path, settings))
    ended = anyio.Event()

    async def live() -> None:
        try:
            await actor.run(inbox)
        finally:
            ended.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live)
        said = await anyio.to_thread.run_sync(registry.receive, 30.0)
        while isinstance(said, LoadProgress):
            said = await anyio.to_thread.run_sync(registry.receive, 30.0)
        with anyio.move_on_after(0.2):
            await ended.wait()
        assert not ended.is_set()
        tasks.cancel_scope.cancel()
    assert ended.is_set()
    inbox.close()
    registry.close()
    bus.close()
    assert isinstance(said, EngineDown)
    assert said.final
    assert "model.gguf" in said.reason or said.code is ErrorCode.OUT_OF_MEMORY
    assert (said.code is ErrorCode.OUT_OF_MEMORY) == (prepare is larger_than_memory)
    assert reason in said.reason
