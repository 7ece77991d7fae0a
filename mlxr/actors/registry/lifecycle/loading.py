"""Loading a model: what must hold before an engine starts for it, and the wait until it serves."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from anyio import to_thread

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.resolver import FROM_PATH, Resolver
from mlxr.actors.registry.fit.load_needs import LoadNeed, LoadNeeds
from mlxr.actors.registry.lifecycle.draft_models import DraftModels
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.actors.registry.lifecycle.manager import EngineManager
from mlxr.actors.registry.metadata.reader import require_usable
from mlxr.actors.registry.progress import Progress, Report, ignore
from mlxr.actors.registry.tool_stores.in_place import require_in_place
from mlxr.api.adapted_models import no_model
from mlxr.models.identity import identity
from mlxr.models.names import key
from mlxr.runtime.errors import RequestError


class ModelLoader:
    """Loads models into engines, each only if it can run.

    drafts: knows which models may draft for another.
    pinned: names of models that stay loaded.
    wanted: hears the name of each model that an engine is to serve.
    reload: takes in that there is a new engine.
    """

    def __init__(
        self,
        engines: EngineManager,
        resolver: Resolver,
        needs: LoadNeeds,
        drafts: DraftModels,
        pinned: Sequence[str],
        wanted: Callable[[str], None],
        reload: Callable[[], Awaitable[None]],
    ) -> None:
        self._engines, self._resolver, self._needs, self._drafts = engines, resolver, needs, drafts
        self._pinned_names = {key(name) for name in pinned}
        self._wanted, self._reload = wanted, reload

    async def load(
        self,
        entry: CatalogueEntry,
        report: Report = ignore,
        *,
        keep_alive: float | None = None,
        stays: bool = False,
        pin: bool | None = None,
    ) -> None:
        """Returns when an engine serves ``entry``; raises ``RequestError`` if none can, ``UnsupportedModelError`` for
        a model that can't run here. The other arguments are ``EnginePolicy.ensure``'s."""
        with self._engines.preparing():
            engine = await self._engine(entry, keep_alive, stays=stays, pin=pin)
        with self._engines.awaited(engine) as readiness:
            await self._reload()
            if not engine.ready:
                report(Progress("loading"))
            await readiness.wait(report)

    async def _engine(
        self, entry: CatalogueEntry, keep_alive: float | None, *, stays: bool, pin: bool | None
    ) -> Engine:
        """Returns the engine that serves ``entry``, or is going to."""
        require_usable(entry.blob.path, entry.blob.info)
        await to_thread.run_sync(require_in_place, entry)
        if entry.blob.info.is_adapter:
            raise RequestError(no_model(entry.message()))
        same = identity(entry.blob.path)
        content = await self._resolver.content_of(entry) or same
        spec = msgspec.structs.replace(entry.engine_spec(), identity=same, content=content)
        serving = self._engines.policy.engines.serves(spec)
        if serving is None:
            spec = msgspec.structs.replace(spec, drafts=await self._drafts.of(spec, entry.blob.size))
        need = LoadNeed(serving.needs) if serving else await self._needs.of(entry, spec.identity, spec.drafts)
        if entry.source == FROM_PATH:
            # Local files are forgotten that no engine serves, and meanwhile none has.
            entry = await self._resolver.find(entry.name)
        now = time.monotonic()
        engine = self._engines.policy.ensure(
            spec, keep_alive, now, needs=need.nbytes, optional=need.optional, explain=need.explain, stays=stays, pin=pin
        )
        self._wanted(entry.name)
        return engine

    async def load_at_start(self, entry: CatalogueEntry) -> None:
        """Loads what is served from the start: it stays for as long as there is room, or longer if it is pinned."""
        await self.load(entry, stays=True, pin=self._pinned(entry) or None)

    def _pinned(self, entry: CatalogueEntry) -> bool:
        return bool(self._pinned_names & {key(entry.name), *map(key, entry.aliases), key(str(entry.blob.path))})
