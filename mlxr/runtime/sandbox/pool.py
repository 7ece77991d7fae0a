"""The parent's side of a sandbox: keeps its processes, and gives tasks to them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from mlxr.runtime.fair_lock import FairLock
from mlxr.runtime.sandbox.channel import Channel, Gone
from mlxr.runtime.sandbox.limits import TaskLimits, describe_end, resident, was_killed
from mlxr.runtime.sandbox.nursery import Nursery
from mlxr.runtime.sandbox.processes import Worker, ZygoteProcess
from mlxr.runtime.sandbox.protocol import (
    PREPARE_LIMITS,
    Broke,
    Outcome,
    Raised,
    Returned,
    SandboxKilled,
    Setup,
    Task,
    decode,
    encode,
    error_of,
    frame,
)

log = logging.getLogger("mlxr.sandbox")

WATCH_SECONDS = 0.05
"""Between two looks at a worker's memory, where the kernel does not hold it to its limit."""
LARGE_BYTES = 1 << 16
"""Of arguments, behind which they are sent, and other tasks of the loop get a turn before the next is encoded."""


class Sandbox:
    """A zygote and its workers; one actor's. ``prepare`` (``module:function``) is called once in the zygote with
    ``settings`` as keywords, under ``prepare_limits``, and makes way for the streams of the server in
    ``run_directory``, if that is given. ``nursery``: what the zygote is forked from; else it is started.

    At most ``workers`` tasks of one niceness run at once, of which ``share`` may be one client's (0 for all); the
    others wait for their turn, clients by turns.
    """

    def __init__(
        self,
        prepare: str = "",
        settings: dict[str, Any] | None = None,
        *,
        workers: int = 2,
        share: int = 0,
        prepare_limits: TaskLimits = PREPARE_LIMITS,
        run_directory: str = "",
        nursery: Nursery | None = None,
    ) -> None:
        self._run_directory, self._nursery = run_directory, nursery
        self._setup = Setup(prepare, settings or {}, prepare_limits)
        self._workers, self._share = workers, share
        self._zygote: ZygoteProcess | None = None
        self._starting = anyio.Lock()
        self._extensions: list[str] = []
        self._extending = anyio.Lock()
        self._lanes: dict[int, FairLock] = {}
        self._idle: dict[int, list[Worker]] = {}
        self._closed = False

    @property
    def process(self) -> int:
        """The zygote's process id, 0 while there is none."""
        return self._zygote.pid if self._zygote is not None else 0

    async def start(self) -> None:
        """Starts the zygote if it is not running. Raises what ``prepare`` raised, or ``SandboxKilled``."""
        async with self._starting:
            if self._zygote is not None and not self._zygote.alive:
                log.warning("a sandbox's zygote (process %d) has ended; another takes its place", self._zygote.pid)
                await self._zygote.close()
                self._zygote = None
                self._drop_idle()
            if self._zygote is None:
                nested = await self._nursery.fork() if self._nursery is not None else None
                self._zygote = await ZygoteProcess.start(self._setup, self._run_directory, nested)
                for function in self._extensions:
                    await self._zygote.extend(function)

    async def extend(self, function: str) -> None:
        """Has ``function`` (``module:function``, without arguments) called once in the zygote, unless it was already.
        Tasks begun from then on find what it has left. Raises what it raises, or ``SandboxKilled``."""
        await self.start()
        async with self._extending:
            if function in self._extensions or self._zygote is None:
                return
            try:
                await self._zygote.extend(function)
            except Gone:
                raise SandboxKilled("crash", "ended the process that prepares for it") from None
            self._extensions.append(function)
            self._drop_idle()

    async def close(self) -> None:
        """Ends all processes, whatever they are at."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            async with self._starting:
                self._drop_idle()
                if self._zygote is not None:
                    await self._zygote.close()
                    self._zygote = None

    async def run(
        self, function: str, *arguments: Any, returns: Any, limits: TaskLimits | None = None, client: str | None = None
    ) -> Any:
        """Returns what ``function`` (``module:function``) returns for ``arguments``, as the type ``returns``.

        Raises the function's own ``MlxrError``, or ``SandboxKilled``. Cancelled, it kills the worker.
        """
        limits = limits or TaskLimits()
        lane = self._lanes.setdefault(limits.nice, FairLock(self._workers, self._share))
        async with lane.held_by(client):
            outcome = await self._attempt(function, arguments, limits)
        match outcome:
            case Returned(value):
                return decode(value, returns)
            case Raised():
                raise error_of(outcome)
            case Broke(reason, text):
                raise SandboxKilled(reason, text)

    def _drop_idle(self) -> None:
        for worker in [worker for lane in self._idle.values() for worker in lane]:
            worker.kill()
        self._idle.clear()

    async def _attempt(self, function: str, arguments: tuple[Any, ...], limits: TaskLimits) -> Outcome:
        """Returns the outcome of a task, which another worker gets once more if somebody else killed the first."""
        task = encode(Task(function, len(arguments), limits))
        again = True
        while True:
            async with self._worker(limits.nice) as worker:
                try:
                    await _send(worker.channel, task, arguments)
                    outcome = await self._watch(worker, limits)
                except Gone:
                    await worker.ended.wait()
                    if again and (worker.status is None or was_killed(worker.status)):
                        again = False
                        continue
                    reason, text = worker.killed_for or describe_end(worker.status or 0)
                    if reason == "time":
                        text = f"takes more than {limits.cpu_seconds} s of processor time"
                    outcome = Broke(reason, text)
                if isinstance(outcome, Returned) and outcome.spent:
                    worker.kill()
                return outcome

    async def _watch(self, worker: Worker, limits: TaskLimits) -> Outcome:
        """Returns what ``worker`` answers. Raises ``Gone`` if it ends instead."""
        watch = asyncio.ensure_future(_watch_memory(worker, limits.memory)) if sys.platform == "darwin" else None
        try:
            with anyio.fail_after(limits.seconds):
                outcome: Outcome = decode(await worker.channel.receive(), Outcome)
        except TimeoutError:
            worker.kill()
            outcome = Broke("stalled", f"takes more than {limits.seconds:g} s")
        finally:
            if watch is not None:
                watch.cancel()
        return outcome

    @asynccontextmanager
    async def _worker(self, nice: int) -> AsyncIterator[Worker]:
        """A worker for one task, which is kept for the next one if it is still good."""
        idle = self._idle.setdefault(nice, [])
        worker: Worker | None = None
        while idle and worker is None:
            worker = idle.pop()
            if worker.ended.is_set():
                worker.kill()
                worker = None
        while worker is None:
            await self.start()
            assert self._zygote is not None
            with contextlib.suppress(Gone):
                worker = await self._zygote.fork()
        try:
            yield worker
        except BaseException:
            worker.kill()
            raise
        if worker.ended.is_set() or not worker.channel.open or self._closed:
            worker.kill()
        else:
            self._idle.setdefault(nice, []).append(worker)


async def _send(channel: Channel, task: bytes, arguments: tuple[Any, ...]) -> None:
    """Sends a task, small arguments together with it: each piece wakes the worker."""
    unsent = bytearray(frame(task))
    for argument in arguments:
        unsent += frame(encode(argument))
        if len(unsent) > LARGE_BYTES:
            await channel.send_raw(unsent)
            await asyncio.sleep(0)
            unsent = bytearray()
    if unsent:
        await channel.send_raw(unsent)


async def _watch_memory(worker: Worker, limit: int) -> None:
    base = resident(worker.pid)
    while True:
        await anyio.sleep(WATCH_SECONDS)
        if resident(worker.pid) > base + limit:
            worker.kill("memory", "takes too much memory")
            return
