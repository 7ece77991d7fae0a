"""How much memory loads will need, for who decides which engines must go for them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from anyio import to_thread

from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.fit.needs_file import MOST_KEPT, KeptNeed, NeedsFile
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.models.errors import UnusableModelError
from mlxr.runtime.engine_spec import DraftFiles
from mlxr.runtime.late_import import late_import
from mlxr.runtime.paths import Home

if TYPE_CHECKING:
    from mlxr.models.footprint import Footprint

_ARITHMETIC, _FOOTPRINT = "mlxr.actors.registry.fit.load_arithmetic", "mlxr.models.footprint"


class LoadNeed(NamedTuple):
    """``nbytes``: what a load needs. ``explain``: says of so many bytes that there are why they are too few, and the
    way out; None where the model's files could not be read. ``optional``: bytes of these that it can go without."""

    nbytes: int
    explain: Callable[[int], str] | None = None
    optional: int = 0


class LoadNeeds:
    """Works out what loads need, and keeps that of the models that were asked about last, in a file, too.

    settings: what executors of whatever model are told.
    """

    def __init__(self, home: Home, reader: MetadataReader, settings: ExecutorSettings) -> None:
        self._home, self._reader, self._settings = home, reader, settings
        self._file = NeedsFile(home, settings)
        self._kept: dict[str, LoadNeed] = {}
        self._asked = False

    async def of(self, entry: CatalogueEntry, identity: str, drafts: Sequence[DraftFiles] = ()) -> LoadNeed:
        """Returns what the executor will ask for; the size of the model's files where they can't be read now, which the
        load will say. ``identity``: of the files. ``drafts``: as in ``EngineSpec``, of which the first counts if
        somebody named it: another is taken only where it fits."""
        drafts = [draft for draft in drafts if draft.named and not draft.missing]
        said = [f"{draft.path}\0{draft.identity}\0{draft.required}" for draft in drafts]
        key = "\0".join([str(entry.blob.path), identity, *said])
        if key not in self._kept:
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = await self._needed(entry, key, drafts)
        return self._kept[key]

    async def _needed(self, entry: CatalogueEntry, model: str, drafts: Sequence[DraftFiles]) -> LoadNeed:
        key = self._file.key(model)
        need = self._file.find(key) if not self._asked else await to_thread.run_sync(self._file.find, key)
        if self._asked:
            # For a refusal. At a server's first load nobody is there yet whom its import would hold up.
            await late_import(_ARITHMETIC)
        self._asked = True
        if need is None:
            need = await self._worked_out(entry, drafts)
            if need is None:
                return LoadNeed(entry.blob.size)
            if not drafts or need.beside or need.optional:  # not where the draft model could not be read
                await to_thread.run_sync(self._file.keep, key, need)
        return LoadNeed(need.nbytes, partial(self._refusal, need), need.optional)

    async def _worked_out(self, entry: CatalogueEntry, drafts: Sequence[DraftFiles]) -> KeptNeed | None:
        """Returns None where the model's files can't be read."""
        arithmetic = await late_import(_ARITHMETIC)
        settings, machine = self._settings, arithmetic.machine_of(self._home, self._settings)
        try:
            footprint = await self._reader.footprint(entry.blob.path, machine)
            footprint = footprint.typed(settings.kv.page_type)
        except (UnusableModelError, OSError):
            return None
        beside, optional = await self.drafting(drafts), 0
        if not drafts and settings.mtp:
            optional = arithmetic.head_need(footprint, settings, machine)
        elif drafts and not drafts[0].required:
            beside, optional = 0, beside
        needed = arithmetic.load_need(footprint, settings, machine, 0).needed
        return KeptNeed(needed + beside + optional, optional, beside, msgspec.Raw(msgspec.json.encode(footprint)))

    def _refusal(self, need: KeptNeed, available: int) -> str:
        """Returns why so many bytes are too few, and the way out."""
        arithmetic: Any = importlib.import_module(_ARITHMETIC)
        footprint: Footprint = msgspec.json.decode(need.footprint, type=importlib.import_module(_FOOTPRINT).Footprint)
        machine = arithmetic.machine_of(self._home, self._settings)
        refusal: str = arithmetic.load_need(footprint, self._settings, machine, available - need.beside).refusal
        return refusal

    async def drafting(self, drafts: Sequence[DraftFiles]) -> int:
        """Returns bytes of the first of ``drafts``; what is wrong with it, the load says."""
        for draft in drafts[:1]:
            if draft.missing:
                continue
            arithmetic = await late_import(_ARITHMETIC)
            machine = arithmetic.machine_of(self._home, self._settings)
            try:
                footprint = await self._reader.footprint(Path(draft.path), machine)
            except (UnusableModelError, OSError):
                continue
            need: int = arithmetic.draft_need(footprint, self._settings, machine)
            return need
        return 0
