"""Processes of single actors, as their supervisor starts, orders and ends them; ``host`` is the other side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import anyio
import anyio.abc
import msgspec

from mlxr.runtime import pacing
from mlxr.runtime.host import STOP, Assignment, Prepare

STOP_SECONDS = 0.4
"""What a process gets to end in order before it is killed."""


async def open_process(label: str, run_directory: str) -> anyio.abc.Process:
    """``label`` is for people who look at the list of processes; what to do goes over standard input. The process
    starts as streams of the server in ``run_directory`` let it (``pacing``)."""
    command = [sys.executable, "-m", "mlxr.runtime.host", label]
    # A session of its own: what a terminal or a shell sends to the whole group, the main process decides about.
    with await anyio.to_thread.run_sync(pacing.turn, run_directory) as turn:
        return await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=None,
            stderr=None,
            env={**os.environ, **turn.environment},
            pass_fds=turn.descriptors,
            start_new_session=True,
        )


async def send_order(process: anyio.abc.Process, order: Prepare | Assignment) -> None:
    assert process.stdin is not None
    await process.stdin.send(msgspec.json.encode(order) + b"\n")


async def end_process(process: anyio.abc.Process) -> None:
    """Asks a process to end, and kill it if it has not within ``STOP_SECONDS``."""
    with anyio.CancelScope(shield=True):
        with anyio.move_on_after(STOP_SECONDS):
            try:
                assert process.stdin is not None
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
