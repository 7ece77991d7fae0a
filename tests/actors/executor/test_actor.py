"""The executor's life around its device's thread."""

from __future__ import annotations

from pathlib import Path

import anyio
import msgspec
import pytest

from mlxr.actors.executor.actor import ExecutorActor
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.registry import EngineDown
from mlxr.runtime.telemetry import Telemetry

pytestmark = pytest.mark.anyio


async def test_an_executor_that_can_not_load_its_model_says_so_and_waits_to_be_stopped(tmp_path: Path) -> None:
    bus = Bus(tmp_path, lambda address: True)
    registry = bus.inbox(Address("registry"), INBOXES["registry"])
    address = Address.of("executor", "test")
    inbox = bus.inbox(address, INBOXES["executor"])
    settings = msgspec.json.encode(ExecutorSettings(str(tmp_path / "absent.gguf")))
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
    assert "absent.gguf" in said.reason
