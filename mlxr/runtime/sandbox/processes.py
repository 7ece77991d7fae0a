"""A sandbox's processes, as their parent sees them: the zygote, and the workers that it forks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc

from mlxr.runtime import pacing
from mlxr.runtime.sandbox.channel import Channel, Gone
from mlxr.runtime.sandbox.limits import describe_end
from mlxr.runtime.sandbox.protocol import (
    EXTEND,
    FORK,
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

_ENVIRONMENT = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""One thread, since a fork takes no others along, and one arena, since others count against the address space."""


@dataclass(eq=False)
class Worker:
    """One worker process. ``status`` is its wait status once it has ended."""

    pid: int
    channel: Channel
    status: int | None = None
    ended: anyio.Event = field(default_factory=anyio.Event)
    killed_for: tuple[str, str] | None = None

    def kill(self, reason: str = "", text: str = "") -> None:
        """Ends it, if it has not ended, and its socket. With a ``reason``, that is what its task is told."""
        if reason:
            self.killed_for = reason, text
        if self.status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        self.channel.close()


class ZygoteProcess:
    """A running zygote process. Its control socket is read by one task for as long as it lives."""

    def __init__(self, process: anyio.abc.Process, control: socket.socket) -> None:
        self._process = process
        self._control = control
        self._channel = Channel(control)
        self._called: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._births: deque[asyncio.Future[int]] = deque()
        self._workers: dict[int, Worker] = {}
        self._early: dict[int, int] = {}
        self._fork_turn = anyio.Lock()
        self._reader = asyncio.ensure_future(self._read())
        self.alive = True

    @property
    def pid(self) -> int:
        return self._process.pid

    @classmethod
    async def start(cls, setup: Setup, run_directory: str = "") -> ZygoteProcess:
        """Returns a zygote that has prepared, as streams of the server in ``run_directory`` let it. Raises what
        preparing raised, or ``SandboxKilled``."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "mlxr.runtime.sandbox.zygote", str(theirs.fileno())]
            with await anyio.to_thread.run_sync(pacing.turn, run_directory) as turn:
                process = await anyio.open_process(
                    command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=None,
                    stderr=None,
                    pass_fds=[theirs.fileno(), *turn.descriptors],
                    env={**os.environ, **_ENVIRONMENT, **turn.environment},
                )
        zygote = cls(process, ours)
        try:
            await zygote._prepare(setup)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await zygote.close()
            raise
        return zygote

    async def extend(self, function: str) -> None:
        """Calls ``function`` in the zygote: workers forked from then on find what it has left. Raises what it raises,
        ``SandboxKilled``, or ``Gone`` if the zygote is."""
        async with self._fork_turn:
            if not self.alive:
                raise Gone
            self._called = asyncio.get_running_loop().create_future()
            await self._channel.send_raw(EXTEND + frame(encode(function)))
            _check(await self._called)

    async def _prepare(self, setup: Setup) -> None:
        report: Report | None = None
        try:
            with anyio.fail_after(setup.limits.seconds):
                with contextlib.suppress(Gone):
                    await self._channel.send(encode(setup))
                report = await self._called
        except TimeoutError:
            raise SandboxKilled("stalled", f"takes more than {setup.limits.seconds:g} s") from None
        except Gone:
            raise SandboxKilled(*describe_end(_wait_status(await self._process.wait()))) from None
        _check(report)

    async def fork(self) -> Worker:
        """Returns a new worker. Raises ``Gone`` if the zygote is."""
        ours, theirs = socket.socketpair()
        with theirs:
            async with self._fork_turn:
                birth: asyncio.Future[int] = asyncio.get_running_loop().create_future()
                self._births.append(birth)
                try:
                    if not self.alive:
                        raise Gone
                    socket.send_fds(self._control, [FORK], [theirs.fileno()])
                    # Not given up half-way: the worker would be nobody's.
                    with anyio.CancelScope(shield=True):
                        pid = await birth
                except (OSError, Gone) as error:
                    ours.close()
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
        if self._process.returncode is None:
            # Not by ``kill``, which looks whether the process has ended and so takes its status from asyncio, who then
            # complains on stderr.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
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
                    case _:
                        if not self._called.done():
                            self._called.set_result(report)
        except Gone:
            pass
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


def _wait_status(code: int) -> int:
    """Returns a process's exit code, as ``subprocess`` gives it, as a wait status."""
    return -code if code < 0 else code << 8
