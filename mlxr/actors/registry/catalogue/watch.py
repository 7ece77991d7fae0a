"""What a server knows of the catalogue, and how it hears of what other processes do to that."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from mlxr.actors.registry.catalogue.adapter_fits import AdapterFits
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.resolver import Resolver
from mlxr.actors.registry.catalogue.store import Store
from mlxr.runtime.errors import ConfigError, MlxrError
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.paths import Home

log = logging.getLogger("mlxr.registry")


class CatalogueWatch:
    """Owns what was read of the catalogue last.

    entries: every model, and the local files that are served.
    stamp: of the catalogue's files as they were before that was read; None before the first time.
    resolver: reads them.
    fits: knows which adapters fit which models.
    loaded: says which models are served.
    changed: is told when another process changed something, once that has been read; one call at a time.
    """

    def __init__(
        self,
        home: Home,
        store: Store,
        resolver: Resolver,
        fits: AdapterFits,
        loaded: Callable[[], set[str]],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._home, self._store, self._resolver, self._fits = home, store, resolver, fits
        self._loaded, self._changed = loaded, changed
        self._refreshing = anyio.Lock()
        self.entries: list[CatalogueEntry] = []
        self.stamp: str | None = None

    @property
    def stale(self) -> bool:
        """Whether the catalogue's files show a change that was not read yet."""
        return self.stamp != self._home.state()

    def messages(self) -> list[ModelEntry]:
        """Returns the models as frontends are told of them."""
        return [
            msgspec.structs.replace(entry.message(), fits=self._fits.models(entry, self.entries))
            for entry in self.entries
        ]

    async def read(self) -> None:
        """Reads the catalogue anew. Raises ``MlxrError``, ``sqlite3.Error`` and ``OSError``."""
        # Before it is read: what changes meanwhile shows the next time.
        self.stamp = await self._store.stamp()
        self.entries = await self._resolver.models(self._loaded())
        await self._fits.update(self.entries)

    async def refresh(self) -> None:
        """Takes in what other processes did to the catalogue. One at a time: who comes second needs what the first has
        not yet taken in."""
        async with self._refreshing:
            try:
                described = await self._described_anew()
                if described or await self._store.changed_elsewhere() or self.stale:
                    await self.read()
                    await self._changed()
            except (sqlite3.Error, MlxrError, OSError) as error:
                log.warning("can't read the catalogue: %s", error)

    async def _described_anew(self) -> bool:
        """Tells whether files in models.d say something else of models now; one that is wrong is logged."""
        try:
            changed = await self._store.reload_configs()
        except ConfigError as error:
            log.error("%s; what was known of models before stands", error)
            return False
        if changed:
            log.info("models.d has changed, and is heeded from now on")
        return changed
