"""What the frontend knows of models and engines: the registry's latest ``Catalog``, made searchable, and kept up with
the files of the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
from msgspec.structs import replace

from mlxr.actors.frontend.request_tracker import REGISTRY
from mlxr.models.names import key, local_file, quoted
from mlxr.models.near_names import suggestion
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.messages.common import Adapter, ErrorCode, ErrorInfo, Message
from mlxr.runtime.messages.frontend import Catalog
from mlxr.runtime.messages.registry import SendCatalog

SERVING = frozenset({"ready", "restarting"})
"""States of an engine that takes requests: a restarting one keeps them until its executor is back."""

STARTING_ENGINE = EngineInfo(engine="", model="", state="loading", stage="starting")

STARTING = ErrorInfo(ErrorCode.LOADING, "the server is starting and knows no models yet", retry_after=1)
STARTING_SECONDS = 5.0
"""How long requests wait for the first catalogue, and for a newer one."""


class CatalogView:
    """Looks things up in one ``Catalog``; before the first has arrived the server counts as loading."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self._known = catalog is not None
        self.stamp = catalog.stamp if catalog else None
        self.ticket = (catalog.ticket or 0) if catalog else 0
        self.models = sorted(catalog.models, key=lambda entry: -entry.modified) if catalog else []
        self.engines = list(catalog.engines) if catalog else []
        self._by_name = _by_name(self.models)
        self._by_path = {entry.path: entry for entry in reversed(self.models)}

    def find(self, name: str) -> ModelEntry | None:
        """Returns the model of that name or alias, in any case, with or without ``:latest``, or the one read from that
        path."""
        return self._by_name.get(key(name)) or self._by_path.get(name)

    def split(self, name: str) -> tuple[str, list[str]]:
        """Returns the model's part of ``MODEL+ADAPTER+...``, and the adapters' names: the longest part that names a
        model, which may be a path."""
        if "+" not in name or self.find(name) is not None:
            return name, []
        parts = name.split("+")
        for end in range(len(parts) - 1, 0, -1):
            model = "+".join(parts[:end])
            if self.find(model) is not None or (local_file(model) is not None and local_file(name) is None):
                return model, parts[end:]
        return parts[0], parts[1:]

    def adapted(self, name: str, asked: list[Adapter]) -> tuple[str, list[Adapter]]:
        """Returns the model that ``name`` names, and what is to be added to it: what it was made with, what the name
        says, and what was ``asked`` besides, looked up. Raises ``RequestError`` for an adapter that is not there, and
        for one that is none."""
        model, named = self.split(name)
        entry = self.find(model)
        found = [*entry.adapters] if entry is not None else []
        found += [self._looked_up(adapter, "model") for adapter in map(Adapter, named)]
        found += [self._looked_up(adapter, "adapters") for adapter in asked]
        return model, [adapter for adapter in found if adapter.scale]

    def _looked_up(self, adapter: Adapter, field: str) -> Adapter:
        entry = self.find(adapter.name)
        if entry is None:
            known = (spelled for each in self.models if each.info.is_adapter for spelled in (each.name, *each.aliases))
            way_out = f"{suggestion(adapter.name, known)}`mlxr pull PATH` fetches one, `mlxr list` shows what there is"
            message = f"`{field}`: there is no adapter of the name {quoted(adapter.name)}; {way_out}"
            code = ErrorCode.MODEL_NOT_FOUND if field == "model" else ErrorCode.INVALID
            raise RequestError(ErrorInfo(code, message, field))
        if not entry.info.is_adapter:
            message = f"`{field}`: {quoted(adapter.name)} is a model and no adapter, and can't be added to another one"
            raise RequestError(ErrorInfo(ErrorCode.INVALID, message, field))
        return replace(adapter, digest=entry.digest, path=entry.path)

    def serving(self, model: str) -> EngineInfo | None:
        """Returns the engine that takes requests for the model of that catalogued name."""
        return next((e for e in self.engines if e.model == model and e.state in SERVING), None)

    def health(self) -> EngineInfo | None:
        """Returns the engine that keeps the server from being ready; None as soon as one serves or none is wanted."""
        if not self._known:
            return STARTING_ENGINE
        if any(engine.state in SERVING for engine in self.engines):
            return None
        return next((engine for engine in self.engines if engine.state in ("loading", "failed")), None)

    def failure(self, engine: str) -> ErrorInfo | None:
        """Returns why requests sent to that engine will get no answer; None while they may."""
        found = next((e for e in self.engines if e.engine == engine), None)
        if found is None:
            return ErrorInfo(ErrorCode.ENGINE_FAILED, f"engine {engine} was stopped while it worked on this")
        return ErrorInfo(ErrorCode.ENGINE_FAILED, found.error or "it failed") if found.state == "failed" else None


class CurrentCatalog:
    """Keeps ``view`` up with what the registry tells. ``state``: ``Home.state``, by which to see that another process
    has changed the catalogue."""

    def __init__(self, tell: Callable[[Address, Message], None], state: Callable[[], str]) -> None:
        self.view = CatalogView()
        self._tell = tell
        self._state = state
        self._tickets = 0
        self._first = anyio.Event()
        self._updated = anyio.Event()

    def update(self, message: Catalog) -> None:
        self.view = CatalogView(message)
        self._first.set()
        self._updated.set()
        self._updated = anyio.Event()

    async def ready(self) -> None:
        """Waits for the first catalogue; raises ``RequestError`` when that takes too long. Later ones are waited for
        where the files have changed since."""
        if self._first.is_set():
            await self._refreshed()
            return
        with anyio.move_on_after(STARTING_SECONDS):
            await self._first.wait()
            return
        raise RequestError(STARTING)

    async def _refreshed(self) -> None:
        """Has the registry read the catalogue's files where they have changed since, before a request is answered by
        what they said then. A registry that does not answer is not waited for long."""
        if self.view.stamp is None or self.view.stamp == self._state():
            return
        self._tickets = ticket = self._tickets + 1
        self._tell(REGISTRY, SendCatalog(ticket))
        with anyio.move_on_after(STARTING_SECONDS):
            while self.view.ticket < ticket:
                await self._updated.wait()


def _by_name(models: list[ModelEntry]) -> Mapping[str, ModelEntry]:
    """A model's own name wins over aliases."""
    names = {key(alias): entry for entry in models for alias in entry.aliases}
    return names | {key(entry.name): entry for entry in models}
