"""Processes of single actors, as their supervisor starts, orders and ends them; ``host`` is the other side."""

from __future__ import annotations

import os
import signal
import subprocess
from types import TracebackType

import anyio

from mlxr.runtime import pacing
from mlxr.runtime.first_processes import HOST_ENVIRONMENT, Prepare, host_command, order_line
from mlxr.runtime.host import STOP, Assignment
from mlxr.runtime.started_process import StartedProcess

STOP_SECONDS = 0.4
"""What a process gets to end in order before it is killed."""


class ActorProcess(StartedProcess):
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(process)
        self.stdin = _Stdin(process)

    async def aclose(self) -> None:
        self.stdin.close()
        await super().aclose()

    async def __aenter__(self) -> ActorProcess:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


class _Stdin:
    """What is written fits into the pipe, so that nobody waits."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        self._pipe = process.stdin

    def write(self, line: bytes) -> None:
        """Raises ``anyio.BrokenResourceError`` where nobody reads it any more."""
        try:
            self._pipe.write(line)
        except (OSError, ValueError) as error:
            raise anyio.BrokenResourceError from error

    async def send(self, line: bytes) -> None:
        self.write(line)

    def close(self) -> None:
        self._pipe.close()


async def open_process(label: str, run_directory: str) -> ActorProcess:
    """``label`` is for people who look at the list of processes; what to do goes over standard input. The process
    starts as streams of the server in ``run_directory`` let it (``pacing``)."""
    # A session of its own: what a terminal or a shell sends to the whole group, the main process decides about.
    with await anyio.to_thread.run_sync(pacing.turn, run_directory) as turn:
        process = subprocess.Popen(  # noqa: ASYNC220  (it blocks less than what does not: started_process.py)
            host_command(label),
            stdin=subprocess.PIPE,
            bufsize=0,
            env={**HOST_ENVIRONMENT, **os.environ, **turn.environment},
            pass_fds=turn.descriptors,
            start_new_session=True,
        )
    return ActorProcess(process)


async def send_order(process: ActorProcess, order: Prepare | Assignment) -> None:
    await process.stdin.send(order_line(order))


async def end_process(process: ActorProcess) -> None:
    """Asks a process to end, and kill it if it has not within ``STOP_SECONDS``."""
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(STOP_SECONDS):
            try:
                await process.stdin.send(STOP)
                await process.wait()
            except (anyio.BrokenResourceError, anyio.ClosedResourceError):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


def describe_exit(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit status {code}"
