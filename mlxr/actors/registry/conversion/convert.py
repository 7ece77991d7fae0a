"""Converts a model, and catalogues what was made or leaves it at a path. Nothing half-done remains."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.conversion.job import Done, Job, Wanted
from mlxr.actors.registry.conversion.process import run
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.staging import clear, staging_directory
from mlxr.models import names
from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home

_WAITING = Progress("waiting for another mlxr to make the same model")
SERVER_NICENESS = 10


def usable_threads() -> int:
    """Returns how many processors this process may use."""
    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return len(available)


async def convert_to_blob(
    home: Home, reader: MetadataReader, source: Path, wanted: Wanted, staging: Path, report: Report, *, nice: int = 0
) -> tuple[Blob, Path]:
    """Convert ``source`` in ``staging``. Returns the model as it will be catalogued, and where it lies until then.

    Raises as ``run``, and where what was made can't be used.
    """
    work = staging / ("folder" if wanted.format == "mlx" else "model")
    files.remove(work)
    done = await run(Job(str(source), str(work), wanted, usable_threads(), nice), report)
    report(Progress("verifying conversion"))
    info = await reader.usable(work)
    report(Progress(f"creating new layer sha256:{done.digest}"))
    final = (files.folder_path if work.is_dir() else files.blob_path)(home, done.digest)
    return Blob(done.digest, final, done.size, info), work


async def convert_and_add(
    home: Home,
    store: Store,
    reader: MetadataReader,
    source: CatalogueEntry,
    wanted: Wanted,
    name: str,
    report: Report,
    *,
    threads: int = 0,
) -> CatalogueEntry:
    """Convert ``source`` and catalogue the outcome as ``name``, with what was laid over the source.

    Raises as ``convert_to_blob``, ``ValueError`` for a bad name, and ``RequestError`` where the catalogue is full.
    """
    store.require_writable()
    name = names.checked(name)
    await store.require_room(name)
    async with staging_directory(home, f"convert:{name}", lambda: report(_WAITING)) as staging:
        try:
            blob, work = await convert_to_blob(home, reader, source.blob.path, wanted, staging, report)
            report(Progress("writing manifest"))
            place = partial(files.place, home, work, blob.path)
            return await store.add(name, blob, overrides=_kept(source), place=place)
        finally:
            clear(staging, resumable=False)


async def convert_to_path(source: Path, wanted: Wanted, target: Path, report: Report) -> Done:
    """Convert to a file or folder of the user's own. Raises as ``run``, and ``ModelError`` where there is one."""
    await to_thread.run_sync(_require_free, target)
    work = target.with_name(f".{target.name}.partial")
    files.remove(work)
    try:
        done = await run(Job(str(source), str(work), wanted, usable_threads()), report)
        await to_thread.run_sync(os.rename, work, target)
    finally:
        files.remove(work)
    return done


def _require_free(target: Path) -> None:
    if os.path.lexists(target):
        raise ModelError(f"{target} is there already; remove it, or give another --output")
    if not target.parent.is_dir():
        raise ModelError(f"{target.parent} is no folder; make it, or give another --output")


def _kept(source: CatalogueEntry) -> Overrides:
    """What was laid over the source's files stands for the new ones, too."""
    return structs.replace(source.overrides, parent=source.name)
