"""What ``mlxr imatrix`` does: the model runs in this process."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import Progress
from mlxr.cli import interruptible
from mlxr.cli.printing import print_json, remark
from mlxr.cli.progress import PullBars
from mlxr.models.names import local_file
from mlxr.models.quantization.importance import write_importance
from mlxr.runtime.errors import ConfigError, MlxrError, ModelError, system_reason
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable


def measure_importance(
    source: str, text: Path, output: Path | None, chunks: int, chunk_size: int, as_json: bool
) -> None:
    """Measure, write, print what was made, and exit with a line on stderr where that can't be."""
    try:
        entry = interruptible.run(_find, source)
        target = (output or Path(f"{_stem(entry)}.imatrix.gguf")).absolute()
        if os.path.lexists(target):
            raise ModelError(f"{target} is there already; remove it, or give another --output")
        read = _read(text)
        with PullBars(unit="tokens") as bars:
            count, entries = _measure(entry, read, text.name, target, chunks, chunk_size, bars)
    except ConfigError:
        raise
    except (MlxrError, ValueError, OSError) as error:
        remark(error.why if isinstance(error, NoModelAtPath) else str(error))
        raise typer.Exit(1) from None
    if as_json:
        print_json({"path": str(target), "chunks": count, "tokens": count * chunk_size, "matrices": entries})
    else:
        read_in = f"{count} chunk{'s' if count > 1 else ''} of {chunk_size} tokens"
        print(printable(f"{target}  {entries} matrices, measured on {read_in}"))


def _measure(
    entry: CatalogueEntry, read: str, name: str, target: Path, most: int, size: int, bars: PullBars
) -> tuple[int, int]:
    # MLX, which other commands do without.
    from mlxr.models.quantization.measure import chunks_of, measure

    chunks = chunks_of(entry.blob.path, read, size)
    chunks = chunks[:most] if most else chunks

    def advanced(done: int, total: int) -> None:
        bars.report(Progress(f"reading {name}", "", total, done))

    work = target.with_name(f".{target.name}.partial")
    try:
        files.require_space(target.parent, 0)
        found = measure(entry.blob.path, chunks, advanced)
        with files.create(work) as file:
            write_importance(file, found, [name], len(chunks), size)
        files.sync(work)
        work.rename(target)
    finally:
        files.remove(work)
    return len(chunks), len(found)


def _read(text: Path) -> str:
    try:
        return text.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"--text {text}: can't read it: {system_reason(error)}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{text} is no text in UTF-8: {error.reason} at byte {error.start}") from None


def _stem(entry: CatalogueEntry) -> str:
    path = local_file(entry.name)
    return (path.name if path else entry.name.replace("/", "-").replace(":", "-")).removesuffix(".gguf")


async def _find(source: str) -> CatalogueEntry:
    store, reader = await Store.open(Home.find()), MetadataReader.sandboxed()
    try:
        return await Resolver(store, reader).find(source)
    finally:
        await reader.close()
        await store.close()
