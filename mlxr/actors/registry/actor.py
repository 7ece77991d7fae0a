"""The registry: what models there are, and which of them run. A shell around the catalogue and the engine policy."""

from __future__ import annotations

import logging
import time
from functools import partial
from pathlib import Path

import anyio
import msgspec
from anyio import to_thread

from mlxr.actors.executor.pool_files.left import delete_left
from mlxr.actors.kv.disk.quota import folder_of
from mlxr.actors.registry.catalogue.adapter_fits import AdapterFits
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.catalogue.watch import CatalogueWatch
from mlxr.actors.registry.client_errors import without_paths
from mlxr.actors.registry.commands import Commands
from mlxr.actors.registry.fit.estimates import Estimates
from mlxr.actors.registry.fit.load_needs import LoadNeeds
from mlxr.actors.registry.jobs.files import JobFiles
from mlxr.actors.registry.jobs.record import Outcome
from mlxr.actors.registry.jobs.runner import Jobs
from mlxr.actors.registry.late_commands import LateCommands
from mlxr.actors.registry.lifecycle.draft_models import DraftModels
from mlxr.actors.registry.lifecycle.engine_memory import DEVICE_SHARE, free_memory, lacking_memory, memory_limit
from mlxr.actors.registry.lifecycle.loading import ModelLoader
from mlxr.actors.registry.lifecycle.manager import EngineManager
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.actors.registry.lifecycle.startup import StartupModels
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.model_commands import OPERATIONS, Changes, Library, ModelCommands
from mlxr.actors.registry.opened_store import open_store
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.settings import RegistrySettings
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.api.jobs import JobChanges
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.durations import kept_seconds
from mlxr.runtime.messages.catalogue import MemoryInfo
from mlxr.runtime.messages.frontend import Catalog, JobsChanged
from mlxr.runtime.messages.registry import (
    CancelCommand,
    Command,
    DrafterFailed,
    EngineDown,
    EngineMemory,
    EngineReleased,
    EngineStopped,
    EngineUp,
    LoadProgress,
    SendCatalog,
    TokenizerUp,
    TouchModel,
    Work,
)
from mlxr.runtime.paths import Home
from mlxr.runtime.system_memory import available_bytes, machine_bytes

log = logging.getLogger("mlxr.registry")

FRONTEND = Address.of("frontend")
SUPERVISOR = Address.of("supervisor")

TICK_SECONDS = 0.5
REFRESH_TICKS = 4
"""How often to ask SQLite for changes that other processes made to the catalogue, where its files do not show them."""
REPEAT_TICKS = 10
"""How often to send the catalogue unchanged, with expiry times that have moved on."""


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
                kept_seconds(models.keep_alive),
                memory_limit(models.memory_limit, machine_bytes()),
            ),
            context.run_directory,
            partial(self.tell, SUPERVISOR),
            free_memory,
            lambda engine, command: self.tell(Address.of("kv", engine), command),
            lacking_memory,
            lambda: self._commands.working or self._jobs.working,
        )
        self._ticket: int | None = None
        self._touched = False
        self._commands = Commands(self.spawn, partial(self.tell, FRONTEND), self._home.root)
        self._opened = False
        self._reader = MetadataReader.sandboxed(context.nursery)
        self._store: Store
        self._watch: CatalogueWatch
        self._startup: StartupModels
        self._long: LateCommands
        self._jobs: Jobs
        self._models: ModelCommands

    async def start(self) -> None:
        self._store = await open_store(self._home)
        self._opened = True
        models = self._settings.models
        home, store, reader = self._home, self._store, self._reader
        tool_stores = ToolStores(store, reader)
        resolver = Resolver(store, reader, models.paths, tool_stores)
        policy, executor = self._engines.policy, self._settings.executor
        self._watch = CatalogueWatch(
            home, store, resolver, AdapterFits(reader), policy.engines.models, self._changed_elsewhere
        )
        needs = LoadNeeds(home, reader, executor)
        drafts = DraftModels(self._settings.draft_model, resolver.find, policy.engines.running)
        pinned = models.pinned
        loader = ModelLoader(
            self._engines, resolver, needs, drafts, pinned, lambda name: self._startup.served(name), self._reload
        )
        self._long = LateCommands(home, store, reader, resolver, tool_stores, models.registry, self.spawn)
        estimates = Estimates(home, store, reader, executor, policy, models.registry, needs, drafts)
        self._startup = StartupModels(
            self._settings,
            self._long.obtain,
            loader.load_at_start,
            self._publish,
            self.spawn,
            first_start=self.context.epoch == 0,
        )
        job_files = JobFiles(home, not store.read_only, self.context.run_directory.name)
        self._jobs = Jobs(self._perform, self.spawn, self._tell_jobs, job_files, home.root)
        self._models = ModelCommands(
            Library(store, resolver, reader, tool_stores, estimates),
            self._long,
            loader,
            self._jobs,
            self._engines,
            self._commands.reporter,
            Changes(self._reload, self._came, self._settle),
        )
        await self._jobs.recover()
        adopted = self._engines.adopt()
        await resolver.refresh(adopted)
        await self._watch.read()
        if not adopted:
            # Before anybody hears of the models: a server is not ready while these are loading.
            self._startup.begin(self._watch.entries, self._store.read_only)
        self._bring_in_line()
        self.spawn(self._tick)

    async def stop(self) -> None:
        await self._reader.close()
        # A server that ends while it starts has not opened it yet.
        if self._opened:
            await self._store.close()
        # A stop gives all memory back: also what engines of this home left that were killed and did not come back.
        await to_thread.run_sync(delete_left, folder_of(self._home.kv, self._settings.executor.kv.disk_path))

    # Engines.

    @on(TouchModel)
    def touch_model(self, message: TouchModel) -> None:
        self._engines.touch(message)
        if message.active == 0:
            # What an answer's end changes can wait for a tick, if nobody else waits for it: hundreds may end a second.
            self._touched = True
            due = message.keep_alive is not None or self._engines.policy.is_due(time.monotonic())
            if due and (self._engines.settle() or message.keep_alive is not None):
                self._touched = False
                self._publish()
                self._engines.wake()

    @on(EngineUp)
    def engine_up(self, message: EngineUp) -> None:
        undrafted = without_paths(message.undrafted, self._home.root)
        self._engines.policy.note(msgspec.structs.replace(message, undrafted=undrafted))
        self._limit_to_device(message)
        megabytes, context = message.memory_bytes / 1e6, message.context_length
        log.info("%s is loaded: context of %d tokens, up to %.0f MB with that full", message.engine, context, megabytes)
        self._settle()

    @on(DrafterFailed)
    def drafter_failed(self, message: DrafterFailed) -> None:
        reason = without_paths(message.reason, self._home.root)
        self._engines.policy.note(msgspec.structs.replace(message, reason=reason))
        self._settle()

    @on(TokenizerUp, EngineMemory)
    def engine_changed(self, message: TokenizerUp | EngineMemory) -> None:
        self._engines.policy.note(message)
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
        self._engines.policy.note(message)
        self._engines.mark_streams()
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

    @on(*OPERATIONS)
    def command(self, message: Command) -> None:
        """Does a command beside all others."""
        self._commands.begin(message.request, partial(OPERATIONS[type(message)], self._models, message))
        self._engines.mark_streams()

    @on(CancelCommand)
    def cancel_command(self, message: CancelCommand) -> None:
        self._commands.cancel(message.request)

    async def _perform(self, work: Work, report: Report) -> Outcome:
        outcome = await (await self._long.all()).perform(work, report)
        await self._came()
        return outcome

    def _limit_to_device(self, message: EngineUp) -> None:
        """Where nothing is configured, what the device has is the limit, where it is less than or not the system's."""
        policy, total = self._engines.policy, int(message.device_total * DEVICE_SHARE)
        if total and not self._settings.models.memory_limit:
            policy.limit_memory(min(policy.memory, total) if message.device_shared else total)

    async def _tick(self) -> None:
        """What time brings: expired engines, changes by other processes."""
        tick = 0
        while True:
            await anyio.sleep(TICK_SECONDS)
            tick += 1
            if tick % REFRESH_TICKS == 0 or self._watch.stale:
                await self._watch.refresh()
            if self._engines.settle() or self._touched or tick % REPEAT_TICKS == 0:
                self._touched = False
                self._publish()
                self._engines.wake()

    async def _send_catalog(self, ticket: int | None) -> None:
        await self._watch.refresh()
        # A frontend that was restarted counts from the beginning.
        self._ticket = ticket
        if ticket is None:
            self._jobs.tell_all()
        self._publish()

    async def _reload(self) -> None:
        """Reads the catalogue anew, and brings engines in line with it."""
        await self._watch.read()
        self._bring_in_line()

    async def _changed_elsewhere(self) -> None:
        self._bring_in_line()
        await self._startup.retry(self._store.find)

    async def _came(self) -> None:
        """A model is new, which may be one that the start lacked."""
        await self._reload()
        await self._startup.retry(self._store.find)

    def _bring_in_line(self) -> None:
        specs = {entry.name: entry.engine_spec() for entry in self._watch.entries}
        self._engines.policy.reconcile(specs, time.monotonic())
        self._settle()

    def _settle(self) -> None:
        self._engines.settle()
        self._publish()
        self._engines.wake()

    def _publish(self) -> None:
        infos = [*self._engines.policy.engines.infos(time.monotonic(), time.time()), *self._startup.infos()]
        memory = MemoryInfo(machine_bytes(), available_bytes(), self._engines.policy.memory)
        self.tell(FRONTEND, Catalog(self._watch.messages(), infos, self._watch.stamp, self._ticket, memory))

    def _tell_jobs(self, changes: JobChanges) -> None:
        self.tell(FRONTEND, JobsChanged(msgspec.json.encode(changes)))
