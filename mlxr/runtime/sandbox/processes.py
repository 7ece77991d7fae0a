"""A sandbox's processes, as their parent sees them: the zygote, and the workers that it forks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from mlxr.runtime import pacing
from mlxr.runtime.first_processes import zygote_command, zygote_environment
from mlxr.runtime.sandbox.channel import Channel, Gone
from mlxr.runtime.sandbox.limits import describe_end
from mlxr.runtime.sandbox.protocol import (
    EXTEND,
    FORK,
    NEST,
    Broke,
    Died,
    Forked,
    Raised,
    Report,
    SandboxKilled,
    Setup,
    decode,
    encode,
    error_of,
    frame,
)
from mlxr.runtime.started_process import StartedProcess


@dataclass(eq=False)
class Worker:
    """One worker process. ``status`` is its wait status once it has ended; None where its zygote was gone before that:
    then it was killed."""

    pid: int
    channel: Channel
    status: int | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    killed_for: tuple[str, str] | None = None

    def kill(self, reason: str = "", text: str = "") -> None:
        """Ends it, if it has not ended, and its socket. With a ``reason``, that is what its task is told."""
        if reason:
            self.killed_for = reason, text
        if not self.ended.is_set():  # else its number may be somebody else's by now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.channel.close()


class ProcessHandle(Protocol):
    """What keeps a zygote's process."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None:
        """Ends it, if it has not ended."""

    async def wait(self) -> int:
        """Returns its wait status once it has ended."""
        ...

    async def reap(self) -> None:
        """Leaves nothing of it behind; to be called when it was killed."""
        ...


class ChildProcess:
    """A process that this one has started."""

    def __init__(self, process: StartedProcess) -> None:
        self._process = process
        self.pid = process.pid

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        return wait_status(await self._process.wait())

    async def reap(self) -> None:
        await self._process.wait()
        await self._process.aclose()


class NestedProcess:
    """A process that another zygote has forked."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self.pid = worker.pid

    def kill(self) -> None:
        self._worker.kill()

    async def wait(self) -> int:
        await self._worker.ended.wait()
        return signal.SIGKILL if self._worker.status is None else self._worker.status

    async def reap(self) -> None:
        """Its parent does that; one that is stopped says nothing, and nobody waits for it."""


@contextlib.contextmanager
def _closed_unless_kept(end: socket.socket) -> Iterator[None]:
    """Closes the socket where what should keep it fails or is cancelled."""
    try:
        yield
    except BaseException:
        end.close()
        raise


class ZygoteProcess:
    """A running zygote process. Its control socket is read by one task for as long as it lives.

    ``hear_end``: is called where it ends and nobody has closed it."""

    def __init__(self, process: ProcessHandle, channel: Channel, hear_end: Callable[[], None] = lambda: None) -> None:
        self._process = process
        self._channel = channel
        self._called: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._births: deque[asyncio.Future[int]] = deque()
        self._workers: dict[int, Worker] = {}
        self._early: dict[int, int] = {}
        self._hear_end = hear_end
        self._fork_turn = anyio.Lock()
        self._reader = asyncio.ensure_future(self._read())
        self.alive = True

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, setup: Setup, run_directory: str = "", nested: Worker | None = None) -> ZygoteProcess:
        """Returns a zygote that has prepared, as streams of the server in ``run_directory`` let it. ``nested``: what
        another zygote has forked for it. Raises what preparing raised, or ``SandboxKilled``."""
        if nested is not None:
            zygote = cls(NestedProcess(nested), nested.channel)
        else:
            zygote = await cls._open(run_directory)
        try:
            await zygote.prepare(setup)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await zygote.close()
            raise
        return zygote

    @classmethod
    async def _open(cls, run_directory: str) -> ZygoteProcess:
        with await anyio.to_thread.run_sync(pacing.turn, run_directory) as turn:
            ours, theirs = socket.socketpair()
            with theirs, _closed_unless_kept(ours):
                process = subprocess.Popen(  # noqa: ASYNC220  (it blocks less than what does not: started_process.py)
                    zygote_command(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno(), *turn.descriptors],
                    env=zygote_environment(turn.environment),
                    start_new_session=True,
                )
        return cls(ChildProcess(StartedProcess(process)), Channel(ours))

    async def extend(self, function: str) -> None:
        """Calls ``function`` in the zygote: workers forked from then on find what it has left. Raises what it raises,
        ``SandboxKilled``, or ``Gone`` if the zygote is."""
        async with self._fork_turn:
            if not self.alive:
                raise Gone
            self._called = asyncio.get_running_loop().create_future()
            await self._channel.send_raw(EXTEND + frame(encode(function)))
            _check(await self._called)

    async def prepare(self, setup: Setup, *, told: bool = False) -> None:
        """Returns when it has prepared. ``told``: it knows its setup. Raises what preparing raised, or
        ``SandboxKilled``."""
        report: Report | None = None
        try:
            with anyio.fail_after(setup.limits.seconds):
                with contextlib.suppress(Gone):
                    if not told:
                        await self._channel.send(encode(setup))
                report = await self._called
        except TimeoutError:
            raise SandboxKilled("stalled", f"takes more than {setup.limits.seconds:g} s") from None
        except Gone:
            raise SandboxKilled(*describe_end(await self._process.wait())) from None
        _check(report)

    async def fork(self) -> Worker:
        """Returns a new worker. Raises ``Gone`` if the zygote is."""
        return await self._child(FORK)

    async def nest(self) -> Worker:
        """Returns a new zygote, which is still to be told its setup. Raises ``Gone`` if this one is or can't fork."""
        return await self._child(NEST)

    async def _child(self, order: bytes) -> Worker:
        ours, theirs = socket.socketpair()
        with theirs, _closed_unless_kept(ours):
            async with self._fork_turn:
                birth: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._births.append(birth)
                try:
                    if not self.alive:
                        raise Gone
                    self._channel.pass_descriptor(order, theirs.fileno())
                    # Not given up half-way: the worker would be nobody's.
                    with anyio.CancelScope(shield=True):
                        pid = await birth
                except (OSError, Gone) as error:
                    raise Gone from error
        worker = Worker(pid, Channel(ours))
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
        self._process.kill()
        await self._process.reap()

    async def _read(self) -> None:
        try:
            while True:
                report: Report = decode(await self._channel.receive(), Report)
                match report:
                    case Forked(0):
                        self._births.popleft().set_exception(Gone())
                    case Forked(pid):
                        self._births.popleft().set_result(pid)
                    case Died(pid, status):
                        if worker := self._workers.pop(pid, None):
                            self._end(worker, status)
                        else:
                            self._early[pid] = status
                    case _:
                        if not self._called.done():
                            self._called.set_result(report)
        except Gone:
            self._hear_end()
        finally:
            self.alive = False
            waiting: list[asyncio.Future[Any]] = [self._called, *self._births]
            for future in waiting:
                if not future.done():
                    future.set_exception(Gone())
                    # Marks it as looked at: often nobody waits.
                    future.exception()
            for worker in self._workers.values():
                worker.kill()
                worker.ended.set()
        # It ends by itself once nobody hears it, and would stay a zombie until somebody looked for its status.
        await self._process.reap()

    def _end(self, worker: Worker, status: int) -> None:
        self._workers.pop(worker.pid, None)
        worker.status = status
        worker.ended.set()


def _check(report: Report | None) -> None:
    """Raises what the zygote says went wrong."""
    if isinstance(report, Raised):
        raise error_of(report)
    if isinstance(report, Broke):
        raise SandboxKilled(report.reason, report.text)


def wait_status(code: int) -> int:
    """Returns a process's exit code, as ``subprocess`` gives it, as a wait status."""
    return -code if code < 0 else code << 8
