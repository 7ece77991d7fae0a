"""The models that a server loads from its start, before anybody has asked for one."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.local_files import NoModelAtPath
from mlxr.actors.registry.client_errors import error_info
from mlxr.actors.registry.lifecycle.manager import Unloaded
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.settings import RegistrySettings
from mlxr.actors.registry.sources.pull_log import PullLog
from mlxr.runtime.errors import StartError
from mlxr.runtime.messages.catalogue import EngineInfo

log = logging.getLogger("mlxr.registry")

FIRST_MODEL = "smollm2"
"""What is served where no model is named and none is installed."""

Obtain = Callable[[str, Report], Awaitable[CatalogueEntry]]
Load = Callable[[CatalogueEntry], Awaitable[None]]
Spawn = Callable[..., Any]


class StartupModels:
    """Loads them, beside everything else, and knows what has become of those without an engine yet.

    obtain: finds a model, pulling it if it isn't here.
    load: returns when an engine serves the model.
    publish: tells the frontend, when ``infos`` have changed.
    spawn: runs a coroutine beside the caller.
    first_start: whether nobody can be using the server yet; from then on it ends for no model.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        obtain: Obtain,
        load: Load,
        publish: Callable[[], None],
        spawn: Spawn,
        *,
        first_start: bool = True,
    ) -> None:
        self._settings = settings
        self._home = Path(settings.home)
        self._obtain = obtain
        self._load = load
        self._publish = publish
        self._spawn = spawn
        self._infos: dict[str, EngineInfo] = {}
        self._required = frozenset(settings.required if first_start else ())

    def infos(self) -> Iterable[EngineInfo]:
        """Those that have no engine yet, or could not be had."""
        return self._infos.values()

    def served(self, name: str) -> None:
        """An engine is to serve ``name`` from now on, which says more."""
        self._infos.pop(name, None)

    def begin(self, entries: list[CatalogueEntry], read_only: bool) -> None:
        """Loads what is pinned or named; with nothing named, what is at hand if ``warm``; with nothing here, the
        built-in model, unless nothing can be pulled into a ``read_only`` home."""
        for name in self._settings.models.pinned:
            if name != self._settings.models.default:
                self._begin(name, self._load_named)
        if self._settings.on_demand:
            return
        if name := self._settings.models.default:
            self._begin(name, self._load_named)
        elif candidates := self._candidates(entries, read_only):
            self._begin(candidates[0], self._load_any, candidates)

    async def retry(self, known: Callable[[str], Awaitable[object | None]]) -> None:
        """Loads models that could not be had at the start and are ``known`` now."""
        for name in [name for name, info in self._infos.items() if info.state == "failed"]:
            if await known(name):
                self._begin(name, self._load_named)
                self._publish()

    def _candidates(self, entries: list[CatalogueEntry], read_only: bool) -> list[str]:
        """What to serve where nothing is named, the best first."""
        if not entries:
            return [] if read_only else [FIRST_MODEL]
        able = [e for e in entries if not e.blob.info.unusable and "completion" in e.info.capabilities]
        newest_first = sorted(able, key=lambda entry: (entry.name != FIRST_MODEL, -entry.modified))
        return [entry.name for entry in newest_first] if self._settings.warm else []

    def _begin(self, name: str, work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        self._infos[name] = _loading(name, "opening")
        self._spawn(work, *(arguments or (name,)))

    async def _load_named(self, name: str) -> None:
        try:
            await self._obtain_and_load(name)
        except Unloaded as error:
            # As somebody wished, who uses the server: it goes on.
            log.warning("%s", error)
            self._infos.pop(name, None)
            self._publish()
        except Exception as error:
            info = error_info(error, self._home)
            why = error.why if isinstance(error, NoModelAtPath) else info.message
            if name in self._required:
                raise StartError(f"can't serve {name}: {why}") from None
            log.error("can't serve %s: %s", name, why)
            log.warning("the server goes on without %s, and loads it should it be pulled", name)
            self._infos[name] = EngineInfo("", name, "failed", error=info.message)
            self._publish()

    async def _load_any(self, candidates: list[str]) -> None:
        """Loads the first that can be. With none, the server is there for what is pulled."""
        for name, following in zip(candidates, [*candidates[1:], None], strict=True):
            if following is not None:
                # Before the other has failed: in between, the server would seem to want no model.
                self._infos[following] = _loading(following, f"{name} comes first")
            try:
                await self._obtain_and_load(name)
            except Exception as error:
                log.warning("can't serve %s, which nobody named: %s", name, error_info(error, self._home).message)
                self._infos.pop(name, None)
            else:
                if following is not None:
                    self._infos.pop(following, None)
                self._publish()
                return
        log.warning("no model is served; `mlxr pull %s` fetches one that runs", FIRST_MODEL)
        self._publish()

    async def _obtain_and_load(self, name: str) -> None:
        logged = PullLog(name, time.monotonic)

        def report(progress: Progress) -> None:
            logged.report(progress)
            fraction = progress.completed / progress.total if progress.total else 0.0
            self._infos[name] = _loading(name, progress.status, fraction)
            self._publish()

        entry = await self._obtain(name, report)
        self._infos.pop(name, None)
        # Until there is an engine, which says more, nobody must think that nothing is loading.
        self._infos[entry.name] = _loading(entry.name, "opening")
        try:
            await self._load(entry)
        finally:
            self._infos.pop(entry.name, None)


def _loading(name: str, stage: str, fraction: float = 0.0) -> EngineInfo:
    return EngineInfo("", name, "loading", fraction, stage)
