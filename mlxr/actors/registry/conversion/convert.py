"""Converts a model, and catalogues what was made or leaves it at a path. Nothing half-done remains."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from anyio import to_thread
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.conversion.job import Done, Job, Wanted
from mlxr.actors.registry.conversion.process import look_ahead, run
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.staging import clear, staging_directory
from mlxr.api.conversion import ConversionEstimate
from mlxr.models import names
from mlxr.models.sizes import readable
from mlxr.runtime.errors import ModelError
from mlxr.runtime.paths import Home

UNQUANTIZED = frozenset({"F32", "F16", "BF16"})
_WAITING = Progress("waiting for another mlxr to make the same model")
SERVER_NICENESS = 10


def usable_threads() -> int:
    """Returns how many processors this process may use."""
    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    return len(available)


class Made(NamedTuple):
    """What was converted. ``place`` puts its files where ``blob`` says. ``notes``: as in ``Done``."""

    blob: Blob
    place: Callable[[], None]
    notes: list[str]


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
) -> AsyncIterator[Made]:
    """Converts ``source`` for what will be catalogued as ``name``. Gives the model as it will be; whatever was not
    placed by the end of the block is removed.

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
            place = partial(files.place_new, home, work, final)
            yield Made(Blob(done.digest, final, done.size, info), place, done.notes)
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
    nice: int = 0,
) -> tuple[CatalogueEntry, list[str]]:
    """Converts ``source`` and catalogues the outcome as ``name``, with what was laid over the source. Returns that, and
    what should be known of it.

    Raises as ``made_blob``, ``ValueError`` for a bad name, and ``RequestError`` where the catalogue is full.
    """
    store.require_writable()
    name = names.checked(name)
    await store.require_room(name)
    path = source.blob.path
    async with made_blob(home, reader, path, wanted, name, report, threads=threads, nice=nice) as made:
        report(Progress("writing manifest"))
        overrides = structs.replace(source.overrides, parent=source.name)
        entry = await store.add(name, made.blob, overrides=overrides, place=made.place)
    return entry, [compared(source, made.blob.size), *made.notes]


def compared(source: CatalogueEntry, size: int) -> str:
    """Returns how the size of what was made is to that of its source, for people."""
    old = source.blob.size
    share = abs(size - old) / old if old else 0.0
    how = "as large as" if share < 0.005 else f"{share:.0%} {'smaller' if size < old else 'larger'} than"
    return f"{readable(size)}, {how} {source.name} ({readable(old)})"


async def estimate_conversion(
    home: Home, source: CatalogueEntry, wanted: Wanted, threads: int = 1, nice: int = 0
) -> ConversionEstimate:
    """Returns what ``source`` would become. Raises as ``run``."""
    seen = await look_ahead(Job(str(source.blob.path), "", wanted, threads, nice))
    there = next(path for path in (home.models, *home.models.parents) if path.exists())
    free = (await to_thread.run_sync(shutil.disk_usage, there)).free
    quantization = seen.quantization or source.blob.info.quantization
    quantized = seen.quantized or quantization.upper() not in UNQUANTIZED
    return ConversionEstimate(source.name, wanted.format, source.blob.size, quantization, quantized, free, seen.choices)


def default_name(entry: CatalogueEntry, wanted: Wanted) -> str:
    """Returns what a model is called of which nobody said it: the source's name, and what became of it."""
    path = names.local_file(entry.name)
    base = path.name.removesuffix(".gguf") if path else entry.name.removesuffix(":latest")
    return f"{base}-{(wanted.type or wanted.format).lower()}"


async def convert_to_path(source: Path, wanted: Wanted, target: Path, report: Report, *, threads: int = 0) -> Done:
    """Converts to a file or folder of the user's own. Raises as ``run``, and ``ModelError`` where there is one."""
    await to_thread.run_sync(_require_free, target)
    work = target.with_name(f".{target.name}.partial")
    files.remove(work)
    try:
        done = await run(Job(str(source), str(work), wanted, threads or usable_threads()), report)
        await to_thread.run_sync(os.rename, work, target)
    except files.OutOfSpace as error:
        raise ModelError(f"no space left in {target.parent}; make room, or give another --output") from error
    finally:
        files.remove(work)
    return done


def _require_free(target: Path) -> None:
    if os.path.lexists(target):
        raise ModelError(f"{target} is there already; remove it, or give another --output")
    if not target.parent.is_dir():
        raise ModelError(f"{target.parent} is no folder; make it, or give another --output")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise ModelError(f"{target.parent} can't be written to by you; give another --output")
