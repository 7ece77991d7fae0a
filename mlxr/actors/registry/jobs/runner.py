"""Runs jobs: each in a task of its own, in its turn, told to the frontend as it goes, noted on the disk."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from msgspec.structs import replace

from mlxr.actors.registry.client_errors import error_info
from mlxr.actors.registry.jobs.files import JobFiles
from mlxr.actors.registry.jobs.rate import Rate
from mlxr.actors.registry.jobs.record import JobRecord, Outcome, again, ended, interrupted, new_record, started
from mlxr.actors.registry.progress import Progress, Report
from mlxr.api.errors import invalid
from mlxr.api.jobs import Job, JobChanges
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.registry import ConvertModel, CreateModel, Work

log = logging.getLogger("mlxr.registry")

Perform = Callable[[Work, Report], Awaitable[Outcome]]

TELL_SECONDS = 0.25
NOTE_SECONDS = 3.0
"""How often progress is told, and noted on the disk."""
MOST_KEPT = 50
"""Jobs that have ended and are remembered."""
MOST_AT_WORK, MOST_MAKING = 4, 1
"""Jobs at once; of those that compute, which have the processors to themselves anyway."""


class Jobs:
    """Owns all jobs of a server.

    perform: does the work.
    spawn: starts a task.
    tell: hears what has changed.
    files: where they outlive the server.
    home: whose paths errors are told without.
    """

    def __init__(
        self,
        perform: Perform,
        spawn: Callable[..., Any],
        tell: Callable[[JobChanges], None],
        files: JobFiles,
        home: Path,
    ) -> None:
        self._perform, self._spawn, self._tell = perform, spawn, tell
        self._files, self._home = files, home
        self._records: dict[str, JobRecord] = {}
        self._scopes: dict[str, anyio.CancelScope] = {}
        self._changed: set[str] = set()
        self._noted: dict[str, float] = {}
        self._writing = anyio.Lock()
        self._slots = {False: anyio.Semaphore(MOST_AT_WORK), True: anyio.Semaphore(MOST_MAKING)}

    @property
    def working(self) -> bool:
        return bool(self._scopes)

    async def recover(self) -> None:
        """Takes over what earlier servers have left; what was at work is interrupted."""
        for record in await to_thread.run_sync(self._files.read):
            job = interrupted(record.job, time.time()) if record.job.going_on else record.job
            self._records[job.id] = JobRecord(job, record.work, self._files.server)
            if job != record.job:
                await self._note(job.id)
        self.tell_all()

    def tell_all(self) -> None:
        self._tell(JobChanges([record.job for record in self._records.values()], whole=True))

    def start(self, work: Work) -> Job:
        """Begins ``work``, unless a job is at it."""
        for record in self._records.values():
            if record.work == work and record.job.going_on:
                return record.job
        record = new_record(work, self._files.server, time.time())
        self._records[record.job.id] = record
        self._forget_old()
        return self._begin(record)

    def control(self, id: str, action: str) -> Job:
        """Raises ``RequestError`` for a job that is not there, or where that makes no sense."""
        record = self._records.get(id)
        if record is None:
            message = f"there is no job {id[:80]!r}; it was removed, or belongs to another server"
            raise RequestError(ErrorInfo(ErrorCode.MODEL_NOT_FOUND, message, "job"))
        job = record.job
        if action == "retry":
            return self._begin(replace(record, job=again(job)))
        if action == "cancel":
            if (scope := self._scopes.get(id)) is None:
                raise invalid(f"{id} has ended already", "action")
            scope.cancel()
        elif job.going_on:
            raise invalid(f"{id} is at work; cancel it first", "job")
        else:
            self._forget(id)
        return job

    def _begin(self, record: JobRecord) -> Job:
        id = record.job.id
        self._records[id] = record
        # Now, and not in the task: a cancel may come before that has begun.
        self._scopes[id] = anyio.CancelScope()
        self._change(record.job)
        # Before whoever asked has an answer: then they may look.
        self._tell_now()
        self._spawn(self._run, id)
        return record.job

    async def _run(self, id: str) -> None:
        scope, work = self._scopes[id], self._records[id].work
        outcome: Outcome | None = None
        error: ErrorInfo | None = None
        await self._note(id)
        with scope:
            async with self._slots[isinstance(work, ConvertModel | CreateModel)]:
                self._change(started(self._records[id].job, time.time()))
                try:
                    outcome = await self._perform(work, self._reporter(id))
                except Exception as raised:
                    error = error_info(raised, self._home)
        job = ended(self._records[id].job, time.time(), outcome, error)
        del self._scopes[id]
        self._change(job)
        log.info("%s of %s: %s", job.kind, job.model, job.error or job.state)
        await self._note(id)

    def _reporter(self, id: str) -> Report:
        rate = Rate()

        def report(progress: Progress) -> None:
            speed, left = rate.take(progress, time.monotonic())
            job = replace(
                self._records[id].job,
                status=progress.status,
                total=progress.total,
                completed=progress.completed,
                rate=speed,
                seconds_left=left,
            )
            self._change(job)

        return report

    def _change(self, job: Job) -> None:
        self._records[job.id] = replace(self._records[job.id], job=job)
        if not self._changed:
            self._spawn(self._tell_soon)
        self._changed.add(job.id)

    async def _tell_soon(self) -> None:
        """What changes often is told now and then; what begins or ends, with the first."""
        await anyio.sleep(TELL_SECONDS if all(self._under_way(id) for id in self._changed) else 0)
        now = time.monotonic()
        for job in self._tell_now():
            if job.going_on and now - self._noted.get(job.id, now) > NOTE_SECONDS:
                await self._note(job.id)

    def _tell_now(self) -> list[Job]:
        changed, self._changed = self._changed, set()
        jobs = [self._records[id].job for id in changed if id in self._records]
        if changed:
            self._tell(JobChanges(jobs, [id for id in changed if id not in self._records]))
        return jobs

    def _under_way(self, id: str) -> bool:
        record = self._records.get(id)
        return record is not None and record.job.state == "running" and bool(record.job.status)

    async def _note(self, id: str) -> None:
        """Writes down how a job stands. One at a time, so that the last word stays."""
        self._noted[id] = time.monotonic()
        async with self._writing:
            if record := self._records.get(id):
                await to_thread.run_sync(self._files.write, record)

    def _forget_old(self) -> None:
        over = [record.job.id for record in self._records.values() if not record.job.going_on]
        for id in over[: max(0, len(self._records) - MOST_KEPT)]:
            self._forget(id)

    def _forget(self, id: str) -> None:
        del self._records[id]
        self._noted.pop(id, None)
        self._changed.add(id)
        self._tell_now()
        self._spawn(self._remove, id)

    async def _remove(self, id: str) -> None:
        async with self._writing:
            await to_thread.run_sync(self._files.remove, id)
