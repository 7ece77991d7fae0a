"""A sandbox's processes, as their parent sees them."""

from __future__ import annotations

import signal
import socket

import anyio

from mlxr.runtime.sandbox.channel import Channel
from mlxr.runtime.sandbox.processes import Worker


async def test_what_has_ended_is_not_killed_again_as_its_number_may_be_another_process() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        async with await anyio.open_process(["sleep", "600"]) as process:
            worker = Worker(process.pid, Channel(ours))
            worker.ended.set()
            worker.kill()
            process.terminate()
            assert await process.wait() == -signal.SIGTERM
