"""The registry: what models there are, and which of them run. A shell around the catalogue and the engine policy."""

from __future__ import annotations

import logging
import math
import sqlite3
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import anyio
import msgspec
from anyio import to_thread

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.fits import AdapterFits
from mlxr.actors.registry.catalogue.resolver import FROM_PATH, Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.client_errors import without_paths
from mlxr.actors.registry.commands import NOTHING, Commands, Operation
from mlxr.actors.registry.fit.dry_run import DryRun
from mlxr.actors.registry.fit.load_needs import LoadNeed, LoadNeeds
from mlxr.actors.registry.jobs.files import JobFiles
from mlxr.actors.registry.jobs.record import Outcome
from mlxr.actors.registry.jobs.runner import Jobs
from mlxr.actors.registry.lifecycle.manager import EngineManager
from mlxr.actors.registry.lifecycle.memory import DEVICE_SHARE, free_memory, lacking_memory, measured, memory_limit
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.actors.registry.lifecycle.startup import StartupModels
from mlxr.actors.registry.long_commands import LongCommands
from mlxr.actors.registry.metadata.reader import MetadataReader, require_usable
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.progress import Progress, Report, ignore
from mlxr.actors.registry.settings import RegistrySettings
from mlxr.actors.registry.sources.staging import sweep
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.actors.registry.tool_stores.in_place import require_in_place
from mlxr.api.adapted_models import no_model
from mlxr.api.jobs import JobChanges
from mlxr.models.identity import identity
from mlxr.models.names import key
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import ConfigError, MlxrError, RequestError, StartError
from mlxr.runtime.memory import available_bytes, machine_bytes
from mlxr.runtime.messages.frontend import Catalog, JobsChanged, MemoryInfo
from mlxr.runtime.messages.registry import (
    CancelCommand,
    Command,
    ControlJob,
    ConvertModel,
    CopyModel,
    CreateModel,
    DeleteModel,
    EngineDown,
    EngineMemory,
    EngineReleased,
    EngineStopped,
    EngineUp,
    EstimateConversion,
    EstimateModel,
    ImportModels,
    ListToolModels,
    LoadModel,
    LoadProgress,
    MeasureEngines,
    PullModel,
    PushModel,
    SendCatalog,
    ShowModel,
    StartJob,
    TokenizerUp,
    TouchModel,
    UnloadModel,
    Work,
)
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")

FRONTEND = Address.of("frontend")
SUPERVISOR = Address.of("supervisor")

TICK_SECONDS = 0.5
REFRESH_TICKS = 4
"""How often to ask SQLite for changes that other processes made to the catalogue, where its files do not show them."""
REPEAT_TICKS = 10
"""How often to send the catalogue unchanged, with expiry times that have moved on."""

UNUSED_SECONDS = 86400.0
"""How long an uploaded file waits for a model to be made of it."""


C = TypeVar("C", bound=Command)


def command(message: type[C]) -> Callable[[Callable[[RegistryActor, C], Awaitable[bytes]]], object]:
    """Marks a method as what is done for one kind of command, whose last reply has the JSON that it returns."""

    def mark(method: Callable[[RegistryActor, C], Awaitable[bytes]]) -> object:
        @on(message)
        def begin(actor: RegistryActor, command: C) -> None:
            actor.begin(command, partial(method, actor, command))

        return begin

    return mark


class RegistryActor(Actor):
    kind = "registry"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: RegistrySettings = decode_settings(context, RegistrySettings)
        self._home = Home(Path(self._settings.home))
        models = self._settings.models
        self._engines = EngineManager(
            EnginePolicy(
                models.max_loaded,
                models.keep_alive if models.keep_alive >= 0 else math.inf,
                memory_limit(models.memory_limit, machine_bytes()),
            ),
            context.run_directory,
            partial(self.tell, SUPERVISOR),
            free_memory,
            lambda engine, command: self.tell(Address.of("kv", engine), command),
            lacking_memory,
            lambda: self._commands.working or self._jobs.working,
        )
        self._entries: list[CatalogueEntry] = []
        self._stamp: str | None = None
        self._ticket: int | None = None
        self._refreshing = anyio.Lock()
        self._startup = StartupModels(
            self._settings,
            self._obtain,
            self._load_at_start,
            self._publish,
            self.spawn,
            first_start=context.epoch == 0,
        )
        self._commands = Commands(self.spawn, partial(self.tell, FRONTEND), self._home.root)
        self._opened = False
        self._reader = MetadataReader.sandboxed()
        self._fits = AdapterFits(self._reader)
        self._load_needs = LoadNeeds(self._home, self._reader, self._settings.executor)
        self._store: Store
        self._tool_stores: ToolStores
        self._resolver: Resolver
        self._long: LongCommands
        self._jobs: Jobs

    async def start(self) -> None:
        try:
            self._store = await Store.open(self._home)
            self._opened = True
            if self._store.read_only:
                log.warning("%s is read-only: models can be served, but not added or removed", self._home.root)
            else:
                await self._store.restore()
                await to_thread.run_sync(sweep, self._home)
                await self._store.prune(time.time() - UNUSED_SECONDS)
            if orphans := await self._store.orphans():
                log.warning("no model is made of these files, which are kept: %s", ", ".join(map(str, orphans)))
        except ConfigError as error:
            raise StartError(str(error)) from error
        except (OSError, sqlite3.Error, MlxrError) as error:
            raise StartError(
                f"can't use {self._home.root} for models: {error}; MLXR_HOME sets another place"
            ) from error
        self._tool_stores = ToolStores(self._store, self._reader)
        self._resolver = Resolver(self._store, self._reader, self._settings.models.paths, self._tool_stores)
        self._long = LongCommands(
            self._home,
            self._store,
            self._reader,
            self._resolver,
            self._tool_stores,
            self._settings.models.registry,
            self.spawn,
        )
        job_files = JobFiles(self._home, not self._store.read_only, self.context.run_directory.name)
        self._jobs = Jobs(self._perform, self.spawn, self._tell_jobs, job_files, self._home.root)
        await self._jobs.recover()
        adopted = self._engines.adopt()
        await self._resolver.refresh(adopted)
        await self._read()
        await self._fits.update(self._entries)
        if not adopted:
            # Before anybody hears of the models: a server is not ready while these are loading.
            self._startup.begin(self._entries, self._store.read_only)
        self._bring_in_line()
        self.spawn(self._tick)

    async def stop(self) -> None:
        await self._reader.close()
        # A server that ends while it starts has not opened it yet.
        if self._opened:
            await self._store.close()

    # Engines.

    @on(TouchModel)
    def touch_model(self, message: TouchModel) -> None:
        self._engines.touch(message)
        if message.active == 0:
            self._settle()

    @on(EngineUp)
    def engine_up(self, message: EngineUp) -> None:
        self._engines.policy.executor_up(message)
        self._limit_to_device(message)
        megabytes, context = message.memory_bytes / 1e6, message.context_length
        log.info("%s is loaded: context of %d tokens, up to %.0f MB with that full", message.engine, context, megabytes)
        self._settle()

    @on(TokenizerUp)
    def tokenizer_up(self, message: TokenizerUp) -> None:
        self._engines.policy.tokenizer_up(message)
        self._settle()

    @on(EngineMemory)
    def engine_memory(self, message: EngineMemory) -> None:
        self._engines.policy.memory_changed(message)
        self._settle()

    @on(EngineReleased)
    def engine_released(self, message: EngineReleased) -> None:
        self._engines.policy.released(message)
        self._settle()

    @on(EngineStopped)
    def engine_stopped(self, message: EngineStopped) -> None:
        self._engines.policy.stopped(message.engine)
        self._settle()

    @on(LoadProgress)
    def load_progress(self, message: LoadProgress) -> None:
        self._engines.policy.progressed(message)
        self._publish()

    @on(EngineDown)
    def engine_down(self, message: EngineDown) -> None:
        if message.final:
            log.warning("%s is given up: %s", message.engine, message.reason)
        # Clients are told the reason.
        reason = without_paths(message.reason, self._home.root)
        self._engines.down(msgspec.structs.replace(message, reason=reason))
        self._settle()

    # The catalogue.

    @on(SendCatalog)
    def send_catalog(self, message: SendCatalog) -> None:
        if message.ticket is None:
            # From a frontend that was started anew.
            self._engines.policy.forget_requests()
        self.spawn(self._send_catalog, message.ticket)

    # Commands.

    def begin(self, command: Command, operation: Operation) -> None:
        """Does a command beside all others."""
        self._commands.begin(command.request, operation)
        self._engines.mark_streams()

    @on(CancelCommand)
    def cancel_command(self, message: CancelCommand) -> None:
        self._commands.cancel(message.request)

    @command(LoadModel)
    async def load_model(self, message: LoadModel) -> bytes:
        await self._resolver.require_allowed(message.model, message.remote)
        entry, _ = await self._resolver.find_adapted(message.model)
        report = self._commands.reporter(message.request)
        await self._load(entry, report, keep_alive=message.keep_alive, pin=message.pin)
        return NOTHING

    @command(UnloadModel)
    async def unload_model(self, message: UnloadModel) -> bytes:
        entry = await self._resolver.find(message.model, message.remote)
        self._engines.policy.unload(entry.name)
        self._settle()
        return NOTHING

    @command(PullModel)
    async def pull_model(self, message: PullModel) -> bytes:
        await self._long.pull(message, self._commands.reporter(message.request))
        await self._reload()
        await self._startup.retry(self._store.find)
        return NOTHING

    @command(CreateModel)
    async def create_model(self, message: CreateModel) -> bytes:
        await self._long.create(message, self._commands.reporter(message.request))
        await self._reload()
        return NOTHING

    @command(ConvertModel)
    async def convert_model(self, message: ConvertModel) -> bytes:
        entry, notes = await self._long.convert(message, self._commands.reporter(message.request))
        await self._reload()
        return msgspec.json.encode({"name": entry.name, "notes": notes})

    async def _perform(self, work: Work, report: Report) -> Outcome:
        outcome = await self._long.perform(work, report)
        await self._reload()
        await self._startup.retry(self._store.find)
        return outcome

    @command(StartJob)
    async def start_job(self, message: StartJob) -> bytes:
        work = msgspec.structs.replace(message.work, remote=message.remote)
        job = self._jobs.start(work)
        self._engines.mark_streams()
        return msgspec.json.encode(job)

    @command(ControlJob)
    async def control_job(self, message: ControlJob) -> bytes:
        return msgspec.json.encode(self._jobs.control(message.job, message.action))

    @command(CopyModel)
    async def copy_model(self, message: CopyModel) -> bytes:
        await self._store.copy(message.source, message.target)
        await self._reload()
        return NOTHING

    @command(DeleteModel)
    async def delete_model(self, message: DeleteModel) -> bytes:
        await self._store.delete(message.name)
        await self._reload()
        return NOTHING

    @command(EstimateModel)
    async def estimate_model(self, message: EstimateModel) -> bytes:
        await self._resolver.require_allowed(message.name, message.remote, again=True)
        registry = RegistryAt(self._settings.models.registry, message.insecure)
        policy = self._engines.policy
        yielding = [engine for engine in policy.running() if not engine.fixed]
        held = await to_thread.run_sync(measured, yielding)
        pinned = sum(engine.takes - engine.spare for engine in policy.running() if engine.fixed)
        look = DryRun(
            self._home,
            self._store,
            self._reader,
            self._settings.executor,
            registry=registry,
            reclaimable=sum(each.bytes for each in held),
            memory_limit=max(policy.memory - pinned, 1),
        )
        return msgspec.json.encode(await look.estimate(message.name, message.context_length))

    @command(ShowModel)
    async def show_model(self, message: ShowModel) -> bytes:
        entry, adapters = await self._resolver.find_adapted(message.name, message.remote)
        entry = entry.adapted(message.name, adapters)
        return msgspec.json.encode(await self._reader.show(entry, message.verbose, message.remote))

    @command(PushModel)
    async def push_model(self, message: PushModel) -> bytes:
        await self._long.push(message, self._commands.reporter(message.request))
        return NOTHING

    @command(ListToolModels)
    async def list_tool_models(self, message: ListToolModels) -> bytes:
        allowed = self._resolver.shared if message.remote else None
        return msgspec.json.encode(await self._tool_stores.listing(message.tool, allowed))

    @command(ImportModels)
    async def import_models(self, message: ImportModels) -> bytes:
        result = await self._long.import_models(message, self._commands.reporter(message.request))
        await self._reload()
        return msgspec.json.encode(result)

    @command(EstimateConversion)
    async def estimate_conversion(self, message: EstimateConversion) -> bytes:
        return msgspec.json.encode(await self._long.estimate_conversion(message))

    @command(MeasureEngines)
    async def measure_engines(self, message: MeasureEngines) -> bytes:
        # On a thread: where a process holds much, its pages take the system milliseconds to count.
        return await to_thread.run_sync(lambda: msgspec.json.encode(measured(self._engines.policy.running())))

    async def _load(
        self,
        entry: CatalogueEntry,
        report: Report = ignore,
        *,
        keep_alive: float | None = None,
        stays: bool = False,
        pin: bool | None = None,
    ) -> None:
        """Return when an engine serves ``entry``; raises ``RequestError`` if none can, ``UnsupportedModelError`` for
        a model that can't run here. The other arguments are ``EnginePolicy.ensure``'s."""
        require_usable(entry.blob.path, entry.blob.info)
        await to_thread.run_sync(require_in_place, entry)
        if entry.blob.info.is_adapter:
            raise RequestError(no_model(entry.message()))
        spec = msgspec.structs.replace(entry.engine_spec(), identity=identity(entry.blob.path))
        serving = self._engines.policy.serving(entry.name)
        need = LoadNeed(serving.needs) if serving else await self._load_needs.of(entry, spec.identity)
        if entry.source == FROM_PATH:
            # Local files are forgotten that no engine serves, and meanwhile none has.
            entry = await self._resolver.find(entry.name)
        now = time.monotonic()
        engine = self._engines.policy.ensure(
            spec, keep_alive, now, needs=need.nbytes, explain=need.explain, stays=stays, pin=pin
        )
        self._startup.served(entry.name)
        with self._engines.awaited(engine) as readiness:
            await self._reload()
            if not engine.ready:
                report(Progress("loading"))
            await readiness.wait(report)

    async def _load_at_start(self, entry: CatalogueEntry) -> None:
        """Load what is served from the start: it stays for as long as there is room, or longer if it is pinned."""
        await self._load(entry, stays=True, pin=self._pinned(entry) or None)

    def _pinned(self, entry: CatalogueEntry) -> bool:
        names = {key(name) for name in self._settings.models.pinned}
        return bool(names & {key(entry.name), *map(key, entry.aliases), key(str(entry.blob.path))})

    def _limit_to_device(self, message: EngineUp) -> None:
        """Where nothing is configured, what the device has is the limit, where it is less than or not the system's."""
        policy, total = self._engines.policy, int(message.device_total * DEVICE_SHARE)
        if total and not self._settings.models.memory_limit:
            policy.limit_memory(min(policy.memory, total) if message.device_shared else total)

    async def _obtain(self, name: str, report: Report) -> CatalogueEntry:
        return await self._long.obtain(name, report)

    async def _tick(self) -> None:
        """What time brings: expired engines, changes by other processes."""
        tick = 0
        while True:
            await anyio.sleep(TICK_SECONDS)
            tick += 1
            if tick % REFRESH_TICKS == 0 or self._stamp != self._home.stamp():
                await self._refresh()
            if self._engines.settle() or tick % REPEAT_TICKS == 0:
                self._publish()
                self._engines.wake()

    async def _send_catalog(self, ticket: int | None) -> None:
        await self._refresh()
        # A frontend that was restarted counts from the beginning.
        self._ticket = ticket
        if ticket is None:
            self._jobs.tell_all()
        self._publish()

    async def _refresh(self) -> None:
        """Take in what other processes did to the catalogue. One at a time: who comes second needs what the first has
        not yet taken in."""
        async with self._refreshing:
            try:
                described = await self._described_anew()
                if described or await self._store.changed_elsewhere() or self._stamp != self._home.stamp():
                    await self._reload()
                    await self._startup.retry(self._store.find)
            except (sqlite3.Error, MlxrError, OSError) as error:
                log.warning("can't read the catalogue: %s", error)

    async def _described_anew(self) -> bool:
        """Tells whether files in models.d say something else of models now; one that is wrong is logged."""
        try:
            changed = await self._store.reload_configs()
        except ConfigError as error:
            log.error("%s; what was known of models before stands", error)
            return False
        if changed:
            log.info("models.d has changed, and is heeded from now on")
        return changed

    async def _reload(self) -> None:
        """Read the catalogue anew, and bring engines in line with it."""
        await self._read()
        await self._fits.update(self._entries)
        self._bring_in_line()

    async def _read(self) -> None:
        # Before it is read: what changes meanwhile shows the next time.
        self._stamp = self._home.stamp()
        self._entries = await self._resolver.models(self._engines.policy.models())

    def _bring_in_line(self) -> None:
        specs = {entry.name: entry.engine_spec() for entry in self._entries}
        self._engines.policy.reconcile(specs, time.monotonic())
        self._settle()

    def _settle(self) -> None:
        self._engines.settle()
        self._publish()
        self._engines.wake()

    def _publish(self) -> None:
        infos = [*self._engines.policy.infos(time.monotonic(), time.time()), *self._startup.infos()]
        models = [
            msgspec.structs.replace(entry.message(), fits=self._fits.models(entry, self._entries))
            for entry in self._entries
        ]
        memory = MemoryInfo(machine_bytes(), available_bytes(), self._engines.policy.memory)
        self.tell(FRONTEND, Catalog(models, infos, self._stamp, self._ticket, memory))

    def _tell_jobs(self, changes: JobChanges) -> None:
        self.tell(FRONTEND, JobsChanged(msgspec.json.encode(changes)))
