"""How the supervisor starts shared actors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from mlxr.runtime.actor import Actor, Context
from mlxr.runtime.bus import Address, Bus, Inbox
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.supervisor import StartEngine
from mlxr.runtime.supervisor import ActorSpec, SupervisorActor
from mlxr.runtime.telemetry import Telemetry

started = anyio.Event()


class Engines(Actor):
    kind = "registry"

    async def receive(self, inbox: Inbox[Any]) -> None:
        await anyio.sleep_forever()


class Other(Engines):
    kind = "profile"

    async def start(self) -> None:
        started.set()


async def test_the_server_goes_on_where_what_engines_are_made_of_can_not_be_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cannot_be_imported.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    bus = Bus(tmp_path, lambda address: True)
    inbox = bus.inbox(Address("supervisor"), INBOXES["supervisor"])
    context = Context(Address("supervisor"), bus, Telemetry(), tmp_path)
    shared = [
        ActorSpec("registry", f"{__name__}:Engines", engines=("cannot_be_imported",), loads=True),
        ActorSpec("profile", f"{__name__}:Other"),
    ]
    supervisor = SupervisorActor(context, shared, lambda spec, memory: [], set(), 0, 60.0)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervisor.run, inbox)
            with anyio.fail_after(30):
                await started.wait()
            tasks.cancel_scope.cancel()
    finally:
        inbox.close()
        bus.close()


def test_an_engines_processes_begin_before_its_other_actors_are_imported(tmp_path: Path) -> None:
    launched: list[str] = []

    class Launches(SupervisorActor):
        """Starts nothing."""

        def _launch(self, spec: ActorSpec, address: Address) -> None:
            launched.append(address)

    bus = Bus(tmp_path, lambda address: True)
    context = Context(Address("supervisor"), bus, Telemetry(), tmp_path)
    actors = [ActorSpec("tokenizer", ""), ActorSpec("kv", ""), ActorSpec("executor", "", process=True)]
    try:
        Launches(context, [], lambda spec, memory: actors, set(), 0, 60.0).start_engine(StartEngine("m", b"{}"))
    finally:
        bus.close()
    assert launched == ["executor/m", "tokenizer/m", "kv/m"]
