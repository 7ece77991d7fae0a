"""Says on stderr what is being waited for, where that is a terminal, and wipes it away."""

from __future__ import annotations

import asyncio
import sys
import time
from types import TracebackType

from rich.cells import set_cell_size

from mlxr.cli.printing import progress_is_shown, terminal_width

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
FRAME_SECONDS = 0.1
QUIET_SECONDS = 0.3
"""What is over so soon is not worth a word."""

WIPE = "\r\x1b[K"


class Spinner:
    """Turns while the block runs, or until ``stop``."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._shown = False
        self._stopped = not progress_is_shown()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Spinner:
        if not self._stopped:
            self._task = asyncio.create_task(self._turn())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Wipes the line, before anything else is written."""
        self._stopped = True
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._shown:
            self._shown = False
            sys.stderr.write(WIPE)
            sys.stderr.flush()

    async def _turn(self) -> None:
        began = time.monotonic()
        await asyncio.sleep(QUIET_SECONDS)
        frame = 0
        while not self._stopped:
            seconds = int(time.monotonic() - began)
            line = f"{FRAMES[frame % len(FRAMES)]} {self.text}{f'  {seconds} s' if seconds > 1 else ''}"
            width = terminal_width(sys.stderr) or 80
            sys.stderr.write(f"{WIPE}{set_cell_size(line, width - 1).rstrip()}")
            sys.stderr.flush()
            self._shown = True
            frame += 1
            await asyncio.sleep(FRAME_SECONDS)
