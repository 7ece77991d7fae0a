"""How much memory loads will need, for who decides which engines must go for them."""

from __future__ import annotations

from mlxr.actors.executor.memory_need import memory_need
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.fit.machine_file import known
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.metal.machine import Machine
from mlxr.models.errors import UnusableModelError
from mlxr.runtime.paths import Home

UNMEASURED = Machine("cpu", "", 512)
"""Whose sizes count before a machine is known: those of other backends are near enough to decide by."""

MOST_KEPT = 64


class LoadNeeds:
    """Works out what loads need, and keeps that of the models that were asked about last.

    settings: what executors of whatever model are told.
    """

    def __init__(self, home: Home, reader: MetadataReader, settings: ExecutorSettings) -> None:
        self._home, self._reader, self._settings = home, reader, settings
        self._kept: dict[str, int] = {}

    async def of(self, entry: CatalogueEntry, identity: str) -> int:
        """Bytes that a load needs: what the executor will ask for. Those of the model's files where they can't be read
        now, which the load will say. ``identity``: of the files."""
        key = f"{entry.blob.path}\0{identity}"
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = await self._needed(entry)
        return self._kept[key]

    async def _needed(self, entry: CatalogueEntry) -> int:
        machine = known(self._home, self._settings.executor) or UNMEASURED
        try:
            footprint = await self._reader.footprint(entry.blob.path, machine)
        except (UnusableModelError, OSError):
            return entry.blob.size
        sizes = self._settings.pool_sizes(footprint.context_length, 0, machine.step_tokens)
        return memory_need(footprint, sizes, machine.sizes, self._settings.executor.context_length, 0).needed
