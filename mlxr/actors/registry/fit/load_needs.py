"""How much memory loads will need, for who decides which engines must go for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from mlxr.actors.executor.draft_sizes import draft_bytes, head_bytes
from mlxr.actors.executor.memory_need import MemoryNeed, memory_need
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.fit.machine_file import known
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.metal.machine import Machine
from mlxr.models.errors import UnusableModelError
from mlxr.runtime.engine_spec import DraftFiles
from mlxr.runtime.paths import Home

UNMEASURED = Machine("cpu", "", 512)
"""Whose sizes count before a machine is known: those of other backends are near enough to decide by."""

MOST_KEPT = 64


class LoadNeed(NamedTuple):
    """``nbytes``: what a load needs. ``explain``: says of so many bytes that there are why they are too few, and the
    way out; None where the model's files could not be read. ``optional``: bytes of these that it can go without."""

    nbytes: int
    explain: Callable[[int], str] | None = None
    optional: int = 0


class LoadNeeds:
    """Works out what loads need, and keeps that of the models that were asked about last.

    settings: what executors of whatever model are told.
    """

    def __init__(self, home: Home, reader: MetadataReader, settings: ExecutorSettings) -> None:
        self._home, self._reader, self._settings = home, reader, settings
        self._kept: dict[str, LoadNeed] = {}

    async def of(self, entry: CatalogueEntry, identity: str, drafts: Sequence[DraftFiles] = ()) -> LoadNeed:
        """What the executor will ask for; the size of the model's files where they can't be read now, which the load
        will say. ``identity``: of the files. ``drafts``: as in ``EngineSpec``, of which the first counts if
        somebody named it: another is taken only where it fits."""
        drafts = [draft for draft in drafts if draft.named and not draft.missing]
        said = [f"{draft.path}\0{draft.identity}\0{draft.required}" for draft in drafts]
        key = "\0".join([str(entry.blob.path), identity, *said])
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = await self._needed(entry, drafts)
        return self._kept[key]

    async def _needed(self, entry: CatalogueEntry, drafts: Sequence[DraftFiles]) -> LoadNeed:
        machine = known(self._home, self._settings.executor) or UNMEASURED
        try:
            footprint = await self._reader.footprint(entry.blob.path, machine)
            footprint = footprint.typed(self._settings.kv.page_type)
        except (UnusableModelError, OSError):
            return LoadNeed(entry.blob.size)
        beside, optional = await self.drafting(drafts), 0
        if not drafts and self._settings.mtp:
            optional = head_bytes(footprint, self._settings.kv.page_size, machine.sizes)
        elif drafts and not drafts[0].required:
            beside, optional = 0, beside
        context = self._settings.executor.context_length
        sizes = self._settings.pool_sizes(footprint.context_length, 0, machine.step_tokens)

        def of(available: int) -> MemoryNeed:
            return memory_need(footprint, sizes, machine.sizes, context, max(0, available - beside))

        return LoadNeed(of(0).needed + beside + optional, lambda available: of(available).refusal, optional)

    async def drafting(self, drafts: Sequence[DraftFiles]) -> int:
        """Returns bytes of the first of ``drafts``; what is wrong with it, the load says."""
        machine = known(self._home, self._settings.executor) or UNMEASURED
        for draft in drafts[:1]:
            if draft.missing:
                continue
            try:
                footprint = await self._reader.footprint(Path(draft.path), machine)
            except (UnusableModelError, OSError):
                continue
            typed = footprint.typed(self._settings.kv.page_type)
            return draft_bytes(typed, self._settings.kv.page_size, machine.sizes)
        return 0
