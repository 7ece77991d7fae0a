"""What ``mlxr quantize`` and ``mlxr convert`` do. They work on the catalogue itself; a server that runs notices."""

from __future__ import annotations

from pathlib import Path

import anyio
import msgspec
import typer

from mlxr.actors.registry.catalogue.local_files import NoModelAtPath
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.conversion.convert import compared, convert_and_add, convert_to_path, default_name
from mlxr.actors.registry.conversion.job import Wanted
from mlxr.actors.registry.conversion.to_gguf import choices
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.cli import interruptible, remote_jobs
from mlxr.cli.client.endpoint import named
from mlxr.cli.printing import print_json, remark
from mlxr.cli.progress import PullBars
from mlxr.cli.reporting import reported
from mlxr.models.conversion.mlx_types import matrix_type
from mlxr.models.errors import UnusableModelError
from mlxr.models.quantization.file_types import file_type
from mlxr.models.sizes import readable
from mlxr.runtime.errors import ConfigError, MlxrError
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable


def convert(
    source: str, wanted: Wanted, name: str, output: Path | None, threads: int, as_json: bool, endpoint: str | None
) -> None:
    """Convert, here or at a server that is named, print what was made, and exit with a line on stderr where that can't
    be."""
    if name and output:
        raise ConfigError("--name and --output exclude each other: a model is catalogued, or written to a path")
    _require_known(wanted)
    if wanted.importance and not named(endpoint) and not Path(wanted.importance).exists():
        raise ConfigError(f"--imatrix {wanted.importance}: there is no such file; `mlxr imatrix` makes one")
    if server := named(endpoint):
        given = {"--imatrix": wanted.importance, "--output": output, "--threads": threads}
        if here := [option for option, value in given.items() if value]:
            way_out = "leave them out, or --endpoint and MLXR_HOST"
            raise ConfigError(f"{', '.join(here)} can't go to {server.shown}; {way_out}")
        asked = {key: value for key, value in msgspec.to_builtins(wanted).items() if key not in ("importance", "mode")}
        reported(lambda: remote_jobs.convert(server, source, asked, name, as_json))
        return

    target = output.absolute() if output else None

    async def work() -> None:
        with PullBars() as bars:
            try:
                await _convert(source, wanted, name, target, threads, as_json, bars)
            except anyio.get_cancelled_exc_class():
                remark("interrupted; nothing was kept")
                raise

    try:
        interruptible.run(work)
    except UnusableModelError as error:
        remark(f"{source} {error.within(error.path)}" if error.path.is_relative_to(Home.find().models) else str(error))
        raise typer.Exit(1) from None
    except (MlxrError, ValueError, OSError) as error:
        # Clients of a server are not told what lies at a path; this is the user.
        remark(error.why if isinstance(error, NoModelAtPath) else str(error))
        raise typer.Exit(1) from None


def _require_known(wanted: Wanted) -> None:
    """Raises ``ConfigError`` for a type that there is not, or what does not go with one."""
    try:
        if wanted.format == "mlx":
            matrix_type(wanted.type, wanted.group)
            return
        if wanted.type:
            file_type(wanted.type)
        choices(wanted)
    except ValueError as error:
        raise ConfigError(str(error)) from None


async def _convert(
    source: str, wanted: Wanted, name: str, output: Path | None, threads: int, as_json: bool, bars: PullBars
) -> None:
    home = Home.find()
    store, reader = await Store.open(home), MetadataReader.sandboxed()
    try:
        entry = await Resolver(store, reader).find(source)
        if output is not None:
            done = await convert_to_path(entry.blob.path, wanted, output, bars.report, threads=threads)
            notes = [compared(entry, done.size), *done.notes]
            _print(as_json, str(output), done.digest, done.size, str(output), "", notes)
            return
        made, notes = await convert_and_add(
            home, store, reader, entry, wanted, name or default_name(entry, wanted), bars.report, threads=threads
        )
        blob = made.blob
        _print(as_json, made.name, made.digest, blob.size, str(blob.path), blob.info.quantization, notes)
    finally:
        await reader.close()
        await store.close()


def _print(as_json: bool, name: str, digest: str, size: int, path: str, quantization: str, notes: list[str]) -> None:
    if as_json:
        facts = {"name": name, "digest": digest, "size": size, "path": path, "notes": notes}
        print_json({**facts, "quantization": quantization} if quantization else facts)
    else:
        print(printable("  ".join(filter(None, (name, digest[:12], readable(size), quantization)))))
        for note in notes:
            remark(note)
