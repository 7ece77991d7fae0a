"""What the system says of the server's processes: memory and processor time."""

from __future__ import annotations

from contextlib import suppress

import psutil
from msgspec import Struct


class Process(Struct, frozen=True):
    """``cpu_percent``: of one core, since it was last looked at."""

    memory_bytes: int = 0
    cpu_percent: float = 0.0


class Processes:
    """Looks at processes by their pids. ``measured``: what was seen at the last look."""

    def __init__(self) -> None:
        self.measured: dict[int, Process] = {}
        self._known: dict[int, psutil.Process] = {}

    def look(self, pids: set[int]) -> dict[str, float]:
        """Measures the processes ``pids``; returns gauges of all of them and of the machine."""
        self._known = {pid: process for pid, process in self._known.items() if pid in pids}
        measured: dict[int, Process] = {}
        for pid in pids:
            with suppress(psutil.Error):
                process = self._known.get(pid) or psutil.Process(pid)
                self._known[pid] = process
                measured[pid] = Process(process.memory_info().rss, process.cpu_percent())
        self.measured = measured
        total = sum(process.memory_bytes for process in measured.values())
        return {"memory_bytes": float(total), "available_bytes": float(psutil.virtual_memory().available)}
