"""Pull a model from its source and catalogue it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.find import find_source
from mlxr.actors.registry.sources.source import Fetched, Source
from mlxr.actors.registry.sources.staging import clear, staging_directory
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home

_WAITING = Progress("waiting for another mlxr to pull the same model")


async def pull_model(
    home: Home, name: str, report: Report, store: Store | None = None, reader: MetadataReader | None = None
) -> CatalogueEntry:
    """Pull ``name`` (whatever ``find_source`` takes, or an installed model again) and catalogue it.

    What is there already is not fetched twice. ``reader`` looks into what came. Raises ``ModelNotFound``,
    ``PullError``, and ``UnusableModelError`` where the file that came is corrupt or can't run here. When it fails or is
    cancelled, nothing is left but what the next pull goes on with.
    """
    if store is None:
        store = await Store.open(home)
        try:
            return await pull_model(home, name, report, store, reader)
        finally:
            await store.close()
    store.require_writable()
    catalogued_as, source = await _source(store, name)
    report(Progress("pulling manifest"))
    async with staging_directory(home, source.spelled, lambda: report(_WAITING)) as staging:
        resumable = False
        try:
            entry = await _installed(store, catalogued_as, source)
            if entry is None:
                entry = await _fetch(home, store, catalogued_as, source, staging, report, reader or MetadataReader())
        except BaseException as error:
            # A full disk needs the room, and wrong bytes get no better; else what came is worth keeping.
            resumable = not isinstance(error, files.OutOfSpace | files.DigestMismatch)
            raise
        finally:
            clear(staging, resumable=resumable)
    return entry


async def _source(store: Store, name: str) -> tuple[str, Source]:
    """The source that ``name`` means, and what to catalogue its model as. An installed model is pulled again from where
    it came from, under its own name."""
    installed = await store.find(name)
    try:
        source = find_source(name)
    except ModelNotFound:
        if installed is None or not installed.source:
            raise
        source = find_source(installed.source)
    return (installed.name if installed and source.lasting else source.name), source


async def _installed(store: Store, name: str, source: Source) -> CatalogueEntry | None:
    """The model that an earlier pull of exactly this left, if it is whole."""
    entry = await store.find(name)
    if entry is None or entry.source != source.spelled or not source.lasting:
        return None
    blob = entry.blob
    whole = blob.path.exists() and await to_thread.run_sync(files.size_of, blob.path) == blob.size
    return entry if whole else None


async def _fetch(
    home: Home, store: Store, name: str, source: Source, staging: Path, report: Report, reader: MetadataReader
) -> CatalogueEntry:
    try:
        fetched = await source.fetch(staging, report, reader)
        info = await _info_of(fetched, source, reader)
        report(Progress("writing manifest"))
        final = (files.folder_path if fetched.path.is_dir() else files.blob_path)(home, fetched.digest)
        blob = Blob(fetched.digest, final, files.size_of(fetched.path), info)
        place = partial(files.place, home, fetched.path, final)
        return await store.add(name, blob, source=fetched.source, aliases=[fetched.source], place=place)
    except files.OutOfSpace as error:
        raise files.OutOfSpace(home.models, error.needed) from error
    except OSError as error:
        raise PullError(f"can't pull {source.spelled} into {home.models}: {error}") from error


async def _info_of(fetched: Fetched, source: Source, reader: MetadataReader) -> ModelInfo:
    """Names the source where the file is corrupt or can't run here: the file itself will be gone."""
    try:
        info = await reader.usable(fetched.path)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(Path(source.spelled), f"{error.reason}; nothing was kept") from error
    except UnusableModelError as error:
        raise PullError(f"{source.spelled} holds a model that can't be used: it {error.reason}") from error
    return info if info.license else structs.replace(info, license=fetched.license)
