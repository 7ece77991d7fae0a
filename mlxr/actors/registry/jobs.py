"""Pulls in progress: whoever asks for a model that is being pulled joins in, and the last to leave ends the pull."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio

from mlxr.actors.registry.pull import Progress, Report
from mlxr.actors.registry.record import Record
from mlxr.models import names
from mlxr.runtime.errors import PullError

Fetch = Callable[[str, Report], Awaitable[Record]]
Spawn = Callable[[Callable[..., Coroutine[Any, Any, None]], Any], None]


class _Job:
    """One pull, and who listens to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.scope = anyio.CancelScope()
        self.done = anyio.Event()
        self.listeners: list[Report] = []
        self.record: Record | None = None
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


class Pulls:
    """``fetch`` does the work; ``spawn`` runs it beside whoever waits for it."""

    def __init__(self, fetch: Fetch, spawn: Spawn) -> None:
        self._fetch = fetch
        self._spawn = spawn
        self._jobs: dict[str, _Job] = {}

    async def pull(self, name: str, report: Report) -> Record:
        """Pull ``name``, or wait for the pull of it that runs; raises what the pull raises. Cancelled, it leaves."""
        key = names.key(name)
        job = self._jobs.get(key)
        if job is None or job.scope.cancel_called:
            job = self._jobs[key] = _Job(name)
            self._spawn(self._run, job)
        job.join(report)
        try:
            await job.done.wait()
        finally:
            job.leave(report)
        if job.record is None:
            raise job.error or PullError(f"the pull of {name} was cancelled")
        return job.record

    async def _run(self, job: _Job) -> None:
        try:
            with job.scope:
                job.record = await self._fetch(job.name, job.report)
        except Exception as error:
            job.error = error
        finally:
            if self._jobs.get(names.key(job.name)) is job:
                del self._jobs[names.key(job.name)]
            job.done.set()
