"""A process that ``subprocess`` has started, maybe before there was a loop.

That borrows this process's memory until the other one runs its own program (``vfork``), and so holds a loop up for 0.4
ms. uvloop copies the tables of that memory first: 5 ms, with all streams waiting.
"""

from __future__ import annotations

import subprocess

import anyio


class StartedProcess:
    """As much of ``anyio.abc.Process`` as who keeps it needs."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._waiter = anyio.CapacityLimiter(2)
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    def kill(self) -> None:
        """Ends it, if it has not ended; from any thread."""
        self._process.kill()

    async def wait(self) -> int:
        return await anyio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True, limiter=self._waiter)

    async def aclose(self) -> None:
        """Waits for its end; kills it where that is cancelled."""
        try:
            await self.wait()
        except BaseException:
            self.kill()
            with anyio.CancelScope(shield=True):
                await self.wait()
            raise
