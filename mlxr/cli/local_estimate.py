"""Estimates worked out by this process: of models that are here, or at their source.

Imported where one is wanted, since it knows the catalogue and all sources.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.fit.dry_run import DryRun
from mlxr.actors.registry.fit.estimates import DraftCost
from mlxr.actors.registry.fit.load_needs import LoadNeeds
from mlxr.actors.registry.lifecycle.draft_models import DraftModels
from mlxr.actors.registry.lifecycle.engine_memory import memory_limit
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.api.estimate import Estimate, MemoryEstimate
from mlxr.cli.configuration import configuration_file
from mlxr.models.errors import UnusableModelError
from mlxr.runtime import config
from mlxr.runtime.paths import Home
from mlxr.runtime.sandbox import Sandbox
from mlxr.runtime.system_memory import machine_bytes
from mlxr.server.actors import any_executor, drafting
from mlxr.server.config import Config


async def estimated(name: str, context: int, insecure: bool, sandbox: Sandbox) -> Estimate:
    """Returns what is known of a model that is here, or at its source; ``sandbox`` reads it, and is closed. Raises as
    ``DryRun.estimate``."""
    home = Home.find()
    chosen = config.load(Config, configuration_file(None, home), os.environ, [])
    async with _dry_run(home, chosen, MetadataReader(sandbox), insecure) as look:
        return await look.estimate(name, context)


async def loading(entry: CatalogueEntry) -> MemoryEstimate | None:
    """Returns what a load of a model that is here needs; None where that is not known."""
    home = Home.find()
    chosen = config.load(Config, configuration_file(None, home), os.environ, [])
    with suppress(UnusableModelError, OSError):
        async with _dry_run(home, chosen, MetadataReader.sandboxed()) as look:
            return await look.memory_of(entry)
    return None


@asynccontextmanager
async def _dry_run(home: Home, chosen: Config, reader: MetadataReader, insecure: bool = False) -> AsyncIterator[DryRun]:
    registry, limit = RegistryAt(chosen.models.registry, insecure), chosen.models.memory_limit
    try:
        # A copy: what changes nothing needs no room on the disk.
        store = await Store.open(home, copy=True)
    except BaseException:
        await reader.close()
        raise
    try:
        settings, most = any_executor(chosen), memory_limit(limit, machine_bytes())
        # What is loaded by now, of which one might draft, only a server knows.
        drafts = DraftModels(drafting(chosen), Resolver(store, reader).find, list)
        cost = DraftCost(LoadNeeds(home, reader, settings), drafts).of
        yield DryRun(home, store, reader, settings, registry=registry, memory_limit=most, draft_bytes=cost)
    finally:
        await reader.close()
        await store.close()
