"""The parent's side of a sandbox: keeps its zygote and its workers, and gives tasks to them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc

from mlxr.runtime.sandbox.limits import Limits, describe_end, resident, was_killed
from mlxr.runtime.sandbox.protocol import (
    FORK,
    LENGTH_BYTES,
    PREPARE_LIMITS,
    Broke,
    Died,
    Forked,
    Prepared,
    Raised,
    Report,
    Returned,
    SandboxKilled,
    Setup,
    Task,
    decode,
    encode,
    error_of,
    frame,
)
from mlxr.runtime.sandbox.protocol import Outcome as OutcomeType

WATCH_SECONDS = 0.05
"""Between two looks at a worker's memory, where the kernel does not hold it to its limit."""
LARGE_BYTES = 1 << 16
"""Of an argument, behind which other tasks of the loop get a turn before the next is encoded."""
_ENVIRONMENT = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""One thread, since a fork takes no others along, and one arena, since others count against the address space."""


class _Gone(Exception):  # noqa: N818  (reads as what happened)
    """The worker's end of a socket is closed."""


class _Channel:
    """Frames over a socket, without blocking the loop."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._loop = asyncio.get_running_loop()

    async def send(self, body: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._end, frame(body))
        except OSError as error:
            raise _Gone from error

    async def receive(self) -> bytes:
        return await self._read(int.from_bytes(await self._read(LENGTH_BYTES), "big"))

    async def _read(self, size: int) -> bytes:
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            try:
                count = await self._loop.sock_recv_into(self._end, view)
            except OSError as error:
                raise _Gone from error
            if not count:
                raise _Gone
            view = view[count:]
        return bytes(buffer)

    @property
    def open(self) -> bool:
        return self._end.fileno() >= 0

    def close(self) -> None:
        self._end.close()


@dataclass(eq=False)
class _Worker:
    """``status`` is its wait status once it has ended."""

    pid: int
    channel: _Channel
    status: int | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    killed_for: tuple[str, str] | None = None

    def kill(self, reason: str = "", text: str = "") -> None:
        """End it, if it has not ended, and its socket. With a ``reason``, that is what its task is told."""
        if reason:
            self.killed_for = reason, text
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.channel.close()


class _Zygote:
    """A running zygote process. Its control socket is read by one task for as long as it lives."""

    def __init__(self, process: anyio.abc.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._channel = _Channel(control)
        self._prepared: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._births: deque[asyncio.Future[int]] = deque()
        self._workers: dict[int, _Worker] = {}
        self._early: dict[int, int] = {}
        self._fork_turn = anyio.Lock()
        self._reader = asyncio.ensure_future(self._read())
        self.alive = True

    @classmethod
    async def start(cls, setup: Setup) -> _Zygote:
        """A zygote that has prepared. Raises what preparing raised, or ``SandboxKilled``."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "mlxr.runtime.sandbox.zygote", str(theirs.fileno())]
            process = await anyio.open_process(
                command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=None,
                stderr=None,
                pass_fds=[theirs.fileno()],
                env={**os.environ, **_ENVIRONMENT},
            )
        zygote = cls(process, ours)
        try:
            await zygote._prepare(setup)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await zygote.close()
            raise
        return zygote

    async def _prepare(self, setup: Setup) -> None:
        report: Report | None = None
        try:
            with anyio.fail_after(setup.limits.seconds):
                with contextlib.suppress(_Gone):
                    await self._channel.send(encode(setup))
                report = await self._prepared
        except TimeoutError:
            raise SandboxKilled("time", f"takes more than {setup.limits.seconds:g} s") from None
        except _Gone:
            raise SandboxKilled(*describe_end(_wait_status(await self._process.wait()))) from None
        if isinstance(report, Raised):
            raise error_of(report)
        if isinstance(report, Broke):
            raise SandboxKilled(report.reason, report.text)

    async def fork(self) -> _Worker:
        """A new worker. Raises ``_Gone`` if the zygote is."""
        ours, theirs = socket.socketpair()
        with theirs:
            async with self._fork_turn:
                birth: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._births.append(birth)
                try:
                    if not self.alive:
                        raise _Gone
                    socket.send_fds(self._control, [FORK], [theirs.fileno()])
                    # Not given up half-way: the worker would be nobody's.
                    with anyio.CancelScope(shield=True):
                        pid = await birth
                except (OSError, _Gone) as error:
                    ours.close()
                    raise _Gone from error
        worker = _Worker(pid, _Channel(ours))
        self._workers[pid] = worker
        if pid in self._early:
            self._end(worker, self._early.pop(pid))
        return worker

    async def close(self) -> None:
        for worker in list(self._workers.values()):
            worker.kill()
        self.alive = False
        self._reader.cancel()
        self._channel.close()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._process.aclose()

    async def _read(self) -> None:
        try:
            while True:
                report: Report = decode(await self._channel.receive(), Report)
                match report:
                    case Forked(pid):
                        self._births.popleft().set_result(pid)
                    case Died(pid, status):
                        if worker := self._workers.pop(pid, None):
                            self._end(worker, status)
                        else:
                            self._early[pid] = status
                    case Prepared() | Raised() | Broke():
                        if not self._prepared.done():
                            self._prepared.set_result(report)
        except _Gone:
            pass
        finally:
            self.alive = False
            waiting: list[asyncio.Future[Any]] = [self._prepared, *self._births]
            for future in waiting:
                if not future.done():
                    future.set_exception(_Gone())
                    # Marks it as looked at: often nobody waits.
                    future.exception()
            for worker in self._workers.values():
                worker.kill()
                worker.ended.set()

    def _end(self, worker: _Worker, status: int) -> None:
        self._workers.pop(worker.pid, None)
        worker.status = status
        worker.ended.set()


class Sandbox:
    """A zygote and its workers; one actor's. ``prepare`` (``module:function``) is called once in the zygote with
    ``settings`` as keywords, under ``prepare_limits``.

    At most ``workers`` tasks of one niceness run at once, the others wait for their turn.
    """

    def __init__(
        self,
        prepare: str = "",
        settings: dict[str, Any] | None = None,
        *,
        workers: int = 2,
        prepare_limits: Limits = PREPARE_LIMITS,
    ) -> None:
        self._setup = Setup(prepare, settings or {}, prepare_limits)
        self._workers = workers
        self._zygote: _Zygote | None = None
        self._starting = anyio.Lock()
        self._lanes: dict[int, anyio.Semaphore] = {}
        self._idle: dict[int, list[_Worker]] = {}
        self._closed = False

    async def start(self) -> None:
        """Start the zygote if it is not running. Raises what ``prepare`` raised, or ``SandboxKilled``."""
        async with self._starting:
            if self._zygote is not None and not self._zygote.alive:
                await self._zygote.close()
                self._zygote = None
                self._drop_idle()
            if self._zygote is None:
                self._zygote = await _Zygote.start(self._setup)

    async def close(self) -> None:
        """End all processes, whatever they are at."""
        self._closed = True
        with anyio.CancelScope(shield=True):
            async with self._starting:
                self._drop_idle()
                if self._zygote is not None:
                    await self._zygote.close()
                    self._zygote = None

    async def run(self, function: str, *arguments: Any, returns: Any, limits: Limits | None = None) -> Any:
        """What ``function`` (``module:function``) returns for ``arguments``, as the type ``returns``.

        Raises the function's own ``MlxrError``, or ``SandboxKilled``. Cancelled, it kills the worker.
        """
        limits = limits or Limits()
        lane = self._lanes.setdefault(limits.nice, anyio.Semaphore(self._workers))
        async with lane:
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

    async def _attempt(self, function: str, arguments: tuple[Any, ...], limits: Limits) -> OutcomeType:
        """The outcome of a task, which another worker gets once more if somebody else killed the first."""
        task = encode(Task(function, len(arguments), limits))
        again = True
        while True:
            async with self._worker(limits.nice) as worker:
                try:
                    await worker.channel.send(task)
                    for argument in arguments:
                        body = encode(argument)
                        await worker.channel.send(body)
                        if len(body) > LARGE_BYTES:
                            await asyncio.sleep(0)
                    outcome = await self._watch(worker, limits)
                except _Gone:
                    await worker.ended.wait()
                    if again and was_killed(worker.status):
                        again = False
                        continue
                    reason, text = worker.killed_for or describe_end(worker.status or 0)
                    if reason == "time":
                        text = f"takes more than {limits.cpu_seconds} s of processor time"
                    outcome = Broke(reason, text)
                if isinstance(outcome, Returned) and outcome.spent:
                    worker.kill()
                return outcome

    async def _watch(self, worker: _Worker, limits: Limits) -> OutcomeType:
        """What ``worker`` answers. Raises ``_Gone`` if it ends instead."""
        watch = asyncio.ensure_future(_watch_memory(worker, limits.memory)) if sys.platform == "darwin" else None
        try:
            with anyio.fail_after(limits.seconds):
                outcome: OutcomeType = decode(await worker.channel.receive(), OutcomeType)
        except TimeoutError:
            worker.kill()
            outcome = Broke("time", f"takes more than {limits.seconds:g} s")
        finally:
            if watch is not None:
                watch.cancel()
        return outcome

    @asynccontextmanager
    async def _worker(self, nice: int) -> AsyncIterator[_Worker]:
        """A worker for one task, which is kept for the next one if it is still good."""
        idle = self._idle.setdefault(nice, [])
        worker: _Worker | None = None
        while idle and worker is None:
            worker = idle.pop()
            if worker.ended.is_set():
                worker.kill()
                worker = None
        while worker is None:
            await self.start()
            assert self._zygote is not None
            with contextlib.suppress(_Gone):
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


async def _watch_memory(worker: _Worker, limit: int) -> None:
    base = resident(worker.pid)
    while True:
        await anyio.sleep(WATCH_SECONDS)
        if resident(worker.pid) > base + limit:
            worker.kill("memory", "takes too much memory")
            return


def _wait_status(code: int) -> int:
    """A process's exit code, as ``subprocess`` gives it, as a wait status."""
    return -code if code < 0 else code << 8
