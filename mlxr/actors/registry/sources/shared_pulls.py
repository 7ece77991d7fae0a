"""Pulls in progress: whoever asks for a model that is being pulled joins in, and the last to leave ends the pull."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio

from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.progress import Progress, Report
from mlxr.models import names
from mlxr.runtime.errors import PullError

Fetch = Callable[[str, Report], Awaitable[CatalogueEntry]]
Spawn = Callable[[Callable[..., Coroutine[Any, Any, None]], Any], None]


class _SharedPull:
    """One pull, and who listens to it."""

    def __init__(self, name: str, fetch: Fetch) -> None:
        self.name = name
        self.fetch = fetch
        self.scope = anyio.CancelScope()
        self.done = anyio.Event()
        self.listeners: list[Report] = []
        self.entry: CatalogueEntry | None = None
        self.error: Exception | None = None
        self._last: Progress | None = None

    def report(self, progress: Progress) -> None:
        self._last = progress
        for listener in self.listeners:
            listener(progress)

    def join(self, listener: Report) -> None:
        self.listeners.append(listener)
        if self._last is not None:
            listener(self._last)

    def leave(self, listener: Report) -> None:
        self.listeners.remove(listener)
        if not self.listeners:
            self.scope.cancel()


class SharedPulls:
    """Owns the pulls in progress, one for each name.

    fetch: does the work.
    spawn: runs it beside whoever waits for it.
    """

    def __init__(self, fetch: Fetch, spawn: Spawn) -> None:
        self._fetch = fetch
        self._spawn = spawn
        self._pulls: dict[str, _SharedPull] = {}

    async def pull(self, name: str, report: Report, fetch: Fetch | None = None) -> CatalogueEntry:
        """Pulls ``name``, or waits for the pull of it that runs; raises what the pull raises. Cancelled, it leaves.
        ``fetch``: does the work, where it is to be done in another way than usual."""
        key = names.key(name)
        pull = self._pulls.get(key)
        if pull is None or pull.scope.cancel_called:
            pull = self._pulls[key] = _SharedPull(name, fetch or self._fetch)
            self._spawn(self._run, pull)
        pull.join(report)
        try:
            await pull.done.wait()
        finally:
            pull.leave(report)
        if pull.entry is None:
            raise pull.error or PullError(f"the pull of {name} was cancelled")
        return pull.entry

    async def _run(self, pull: _SharedPull) -> None:
        try:
            with pull.scope:
                pull.entry = await pull.fetch(pull.name, pull.report)
        except Exception as error:
            pull.error = error
        finally:
            if self._pulls.get(names.key(pull.name)) is pull:
                del self._pulls[names.key(pull.name)]
            pull.done.set()
