"""What the frontend knows of models and engines: the registry's latest ``Catalog``, made searchable. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from mlxr.models.names import key
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Catalog, EngineInfo, ModelEntry

SERVING = frozenset({"ready", "restarting"})
"""States of an engine that takes requests: a restarting one keeps them until its executor is back."""

STARTING = EngineInfo(engine="", model="", state="loading", stage="starting")


class CatalogView:
    """Look-ups over one ``Catalog``; before the first has arrived the server counts as loading."""

    def __init__(self, catalog: Catalog | None = None) -> None:
        self._known = catalog is not None
        self.stamp = catalog.stamp if catalog else ""
        self.ticket = (catalog.ticket or 0) if catalog else 0
        self.models = sorted(catalog.models, key=lambda entry: -entry.modified) if catalog else []
        self.engines = list(catalog.engines) if catalog else []
        self._by_name = _by_name(self.models)
        self._by_path = {entry.path: entry for entry in reversed(self.models)}

    def find(self, name: str) -> ModelEntry | None:
        """The model of that name or alias, in any case, with or without ``:latest``, or the one read from that path."""
        return self._by_name.get(key(name)) or self._by_path.get(name)

    def serving(self, model: str) -> EngineInfo | None:
        """The engine that takes requests for the model of that catalogued name."""
        return next((e for e in self.engines if e.model == model and e.state in SERVING), None)

    def health(self) -> EngineInfo | None:
        """What keeps the server from being ready: nothing, as soon as one engine serves or none is wanted."""
        if not self._known:
            return STARTING
        if any(engine.state in SERVING for engine in self.engines):
            return None
        return next((engine for engine in self.engines if engine.state in ("loading", "failed")), None)

    def failure(self, engine: str) -> ErrorInfo | None:
        """Why requests sent to that engine will get no answer; None while they may."""
        found = next((e for e in self.engines if e.engine == engine), None)
        if found is None:
            return ErrorInfo(ErrorCode.ENGINE_FAILED, f"engine {engine} was stopped while it worked on this")
        return ErrorInfo(ErrorCode.ENGINE_FAILED, found.error) if found.state == "failed" else None


def _by_name(models: list[ModelEntry]) -> Mapping[str, ModelEntry]:
    """A model's own name wins over aliases."""
    names = {key(alias): entry for entry in models for alias in entry.aliases}
    return names | {key(entry.name): entry for entry in models}
