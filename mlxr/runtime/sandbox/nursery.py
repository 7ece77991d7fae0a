"""The nursery: a zygote of zygotes, which a server starts first of all.

Importing what zygotes need takes each of them some tenths of a second. The nursery imports what they share, once and
beside the server's own imports; a zygote forked from it has only its model to load, and shares its memory. It never
looks at what strangers wrote.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess

import anyio

from mlxr.runtime.errors import MlxrError
from mlxr.runtime.sandbox.channel import Channel, Gone
from mlxr.runtime.sandbox.processes import ChildProcess, Worker, ZygoteProcess
from mlxr.runtime.sandbox.protocol import Setup
from mlxr.runtime.started_process import StartedProcess

log = logging.getLogger("mlxr.sandbox")

ANSWER_SECONDS = 30.0
"""What a nursery that has prepared may take to fork, which it mostly does in milliseconds. One that takes longer is
stopped, or has lost its memory to others: nobody's load waits for it."""


class Nursery:
    """Owns the process, which was started before there was a loop and told what to prepare (``first_processes.py``).
    Its methods are for one loop's tasks."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self._process, self._control = StartedProcess(process), control
        self._zygote: ZygoteProcess | None = None
        self._adopting = anyio.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    async def fork(self) -> Worker | None:
        """Returns a zygote that is still to be told its setup, as soon as there can be one; None where the nursery has
        ended, can't fork now, or says nothing and is ended for it. The log says which."""
        async with self._adopting:
            if self._zygote is None:
                child, channel = ChildProcess(self._process), Channel(self._control)
                self._zygote = ZygoteProcess(child, channel, hear_end=self._tell_end)
                try:
                    await self._zygote.prepare(Setup(), told=True)
                except MlxrError as error:
                    log.warning("the nursery can't prepare: %s", error)
        too_late = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._give_up)
        try:
            return await self._zygote.nest()
        except Gone:
            if self._zygote.alive:
                log.warning("the nursery can't fork; a zygote starts by itself")
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
            await self._process.wait()

    def _give_up(self) -> None:
        log.warning("the nursery has not answered for %g s and is ended", ANSWER_SECONDS)
        self.kill()

    def _tell_end(self) -> None:
        log.warning("the nursery (process %d) has ended; zygotes start by themselves from now on", self.pid)
