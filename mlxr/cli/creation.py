"""What ``mlxr create`` does: a Modelfile becomes a create request, and its files become uploads, here or at a server.

Without a server that is named it works on the catalogue itself, and a server that runs notices.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import msgspec
import typer
from anyio import to_thread

from mlxr.actors.registry.catalogue.create import Creator
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.modelfile.errors import ModelfileError
from mlxr.actors.registry.modelfile.model_files import named_files
from mlxr.actors.registry.modelfile.parse import parse
from mlxr.actors.registry.modelfile.request import ModelfileRequest, interpreted
from mlxr.actors.registry.modelfile.text import MOST_BYTES, decoded
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.cli import interruptible
from mlxr.cli.catalogue import registry_at
from mlxr.cli.client.client import Client, connected
from mlxr.cli.client.endpoint import Endpoint, named
from mlxr.cli.local_uploads import LocalUploads, digest_of
from mlxr.cli.printing import print_json, remark
from mlxr.cli.progress import PullBars
from mlxr.models.errors import UnusableModelError
from mlxr.models.names import checked, in_tool_store
from mlxr.models.sizes import readable
from mlxr.runtime.errors import MlxrError, ModelNotFound, RequestError
from mlxr.runtime.paths import Home
from mlxr.runtime.patient_reading import read_patiently
from mlxr.runtime.printable import printable

Take = Callable[[Path, Report], Awaitable[str]]
"""Has a file uploaded, and returns its digest."""
STDIN = "-"


def create(name: str, file: str, quantize: str, as_json: bool, endpoint: str | None) -> None:
    """Make the model and print what was made; exit with a line on stderr where that can't be."""

    async def work(shown: str, request: ModelfileRequest) -> dict[str, Any]:
        for text in request.remarks:
            remark(text)
        if quantize:
            request.fields["quantize"] = quantize
        server = named(endpoint)
        with PullBars() as bars, _placed(shown, request):
            try:
                if server is not None:
                    return await _at_server(server, name, request, bars.report)
                return await _here(name, request, bars.report)
            except anyio.get_cancelled_exc_class():
                remark("interrupted; no model was made")
                raise

    try:
        checked(name)
        # Outside of the loop, which Ctrl-C would only tell: this waits for a pipe.
        made = interruptible.run(work, *_read(file))
    except (MlxrError, UnusableModelError, ValueError, OSError) as error:
        # Clients of a server are not told what lies at a path; this is the user.
        remark(error.why if isinstance(error, NoModelAtPath) else str(error))
        raise typer.Exit(1) from None
    if as_json:
        print_json(made)
    else:
        print(printable(f"{made['name']}  {made['digest'][:12]}  {readable(made['size'])}"))


def _read(file: str) -> tuple[str, ModelfileRequest]:
    """Returns the file's name as errors show it, and what it asks for. Raises ``ModelfileError``."""
    shown = "stdin" if file == STDIN else file
    try:
        if file == STDIN:
            data, folder = sys.stdin.buffer.read(MOST_BYTES + 1), Path.cwd()
        else:
            path = Path(file).expanduser()
            data = read_patiently(path, MOST_BYTES + 1)
            folder = path.absolute().parent
    except FileNotFoundError:
        raise ModelfileError(shown, 0, "there is no such file; -f names another, and - reads stdin") from None
    except OSError as error:
        raise ModelfileError(shown, 0, f"can't be read: {error.strerror or error}") from None
    return shown, interpreted(parse(decoded(data, shown), shown), folder, shown)


@contextmanager
def _placed(file: str, request: ModelfileRequest) -> Iterator[None]:
    """Says of an error which line of the Modelfile it comes from, where a line can be told."""
    lines = request.lines
    try:
        yield
    except RequestError as error:
        field = error.info.param or ""
        line = lines.get(field, 0) or lines.get("from" if field in ("from", "files", "model") else "", 0)
        if not line or field == "quantize":
            raise
        raise ModelfileError(file, line, error.info.message) from error
    except NoModelAtPath as error:
        raise ModelfileError(file, lines.get("from", 0), error.why) from error
    except (ModelNotFound, UnusableModelError) as error:
        raise ModelfileError(file, lines.get("from", 0), str(error)) from error


async def _here(name: str, request: ModelfileRequest, report: Report) -> dict[str, Any]:
    home = Home.find()
    store, reader = await Store.open(home), MetadataReader.sandboxed()
    uploads = LocalUploads(home)
    try:
        resolver = Resolver(store, reader)

        async def obtain(wanted: str, report: Report) -> CatalogueEntry:
            try:
                return await resolver.find(wanted)
            except NoModelAtPath:
                raise
            except ModelNotFound:
                if in_tool_store(wanted):
                    raise
                return await pull_model(home, wanted, report, store, reader, registry=registry_at(False))

        spec = await _spec(request, uploads.take, report, by_path=True)
        made = await Creator(home, store, obtain, reader).create(name, spec, report)
    finally:
        await to_thread.run_sync(uploads.drop)
        await reader.close()
        await store.close()
    return {
        "name": made.name,
        "digest": made.digest,
        "size": made.blob.size,
        "path": str(made.blob.path),
        "quantization": made.blob.info.quantization,
    }


async def _at_server(server: Endpoint, name: str, request: ModelfileRequest, report: Report) -> dict[str, Any]:
    async with connected(server) as client:

        async def take(path: Path, report: Report) -> str:
            digest = await digest_of(path)
            await _upload(client, path, digest, report)
            return f"sha256:{digest}"

        spec = msgspec.json.decode(await _spec(request, take, report, by_path=False))
        async for line in client.lines("/api/create", {"model": name, **spec}):
            status = str(line.get("status", ""))
            if status != "success":
                report(Progress(status, line.get("digest", ""), line.get("total", 0), line.get("completed", 0)))
        shown = await client.post("/api/show", {"model": name})
    return {
        "name": name,
        "digest": shown["digest"],
        "size": shown["size"],
        "path": shown.get("path", ""),
        "quantization": shown["details"]["quantization_level"],
    }


async def _upload(client: Client, path: Path, digest: str, report: Report) -> None:
    """Has the server keep the file, unless it does so already."""
    place = f"/api/blobs/sha256:{digest}"
    if await client.has(place):
        report(Progress(f"using existing layer sha256:{digest}"))
        return
    size = os.stat(path).st_size
    status = f"copying file sha256:{digest}"
    await client.upload(place, path, lambda done: report(Progress(status, total=size, completed=done)))


async def _spec(request: ModelfileRequest, take: Take, report: Report, *, by_path: bool) -> bytes:
    """Returns the create request, with the digests of its files. ``by_path``: whoever reads it may be told a path."""
    report(Progress("gathering model components"))
    spec: dict[str, Any] = dict(request.fields)
    if request.from_:
        spec["from"] = request.from_
    elif by_path and len(request.files) == 1:
        spec["from"] = str(request.files[0].absolute())
    else:
        spec["files"] = await _taken(request.files, take, report)
    if request.adapters:
        spec["adapters"] = await _taken(request.adapters, take, report)
    return msgspec.json.encode(spec)


async def _taken(paths: list[Path], take: Take, report: Report) -> dict[str, str]:
    found = await to_thread.run_sync(named_files, paths)
    return {name: await take(path, report) for name, path in found.items()}
