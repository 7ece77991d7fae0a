"""What the commands on models do. They work on the catalogue itself, so they need no server; one that runs notices
what they change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from os.path import isdir
from typing import Any, TypeVar

import anyio
import msgspec

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.files import OutOfSpace
from mlxr.actors.registry.catalogue.full_disk import freed
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.metadata.show import details, show, shown_part
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.tool_stores.tool_model import LABELS
from mlxr.cli import tool_models
from mlxr.cli.configuration import configuration_file
from mlxr.cli.printing import Column, print_facts, print_json, print_part, print_pushed, print_table, remark
from mlxr.cli.progress import PullBars
from mlxr.cli.reporting import carried_out
from mlxr.cli.run.model_facts import in_one_line
from mlxr.models.names import local_file
from mlxr.models.sizes import parameter_size, readable
from mlxr.runtime.config import load
from mlxr.runtime.errors import ModelNotFound
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable

T = TypeVar("T")

COLUMNS = (
    Column("NAME", rank=0),
    Column("DIGEST", rank=3),
    Column("SIZE", right=True),
    Column("PARAMETERS", right=True, rank=2),
    Column("QUANTIZATION", rank=2),
    Column("CONTEXT", right=True, rank=3),
    Column("MODIFIED", rank=3),
)
KIND = Column("KIND", rank=1)
"""What models are that write no text; only where there are some."""


def pull(name: str, as_json: bool, insecure: bool = False) -> None:
    from mlxr.actors.registry.sources.pull import (
        pull_model,
    )  # brings aiohttp, which costs the others a fifth of a second

    async def work() -> CatalogueEntry:
        reader = MetadataReader.sandboxed()
        registry = registry_at(insecure)
        try:
            with PullBars() as bars:
                return await pull_model(Home.find(), name, bars.report, reader=reader, registry=registry)
        except ModelNotFound as error:
            if local_file(name) is None and await anyio.to_thread.run_sync(isdir, name):
                raise ModelNotFound(f"{error}; the folder of that name is ./{name}") from None
            raise
        except anyio.get_cancelled_exc_class():
            remark("interrupted; what the next pull can go on with was kept")
            raise
        finally:
            await reader.close()

    entry = carried_out(work)
    if as_json:
        print_json(_plain(entry))
    else:
        print(f"{printable(entry.name)}  {entry.digest[:12]}  {readable(entry.blob.size)}")


def push(name: str, target: str, insecure: bool, as_json: bool) -> None:
    from mlxr.actors.registry.ollama.push import push_model

    async def work() -> CatalogueEntry:
        registry = registry_at(insecure)
        try:
            with PullBars() as bars:
                entry = await _with_store(lambda store: _found(store, name))
                await push_model(Home.find(), entry, target, bars.report, registry)
                return entry
        except anyio.get_cancelled_exc_class():
            remark("interrupted; the next push goes on from what is there")
            raise

    entry = carried_out(work)
    if as_json:
        print_json({"name": entry.name, "pushed_as": target, "digest": entry.digest})
    else:
        print_pushed(entry.name, target)


def registry_at(insecure: bool) -> RegistryAt:
    """The registry that the configuration names. Raises ``ConfigError``."""
    from mlxr.server.config import Config

    chosen = load(Config, configuration_file(None, Home.find()), os.environ, [])
    return RegistryAt(chosen.models.registry, insecure)


def list_models(as_json: bool, with_found: bool = False, prefix: str = "") -> None:
    entries = carried_out(lambda: _reading(Store.models))
    if prefix:
        entries = [entry for entry in entries if entry.name.lower().startswith(prefix.lower())]
    found = carried_out(tool_models.found_models) if with_found else None
    if as_json:
        listed = [_plain(entry) for entry in entries]
        print_json(listed if found is None else {"models": listed, "found": msgspec.to_builtins(found)})
        return
    if entries:
        kinds = [_kind(entry.info) for entry in entries]
        columns = [*COLUMNS, KIND] if any(kinds) else COLUMNS
        rows = [[*_row(entry), kind][: len(columns)] for entry, kind in zip(entries, kinds, strict=True)]
        print_table(columns, rows)
    elif prefix:
        remark(f"no model's name begins with {prefix!r}; `mlxr list` shows all")
    else:
        remark("no models yet: `mlxr pull smollm2` fetches one")
    if found is not None:
        if found.models:
            print()
            print_table([Column(head) for head in tool_models.FOUND_HEADS], tool_models.found_rows(found))
        tool_models.print_problems(found)


def show_part(name: str, part: str, as_json: bool) -> None:
    """Print a model's Modelfile, template, system prompt, parameters or license, and nothing else."""
    entry = carried_out(lambda: _reading(lambda store: _found(store, name)))
    print_part(part, shown_part(entry, part), as_json)


def show_model(name: str, as_json: bool, verbose: bool) -> None:
    from mlxr.cli.estimate import loading_facts
    from mlxr.cli.local_estimate import loading

    entry = carried_out(lambda: _reading(lambda store: _found(store, name)))
    body = carried_out(lambda: anyio.to_thread.run_sync(show, entry, verbose))
    memory = None if entry.info.is_adapter else carried_out(lambda: loading(entry))
    if as_json:
        print_json({"name": entry.name, **body, "memory": msgspec.to_builtins(memory)})
        return
    lines = [
        ("name", entry.name),
        ("aliases", ", ".join(entry.aliases)),
        ("source", entry.source),
        ("path", str(entry.blob.path)),
        ("digest", entry.digest),
        ("size", readable(entry.blob.size)),
        *[(key, value) for key, value in details(entry).items() if isinstance(value, str)],
        ("context length", str(entry.blob.info.context_length or "")),
        ("embedding length", str(entry.blob.info.embedding_length or "")),
        *loading_facts(memory),
        ("capabilities", ", ".join(body["capabilities"])),
        ("trained on", entry.blob.info.base),
        ("adapters", ", ".join(adapter.name for adapter in entry.adapters)),
        ("license", body["license"].partition("\n")[0]),
        ("system", body["system"]),
        ("parameters", in_one_line(body["parameters"])),
    ]
    if verbose:
        lines += [(key, json.dumps(value, ensure_ascii=False)) for key, value in body["model_info"].items()]
        lines += [(t["name"], f"{t['type']} {t['shape']}") for t in body.get("tensors", [])]
    print_facts((key.replace("_", " "), value.replace("\n", " ")) for key, value in lines)


def remove(names: list[str], as_json: bool) -> None:
    """Removes one after another, and says at once what became of each."""
    removed: list[dict[str, Any]] = []

    async def delete(store: Store) -> None:
        for name in names:
            entry = await store.delete(name)
            others = [other.name for other in await store.models() if other.blob.digest == entry.blob.digest]
            kept = bool(entry.blob.tool or others)
            removed.append({"name": entry.name, "size": entry.blob.size, "files_kept": kept, "kept_for": others})
            if not as_json:
                print(printable(f"removed {entry.name}; {_fate(entry, others)}"))

    async def work() -> None:
        try:
            await _with_store(delete)
        except OutOfSpace as error:
            if removed or not await freed(Home.find(), names):
                raise error from None
            await _with_store(delete)

    try:
        carried_out(work)
    finally:
        if as_json:
            print_json(removed)


def _fate(entry: CatalogueEntry, others: list[str]) -> str:
    """What becomes of a removed model's files."""
    files = f"its {readable(entry.blob.size)}"
    if entry.blob.tool:
        return f"{files} stay in {LABELS[entry.blob.tool]}'s store"
    return f"{files} stay for {', '.join(others)}" if others else f"{files} are gone from the disk"


def copy(source: str, target: str) -> None:
    carried_out(lambda: _with_store(lambda store: store.copy(source, target)))


async def _found(store: Store, name: str) -> CatalogueEntry:
    reader = MetadataReader.sandboxed()
    try:
        entry, adapters = await Resolver(store, reader).find_adapted(name)
        return entry.adapted(name, adapters)
    finally:
        await reader.close()


async def _reading(work: Callable[[Store], Awaitable[T]]) -> T:
    """As ``_with_store``, for what only reads: a full disk is no hindrance."""
    try:
        return await _with_store(work)
    except OutOfSpace:
        return await _with_store(work, copy=True)


async def _with_store(work: Callable[[Store], Awaitable[T]], *, copy: bool = False) -> T:
    store = await Store.open(Home.find(), copy=copy)
    try:
        return await work(store)
    finally:
        await store.close()


def _row(entry: CatalogueEntry) -> tuple[str, ...]:
    info = entry.blob.info
    return (
        entry.name,
        entry.digest[:12],
        readable(entry.blob.size),
        parameter_size(info.parameters),
        info.quantization,
        str(info.context_length or ""),
        datetime.fromtimestamp(entry.modified).strftime("%Y-%m-%d %H:%M"),
    )


def _kind(info: ModelInfo) -> str:
    return "adapter" if info.is_adapter else "" if "completion" in info.capabilities else ", ".join(info.capabilities)


def _plain(entry: CatalogueEntry) -> dict[str, Any]:
    info = msgspec.to_builtins(entry.blob.info)
    return {
        "name": entry.name,
        "aliases": entry.aliases,
        "digest": entry.digest,
        "size": entry.blob.size,
        "path": str(entry.blob.path),
        "source": entry.source,
        "modified_at": datetime.fromtimestamp(entry.modified, UTC).isoformat(),
        **{key: value for key, value in info.items() if key != "template"},
    }
