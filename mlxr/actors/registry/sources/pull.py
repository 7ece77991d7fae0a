"""Pull a model from its source and catalogue it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.aliases import BUILT_IN, built_in
from mlxr.actors.registry.catalogue.entry import AppliedAdapter, Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.catalogue.usable_overrides import laid_over
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.ollama.address import OLLAMAS_OWN, RegistryAt
from mlxr.actors.registry.progress import Progress, Report, pulling
from mlxr.actors.registry.sources.early_look import refuse_unusable
from mlxr.actors.registry.sources.find import find_source
from mlxr.actors.registry.sources.huggingface.hub import NoRepository
from mlxr.actors.registry.sources.source import RESUMABLE, Fetched, FetchedAdapter, Source
from mlxr.actors.registry.sources.staging import clear, staging_directory
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS, TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import RemoteModel
from mlxr.actors.registry.tool_stores.in_place import GoneFromStore, require_in_place
from mlxr.models import names
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.models.near_names import suggestion
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home

_WAITING = "waiting for another mlxr to pull the same model"


async def pull_model(
    home: Home,
    name: str,
    report: Report,
    store: Store | None = None,
    reader: MetadataReader | None = None,
    limits: TransferLimits = DEFAULT_LIMITS,
    registry: RegistryAt = OLLAMAS_OWN,
) -> CatalogueEntry:
    """Pulls ``name`` (whatever ``find_source`` takes, or an installed model again) and catalogues it. ``registry``:
    where names such as ``llama3.2:1b`` lead.

    What is there already is not fetched twice. ``reader`` looks into what came. Raises ``ModelNotFound``,
    ``PullError``, and ``UnusableModelError`` where the file that came is corrupt or can't run here. When it fails or is
    cancelled, nothing is left but what the next pull goes on with.
    """
    if store is None:
        store = await Store.open(home)
        try:
            return await pull_model(home, name, report, store, reader, limits, registry)
        finally:
            await store.close()
    store.require_writable()
    config = store.configs.of(name)
    if config.source and built_in(name) is None:
        # A name that the user gave it, beside the one that its source has for it.
        pulled = await pull_model(home, config.source, report, store, reader, limits, registry)
        same = names.key(pulled.name) == names.key(config.name)
        return pulled if same else await store.copy(pulled.name, config.name)
    async with _suggesting(store, name):
        return await _pulled(home, name, report, store, reader or MetadataReader(), limits, registry)


@asynccontextmanager
async def _suggesting(store: Store, name: str) -> AsyncIterator[None]:
    """Adds to the error about a model that is not to be had which one may be meant."""
    try:
        yield
    except (ModelNotFound, PullError) as error:
        elsewhere = names.outside_catalogue(name) or names.web_host(name)
        # Of a short name nobody can tell whether it was meant for a host that does not answer; one of the Hub was.
        unanswered = type(error) is PullError and names.on_hub(name) is not None
        if type(error) not in (ModelNotFound, PullError, NoRepository) or elsewhere or unanswered:
            raise
        known = [*await store.spellings(), *(alias.name for alias in BUILT_IN)]
        if near := suggestion(name, known).strip():
            error.args = (f"{error}; {near}",)
        raise


async def _pulled(
    home: Home,
    name: str,
    report: Report,
    store: Store,
    reader: MetadataReader,
    limits: TransferLimits,
    registry: RegistryAt,
) -> CatalogueEntry:
    catalogued_as, source = await _source(store, name, registry)
    report(Progress("pulling manifest"))
    began = time.time()
    with files.naming_full_disk(home.models):
        waits = partial(report, Progress(_WAITING))
        async with staging_directory(home, source.spelled, waits, partial(_wait, report)) as staging:
            resumable = True
            try:
                entry = await _installed(store, catalogued_as, source, began)
                if entry is None:
                    pull = _Pull(home, store, staging, report, reader)
                    entry = await pull.run(catalogued_as, source, limits)
                resumable = False
            except (files.OutOfSpace, files.DigestMismatch):
                # A full disk needs the room, and wrong bytes get no better; else what came is worth keeping.
                resumable = False
                raise
            finally:
                clear(staging, resumable=resumable)
    return entry


def _wait(report: Report, completed: int, total: int) -> None:
    report(Progress(_WAITING, total=total, completed=completed))


async def _source(store: Store, name: str, registry: RegistryAt) -> tuple[str, Source]:
    """Returns what to catalogue a model as, and the source that ``name`` means. An installed model is pulled again from
    where it came from, under its own name: what a source would make of that name is another model."""
    installed = await store.find(name)
    try:
        source = find_source(name, registry)
    except ModelNotFound:
        if installed is None or not installed.source:
            raise
        source = find_source(installed.source, registry)
        return (installed.name if source.lasting else source.name), source
    if installed and installed.source and not _stands_for(installed, source):
        return installed.name, find_source(installed.source, registry)
    return (installed.name if installed and source.lasting else source.name), source


def _stands_for(entry: CatalogueEntry, source: Source) -> bool:
    """Whether ``source`` is where ``entry`` came from, as far as its names tell; a name on the Hub says so itself."""
    known = {names.key(name) for name in (entry.source, *entry.aliases)}
    if names.on_hub(entry.name) is not None and names.on_hub(entry.source) is not None:
        known.add(names.key(entry.name))
    return names.key(source.spelled) in known


async def _installed(store: Store, name: str, source: Source, began: float) -> CatalogueEntry | None:
    """Returns the model that an earlier pull of exactly this left, if it is whole; where that may have changed at its
    source, the one that another process pulled since this pull ``began``, in seconds since the epoch."""
    entry = await store.find(name if source.lasting else source.spelled)
    if entry is None:
        return None
    if source.lasting:
        same = entry.source == source.spelled
    else:
        same = source.spelled in (entry.source, *entry.aliases) and entry.modified >= began
    return entry if same and await _whole(entry) else None


async def _whole(entry: CatalogueEntry) -> bool:
    blob = entry.blob
    return blob.path.exists() and await to_thread.run_sync(files.size_of, blob.path) == blob.size


@dataclass(frozen=True, slots=True)
class _Pull:
    """Fetches into ``staging``, and from there into the catalogue."""

    home: Home
    store: Store
    staging: Path
    report: Report
    reader: MetadataReader

    async def run(self, name: str, source: Source, limits: TransferLimits) -> CatalogueEntry:
        try:
            with files.naming_full_disk(self.home.models):
                return await self._run(name, source, limits)
        except files.OutOfSpace as error:
            raise files.OutOfSpace(self.home.models, error.needed) from error
        except OSError as error:
            raise PullError(f"can't pull {source.spelled} into {self.home.models}: {error}") from error

    async def _run(self, name: str, source: Source, limits: TransferLimits) -> CatalogueEntry:
        async with source.remote(limits) as remote:
            if remote and (entry := await self._without_fetching(name, source, remote)):
                return entry
            if remote:
                await to_thread.run_sync(_require_room, self.staging, remote)
                await refuse_unusable(remote, source.spelled, self.reader)
            fetched = await source.fetch(remote, self.staging, self.report, self.reader)
        return await self._install(name, source, fetched, remote.overrides if remote else None)

    async def _without_fetching(self, name: str, source: Source, remote: RemoteModel) -> CatalogueEntry | None:
        """Returns the model where it is here already: as the source has it, or its file under whatever name."""
        aliases = _aliases(remote, source)
        known = await self.store.find(remote.name or name)
        if remote.lasting and known and known.source == remote.pinned and await _whole(known):
            return await self._catalogue(known.name, known.blob, remote.pinned, aliases)
        if (blob := await self._here(remote)) is None:
            return None
        self.report(pulling("", blob.digest, blob.size, blob.size))
        overrides = await laid_over(remote.overrides, blob.info, self.reader, self.report)
        return await self._catalogue(remote.name or name, blob, remote.pinned, aliases, overrides)

    async def _install(self, name: str, source: Source, fetched: Fetched, laid: Overrides | None) -> CatalogueEntry:
        """Looks into what came, gives the files their place, and catalogues the model, with what its source has
        ``laid`` over it."""
        info = await _info_of(fetched, source, self.reader)
        overrides = await laid_over(laid, info, self.reader, self.report)
        adapters = [await self._adapter(each, source) for each in fetched.adapters]
        applied = [AppliedAdapter(made.digest, _within(self.home, made), each.name) for made, each in adapters]
        self.report(Progress("writing manifest"))
        final = (files.folder_path if fetched.path.is_dir() else files.blob_path)(self.home, fetched.digest)
        blob = Blob(fetched.digest, final, files.size_of(fetched.path), info)

        def place() -> None:
            for made, each in adapters:
                files.place(self.home, each.path, made.path)
            files.place(self.home, fetched.path, final)

        aliases = _aliases(fetched, source)
        overrides = structs.replace(overrides, adapters=applied)
        made_of = [made for made, _ in adapters]
        return await self._catalogue(fetched.name or name, blob, fetched.source, aliases, overrides, place, made_of)

    async def _here(self, remote: RemoteModel) -> Blob | None:
        """What is here already of a model of one file, whatever name it has: then a new template costs no gigabytes."""
        kind, _, digest = remote.files[0].digest.partition(":")
        if len(remote.files) > 1 or remote.folder or remote.adapters or kind != "sha256":
            return None
        known = next((entry for entry in await self.store.models() if entry.blob.digest == digest), None)
        if known is None or not await _whole(known):
            return None
        try:
            await to_thread.run_sync(require_in_place, known)
        except GoneFromStore:
            return None
        return known.blob

    async def _adapter(self, fetched: FetchedAdapter, source: Source) -> tuple[Blob, FetchedAdapter]:
        info = await _info_of(Fetched(fetched.path, fetched.digest, source.spelled), source, self.reader)
        if not info.is_adapter:
            raise PullError(f"{source.spelled} has an adapter that is none ({fetched.name}); nothing was kept")
        final = files.blob_path(self.home, fetched.digest)
        return Blob(fetched.digest, final, files.size_of(fetched.path), info), fetched

    async def _catalogue(
        self,
        name: str,
        blob: Blob,
        source: str,
        aliases: list[str],
        overrides: Overrides | None = None,
        place: Callable[[], None] | None = None,
        adapters: Collection[Blob] = (),
    ) -> CatalogueEntry:
        return await self.store.add(
            name,
            blob,
            source=source,
            aliases=aliases,
            overrides=overrides,
            place=place,
            adapters=adapters,
            withdraw=place is not None,
        )


def _within(home: Home, blob: Blob) -> str:
    return blob.path.relative_to(home.models).as_posix()


def _require_room(staging: Path, remote: RemoteModel) -> None:
    """Raises ``OutOfSpace`` where the disk can't take what is not here yet; nothing was asked of the source by then but
    what it has."""
    here = sum(path.stat().st_blocks * 512 for path in (staging / RESUMABLE).rglob("*") if path.is_file())
    files.require_space(staging, max(remote.size - here, 0))


def _aliases(model: Fetched | RemoteModel, source: Source) -> list[str]:
    pinned = model.source if isinstance(model, Fetched) else model.pinned
    given = dict.fromkeys([pinned, source.spelled, *model.aliases])
    return [alias for alias in given if names.key(alias) != names.key(model.name or source.name)]


async def _info_of(fetched: Fetched, source: Source, reader: MetadataReader) -> ModelInfo:
    """Names the source where the file is corrupt or can't run here: the file itself will be gone."""
    try:
        info = await reader.usable(fetched.path)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(Path(source.spelled), f"{error.reason}; nothing was kept") from error
    except UnusableModelError as error:
        raise PullError(f"{source.spelled} holds a model that can't be used: it {error.reason}") from error
    return info if info.license else structs.replace(info, license=fetched.license)
