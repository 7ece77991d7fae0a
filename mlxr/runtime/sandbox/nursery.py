"""The nursery: a zygote of zygotes, which a server starts first of all.

Importing what zygotes need takes each of them some tenths of a second. The nursery imports what they share, once and
beside the server's own imports; a zygote forked from it has only its model to load, and shares its memory. It never
looks at what strangers wrote.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess

import anyio

from mlxr.runtime.errors import MlxrError
from mlxr.runtime.sandbox.channel import Channel, Gone
from mlxr.runtime.sandbox.processes import Worker, ZygoteProcess, wait_status
from mlxr.runtime.sandbox.protocol import Setup, encode, frame

ANSWER_SECONDS = 30.0
"""What a nursery that has prepared may take to fork, which it mostly does in milliseconds. One that takes longer is
stopped, or has lost its memory to others: nobody's load waits for it."""


class Nursery:
    """Owns the process, which was started before there was a loop and is told here to import what ``prepare``
    (``module:function``) does. Its methods are for one loop's tasks."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, prepare: str) -> None:
        self._process, self._control = process, control
        self._setup = Setup(prepare)
        self._zygote: ZygoteProcess | None = None
        self._adopting = anyio.Lock()
        with contextlib.suppress(OSError):  # it has ended, as is found out
            control.sendall(frame(encode(self._setup)))

    @property
    def pid(self) -> int:
        return self._process.pid

    async def fork(self) -> Worker | None:
        """Returns a zygote that is still to be told its setup, as soon as there can be one; None where the nursery has
        ended, can't fork now, or says nothing and is ended for it."""
        async with self._adopting:
            if self._zygote is None:
                self._zygote = ZygoteProcess(_StartedProcess(self._process), Channel(self._control))
                with contextlib.suppress(MlxrError):
                    await self._zygote.prepare(self._setup, told=True)
        too_late = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self.kill)
        try:
            return await self._zygote.nest()
        except Gone:
            return None
        finally:
            too_late.cancel()

    def kill(self) -> None:
        """Ends it, whatever it is at; from any thread."""
        self._process.kill()

    async def close(self) -> None:
        """Ends it, and all that were forked from it."""
        if self._zygote is not None:
            await self._zygote.close()
        else:
            self._control.close()
            self._process.kill()
            self._process.wait()


class _StartedProcess:
    """A process that was started before there was a loop."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def kill(self) -> None:
        self._process.kill()

    async def wait(self) -> int:
        return wait_status(await anyio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True))

    async def reap(self) -> None:
        await self.wait()
