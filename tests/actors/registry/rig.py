"""A registry on a real bus, with stand-ins for the frontend and the supervisor."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import anyio
import msgspec

from mlxr.actors.registry.actor import RegistryActor
from mlxr.actors.registry.settings import RegistrySettings
from mlxr.api.jobs import Job, JobChanges
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import Message
from mlxr.runtime.messages.frontend import Catalog, JobsChanged, RegistryReply
from mlxr.runtime.messages.registry import EngineReleased, EngineStopped, EngineUp, TokenizerUp
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine
from mlxr.runtime.telemetry import Telemetry

PATIENCE_SECONDS = 30.0


class Rig:
    """``autostart``: whether engines come up as soon as they are started. ``releases``: whether the frontend says at
    once that it sends no more requests to an engine that is to stop. ``in_flight``: what it says it has sent."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._numbers = count(1)
        self._changed = anyio.Event()
        self.autostart = True
        self.releases = True
        self.in_flight: dict[str, int] = {}
        self.catalog = Catalog([], [])
        self.catalogs: list[Catalog] = []
        self.jobs: dict[str, Job] = {}
        self.replies: dict[int, list[RegistryReply]] = {}
        self.actions: list[StartEngine | StopEngine] = []

    def tell(self, message: Message) -> None:
        self._bus.tell(Address("registry"), message)

    def send(self, command: Any, *fields: Any, remote: bool = False) -> int:
        """Send a command under a new number; ``remote``: as if for a client on another machine."""
        number = next(self._numbers)
        self.replies[number] = []
        self.tell(command(*fields, request=number, remote=remote))
        return number

    async def outcome(self, number: int) -> RegistryReply:
        """The last reply to command ``number``."""
        await self.until(lambda: bool(self.replies[number]) and self.replies[number][-1].last)
        return self.replies[number][-1]

    async def ask(self, command: Any, *fields: Any, remote: bool = False) -> RegistryReply:
        return await self.outcome(self.send(command, *fields, remote=remote))

    async def until(self, true: Callable[[], bool]) -> None:
        """Return once ``true`` holds, looking after every message."""
        with anyio.fail_after(PATIENCE_SECONDS):
            while not true():
                await self._changed.wait()

    def bring_up(self, engine: str) -> None:
        self.tell(TokenizerUp(engine))
        self.tell(EngineUp(engine, 128, 1000, "cpu"))

    def models(self) -> list[str]:
        return [entry.name for entry in self.catalog.models]

    def states(self) -> dict[str, str]:
        return {engine.model: engine.state for engine in self.catalog.engines}

    def started(self) -> list[EngineSpec]:
        return [msgspec.json.decode(a.spec, type=EngineSpec) for a in self.actions if isinstance(a, StartEngine)]

    def hear(self, message: Any) -> None:
        match message:
            case Catalog():
                self.catalog = message
                self.catalogs.append(message)
                for engine in message.engines:
                    if engine.ending and self.releases:
                        self.tell(EngineReleased(engine.engine, engine.ending, self.in_flight))
            case RegistryReply():
                self.replies[message.request].append(message)
            case JobsChanged():
                changes = msgspec.json.decode(message.changes, type=JobChanges)
                self.jobs = {} if changes.whole else self.jobs
                self.jobs |= {job.id: job for job in changes.jobs}
                for id in changes.gone:
                    del self.jobs[id]
            case _:
                self.actions.append(message)
                if isinstance(message, StopEngine):
                    self.tell(EngineStopped(message.engine))
                if isinstance(message, StartEngine) and self.autostart:
                    self.bring_up(message.engine)
        self._changed.set()
        self._changed = anyio.Event()


class Start(Protocol):
    """Begins a registry over the home of the tests, with keys of ``[models]``."""

    def __call__(self, warm: bool = False, **models: object) -> AbstractAsyncContextManager[Rig]: ...


@asynccontextmanager
async def running(home: Path, run_directory: Path, settings: RegistrySettings | None = None) -> AsyncIterator[Rig]:
    """A registry that serves ``home``; ended at the end of the block."""
    os.makedirs(run_directory, exist_ok=True)
    bus = Bus(run_directory, lambda address: True)
    inboxes = [bus.inbox(Address(kind), INBOXES[kind]) for kind in ("frontend", "supervisor", "registry")]
    rig = Rig(bus)
    context = Context(
        Address("registry"),
        bus,
        Telemetry(),
        run_directory,
        msgspec.json.encode(settings or RegistrySettings(str(home))),
    )
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(inboxes[0].consume, rig.hear)
            tasks.start_soon(inboxes[1].consume, rig.hear)
            tasks.start_soon(RegistryActor(context).run, inboxes[2])
            yield rig
            tasks.cancel_scope.cancel()
    finally:
        for inbox in inboxes:
            inbox.close()
        bus.close()
