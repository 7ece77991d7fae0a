"""What clients have the registry do with models: an operation for each command, whose last reply is the JSON that it
returns."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from anyio import to_thread

from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.commands import NOTHING
from mlxr.actors.registry.fit.estimates import Estimates
from mlxr.actors.registry.jobs.runner import Jobs
from mlxr.actors.registry.late_commands import LateCommands
from mlxr.actors.registry.lifecycle.engine_memory import measured
from mlxr.actors.registry.lifecycle.loading import ModelLoader
from mlxr.actors.registry.lifecycle.manager import EngineManager
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.runtime.messages.registry import (
    Command,
    ControlJob,
    ConvertModel,
    CopyModel,
    CreateModel,
    DeleteModel,
    EstimateConversion,
    EstimateModel,
    ImportModels,
    ListToolModels,
    LoadModel,
    MeasureEngines,
    PullModel,
    PushModel,
    ShowModel,
    StartJob,
    UnloadModel,
)


@dataclass(frozen=True, slots=True)
class Library:
    """What is known of models: those that have a name here, those of other tools, and what each would need."""

    store: Store
    resolver: Resolver
    reader: MetadataReader
    tool_stores: ToolStores
    estimates: Estimates


@dataclass(frozen=True, slots=True)
class Changes:
    """What follows when something has changed.

    Attributes:
        reload: reads the catalogue anew, and brings engines in line with it.
        came: the same where a model is new.
        settle: starts and stops what the policy says, and tells the frontend.
    """

    reload: Callable[[], Awaitable[None]]
    came: Callable[[], Awaitable[None]]
    settle: Callable[[], None]


class ModelCommands:
    """Does them; each raises what its client is told. ``reporter``: what passes on how far a command is, by the number
    that its replies carry."""

    def __init__(
        self,
        library: Library,
        long: LateCommands,
        loader: ModelLoader,
        jobs: Jobs,
        engines: EngineManager,
        reporter: Callable[[int | None], Report],
        changes: Changes,
    ) -> None:
        self._library, self._long, self._loader, self._jobs = library, long, loader, jobs
        self._engines, self._reporter, self._changes = engines, reporter, changes

    async def load(self, message: LoadModel) -> bytes:
        with self._engines.preparing():
            entry, _ = await self._library.resolver.find_adapted(message.model, message.remote)
        report = self._reporter(message.request)
        await self._loader.load(entry, report, keep_alive=message.keep_alive, pin=message.pin)
        return NOTHING

    async def unload(self, message: UnloadModel) -> bytes:
        entry = await self._library.resolver.find(message.model, message.remote)
        self._engines.policy.unload(entry.name)
        self._changes.settle()
        return NOTHING

    async def pull(self, message: PullModel) -> bytes:
        await (await self._long.all()).pull(message, self._reporter(message.request))
        await self._changes.came()
        return NOTHING

    async def create(self, message: CreateModel) -> bytes:
        await (await self._long.all()).create(message, self._reporter(message.request))
        await self._changes.reload()
        return NOTHING

    async def convert(self, message: ConvertModel) -> bytes:
        entry, notes = await (await self._long.all()).convert(message, self._reporter(message.request))
        await self._changes.reload()
        return msgspec.json.encode({"name": entry.name, "notes": notes})

    async def start_job(self, message: StartJob) -> bytes:
        work = msgspec.structs.replace(message.work, remote=message.remote)
        job = self._jobs.start(work)
        self._engines.mark_streams()
        return msgspec.json.encode(job)

    async def control_job(self, message: ControlJob) -> bytes:
        return msgspec.json.encode(self._jobs.control(message.job, message.action))

    async def copy(self, message: CopyModel) -> bytes:
        await self._library.store.copy(message.source, message.target)
        await self._changes.reload()
        return NOTHING

    async def delete(self, message: DeleteModel) -> bytes:
        await self._library.store.delete(message.name)
        await self._changes.reload()
        return NOTHING

    async def estimate(self, message: EstimateModel) -> bytes:
        await self._library.resolver.require_allowed(message.name, message.remote, again=True)
        return msgspec.json.encode(await self._library.estimates.of(message))

    async def show(self, message: ShowModel) -> bytes:
        entry, adapters = await self._library.resolver.find_adapted(message.name, message.remote)
        entry = entry.adapted(message.name, adapters)
        return msgspec.json.encode(await self._library.reader.show(entry, message.verbose, message.remote))

    async def push(self, message: PushModel) -> bytes:
        await (await self._long.all()).push(message, self._reporter(message.request))
        return NOTHING

    async def list_tool_models(self, message: ListToolModels) -> bytes:
        allowed = self._library.resolver.shared if message.remote else None
        return msgspec.json.encode(await self._library.tool_stores.listing(message.tool, allowed))

    async def import_models(self, message: ImportModels) -> bytes:
        result = await (await self._long.all()).import_models(message, self._reporter(message.request))
        await self._changes.reload()
        return msgspec.json.encode(result)

    async def estimate_conversion(self, message: EstimateConversion) -> bytes:
        return msgspec.json.encode(await (await self._long.all()).estimate_conversion(message))

    async def measure_engines(self, message: MeasureEngines) -> bytes:
        # On a thread: where a process holds much, its pages take the system milliseconds to count.
        return await to_thread.run_sync(lambda: msgspec.json.encode(measured(self._engines.policy.engines.running())))


OPERATIONS: dict[type[Command], Callable[[ModelCommands, Any], Awaitable[bytes]]] = {
    LoadModel: ModelCommands.load,
    UnloadModel: ModelCommands.unload,
    PullModel: ModelCommands.pull,
    CreateModel: ModelCommands.create,
    ConvertModel: ModelCommands.convert,
    StartJob: ModelCommands.start_job,
    ControlJob: ModelCommands.control_job,
    CopyModel: ModelCommands.copy,
    DeleteModel: ModelCommands.delete,
    EstimateModel: ModelCommands.estimate,
    ShowModel: ModelCommands.show,
    PushModel: ModelCommands.push,
    ListToolModels: ModelCommands.list_tool_models,
    ImportModels: ModelCommands.import_models,
    EstimateConversion: ModelCommands.estimate_conversion,
    MeasureEngines: ModelCommands.measure_engines,
}
"""By the command that each is for."""
