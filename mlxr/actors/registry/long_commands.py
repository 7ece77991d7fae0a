"""Commands that take long: pull, create, import, convert, push. They run for a client that waits, or as jobs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from mlxr.actors.registry.catalogue.create import Creator
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.conversion.convert import (
    SERVER_NICENESS,
    convert_and_add,
    default_name,
    estimate_conversion,
)
from mlxr.actors.registry.conversion.job import Wanted
from mlxr.actors.registry.jobs.record import Outcome
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.ollama.push import parse_target, push_model
from mlxr.actors.registry.progress import Report
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.shared_pulls import SharedPulls
from mlxr.actors.registry.sources.transfer.limits import DEFAULT_LIMITS, TransferLimits
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.actors.registry.tool_stores.results import ImportResult
from mlxr.api.conversion import ConversionEstimate
from mlxr.models.errors import UnsupportedModelError, UnusableModelError
from mlxr.models.sizes import readable
from mlxr.runtime.errors import ModelError, ModelNotFound
from mlxr.runtime.messages.registry import (
    Command,
    ConvertModel,
    CreateModel,
    EstimateConversion,
    ImportModels,
    PullModel,
    PushModel,
    Work,
)
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")

AWAITED_NICENESS = 5
"""Of what takes half a second of a processor, and somebody waits for."""


class LongCommands:
    """Does the work, and leaves it to the caller to read the catalogue anew.

    registry: where names without an address lead.
    spawn: starts a task.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        reader: MetadataReader,
        resolver: Resolver,
        tool_stores: ToolStores,
        registry: str,
        spawn: Callable[..., Any],
    ) -> None:
        self._home, self._store, self._reader = home, store, reader
        self._resolver, self._tool_stores, self._registry = resolver, tool_stores, registry
        self._pulls = SharedPulls(self._fetch, spawn)

    async def perform(self, work: Work, report: Report) -> Outcome:
        """Does it as a job. Raises as the command."""
        match work:
            case PullModel():
                return Outcome((await self.pull(work, report)).name)
            case CreateModel():
                return Outcome((await self.create(work, report)).name)
            case ConvertModel():
                entry, notes = await self.convert(work, report)
                return Outcome(entry.name, notes)
            case ImportModels():
                return _imported(await self.import_models(work, report))
            case PushModel():
                return Outcome((await self.push(work, report)).name)

    async def obtain(self, name: str, report: Report, limits: TransferLimits = DEFAULT_LIMITS) -> CatalogueEntry:
        """Returns the model of that name, pulled if it isn't here."""
        try:
            return await self._resolver.find(name)
        except ModelNotFound:
            log.info("pulling %s, which is not here yet", name)
            entry = await self._pulls.pull(name, report, partial(self._fetch, limits=limits))
            log.info("pulled %s, %s", entry.name, readable(entry.blob.size))
            return entry

    async def pull(self, message: PullModel, report: Report) -> CatalogueEntry:
        await self._resolver.require_allowed(message.name, message.remote, again=True)
        fetch = partial(self._fetch, insecure=message.insecure, limits=_limits(message))
        return await self._pulls.pull(message.name, report, fetch)

    async def create(self, message: CreateModel, report: Report) -> CatalogueEntry:
        require_allowed = partial(self._resolver.require_allowed, remote=message.remote)
        creator = Creator(self._home, self._store, partial(self.obtain, limits=_limits(message)), self._reader)
        return await creator.create(message.name, message.spec, report, require_allowed)

    async def convert(self, message: ConvertModel, report: Report) -> tuple[CatalogueEntry, list[str]]:
        """Returns what was made, and what should be known of it."""
        wanted = msgspec.json.decode(message.wanted, type=Wanted)
        source = await self._resolver.find(message.source, message.remote)
        name = message.name or default_name(source, wanted)
        with _named(source):
            return await convert_and_add(
                self._home, self._store, self._reader, source, wanted, name, report, nice=SERVER_NICENESS
            )

    async def estimate_conversion(self, message: EstimateConversion) -> ConversionEstimate:
        wanted = msgspec.json.decode(message.wanted, type=Wanted)
        source = await self._resolver.find(message.source, message.remote)
        with _named(source):
            return await estimate_conversion(self._home, source, wanted, nice=AWAITED_NICENESS)

    async def import_models(self, message: ImportModels, report: Report) -> ImportResult:
        allowed = self._resolver.shared if message.remote else None
        return await self._tool_stores.import_models(message.names, message.tool, report, message.name, allowed)

    async def push(self, message: PushModel, report: Report) -> CatalogueEntry:
        entry = await self._resolver.find(message.name, message.remote)
        registry = RegistryAt(self._registry, message.insecure)
        target = message.target or message.name
        # Which registry names without a host are for, the user of this machine says.
        limits = replace(DEFAULT_LIMITS, public_only=message.remote and bool(parse_target(target).host))
        await push_model(self._home, entry, target, report, registry, limits)
        return entry

    async def _fetch(
        self, name: str, report: Report, insecure: bool = False, limits: TransferLimits = DEFAULT_LIMITS
    ) -> CatalogueEntry:
        registry = RegistryAt(self._registry, insecure)
        return await pull_model(self._home, name, report, self._store, self._reader, limits, registry)


def _limits(message: Command) -> TransferLimits:
    """Those of what a client has fetched: no host is asked for one on another machine that it could not ask itself."""
    return replace(DEFAULT_LIMITS, public_only=message.remote)


@contextmanager
def _named(source: CatalogueEntry) -> Iterator[None]:
    """What can't be done with a model is said of its name, and not of its file."""
    try:
        yield
    except UnusableModelError as error:
        if error.path != source.blob.path:
            raise
        raise UnsupportedModelError(Path(source.name), error.reason) from error


def _imported(result: ImportResult) -> Outcome:
    """Raises ``ModelError`` where nothing was imported."""
    refused = [f"{each.found}: {each.reason}" for each in result.refused]
    if not result.imported:
        raise ModelError("; ".join([*refused, *result.problems]) or "nothing was found there")
    names = [each.name for each in result.imported]
    unused = [f"{each.name}: not used are {', '.join(each.unused)}" for each in result.imported if each.unused]
    more = [f"imported are {', '.join(names)}"] if len(names) > 1 else []
    return Outcome(names[0], [*more, *unused, *refused, *result.problems])
