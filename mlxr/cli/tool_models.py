"""What the commands do with models of other tools' stores. They work on the catalogue itself; a server that runs
notices what they change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.progress import ignore
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.actors.registry.tool_stores.results import ImportResult, StoresListing
from mlxr.cli.printing import remark
from mlxr.models.sizes import parameter_size, readable
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable

T = TypeVar("T")


async def import_models(names: Sequence[str], tool: str, name: str) -> ImportResult:
    """Catalogue models where they are; raises as ``ToolStores.import_models``."""
    return await _with_stores(lambda stores: stores.import_models(names, tool, ignore, name))


async def found_models() -> StoresListing:
    """What other tools have on this machine."""
    return await _with_stores(lambda stores: stores.listing())


async def _with_stores(work: Callable[[ToolStores], Awaitable[T]]) -> T:
    store = await Store.open(Home.find())
    reader = MetadataReader.sandboxed()
    try:
        return await work(ToolStores(store, reader))
    finally:
        await reader.close()
        await store.close()


def print_imported(result: ImportResult) -> None:
    """A line on stdout for each model that is here now, on stderr for each that is not."""
    for each in result.imported:
        aside = f"  (not used: {', '.join(each.unused)})" if each.unused else ""
        print(printable(f"{each.name}  {readable(each.size)}  in place{aside}"))
    for problem in result.problems:
        remark(problem)
    for refused in result.refused:
        reason = refused.reason if refused.found in refused.reason else f"{refused.found}: {refused.reason}"
        remark(reason)
    if not (result.imported or result.refused or result.problems):
        where = f" (looked in {', '.join(result.looked_in)})" if result.looked_in else ""
        remark(f"nothing was found there{where}; `mlxr ls --all` shows what other tools have")


def print_problems(listing: StoresListing) -> None:
    """A line on stderr for each place that could not be looked into."""
    for problem in listing.problems:
        remark(problem)


FOUND_HEADS = ("FOUND IN OTHER TOOLS", "SIZE", "PARAMETERS", "QUANTIZATION", "RUNS HERE", "IMPORTED AS")


def found_rows(listing: StoresListing) -> list[tuple[str, ...]]:
    """The cells of a table, a row for each model."""
    return [
        (
            model.name,
            readable(model.size) if model.size else "-",
            parameter_size(model.parameters) if model.parameters else "-",
            model.quantization or "-",
            "yes" if model.runs else f"no: it {model.reason}",
            model.imported,
        )
        for model in listing.models
    ]
