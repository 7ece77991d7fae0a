"""Converts a model, and catalogues what was made or leaves it at a path. Nothing half-done remains."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
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


@asynccontextmanager
async def made_blob(
    home: Home,
    reader: MetadataReader,
    source: Path,
    wanted: Wanted,
    name: str,
    report: Report,
    *,
    threads: int = 0,
    nice: int = 0,
) -> AsyncIterator[tuple[Blob, Callable[[], None]]]:
    """Convert ``source`` for what will be catalogued as ``name``. Gives the model as it will be, and what puts its
    files where it says; whatever was not put there by the end of the block is removed.

    Raises as ``run``, and where what was made can't be used.
    """
    async with staging_directory(home, f"convert:{name}", lambda: report(_WAITING)) as staging:
        try:
            work = staging / ("folder" if wanted.format == "mlx" else "model")
            files.remove(work)
            done = await run(Job(str(source), str(work), wanted, threads or usable_threads(), nice), report)
            report(Progress("verifying conversion"))
            info = await reader.usable(work)
            report(Progress(f"creating new layer sha256:{done.digest}"))
            final = (files.folder_path if work.is_dir() else files.blob_path)(home, done.digest)
            yield Blob(done.digest, final, done.size, info), partial(files.place, home, work, final)
        finally:
            clear(staging, resumable=False)


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

    Raises as ``made_blob``, ``ValueError`` for a bad name, and ``RequestError`` where the catalogue is full.
    """
    store.require_writable()
    name = names.checked(name)
    await store.require_room(name)
    async with made_blob(home, reader, source.blob.path, wanted, name, report, threads=threads) as (blob, place):
        report(Progress("writing manifest"))
        overrides = structs.replace(source.overrides, parent=source.name)
        return await store.add(name, blob, overrides=overrides, place=place)


async def convert_to_path(source: Path, wanted: Wanted, target: Path, report: Report, *, threads: int = 0) -> Done:
    """Convert to a file or folder of the user's own. Raises as ``run``, and ``ModelError`` where there is one."""
    await to_thread.run_sync(_require_free, target)
    work = target.with_name(f".{target.name}.partial")
    files.remove(work)
    try:
        done = await run(Job(str(source), str(work), wanted, threads or usable_threads()), report)
        await to_thread.run_sync(os.rename, work, target)
    finally:
        files.remove(work)
    return done


def _require_free(target: Path) -> None:
    if os.path.lexists(target):
        raise ModelError(f"{target} is there already; remove it, or give another --output")
    if not target.parent.is_dir():
        raise ModelError(f"{target.parent} is no folder; make it, or give another --output")
