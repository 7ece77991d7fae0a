"""CPU time that a host takes from a virtual machine, and where a stream had to wait for it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import NamedTuple

SAMPLE_SECONDS = 0.02
"""Between two looks at what a host took from this machine."""


class Gap(NamedTuple):
    """Between two tokens, on the monotonic clock in ns."""

    began: int
    ended: int

    @property
    def milliseconds(self) -> float:
        return (self.ended - self.began) / 1e6


class Stolen:
    """Looks, while its block runs, at what a host takes from this machine: CPU time in which something was to be run
    here and was not (``steal`` in ``/proc/stat``, in hundredths of a second)."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Stolen:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def within(self, gap: Gap) -> float:
        """Milliseconds of all CPUs together, from the last look before ``gap`` to the first behind it."""
        before = [stolen for at, stolen in self._seen if at <= gap.began][-1:] or [self._seen[0][1]]
        behind = [stolen for at, stolen in self._seen if at >= gap.ended][:1] or [self._seen[-1][1]]
        return behind[0] - before[0]

    def _look(self) -> None:
        while True:
            self._seen.append((time.monotonic_ns(), stolen_milliseconds()))
            if self._over.wait(SAMPLE_SECONDS):
                return


def stolen_milliseconds() -> float:
    """What a host has taken from this machine since its start; 0 where the system does not say."""
    try:
        first = Path("/proc/stat").read_text().partition("\n")[0].split()
    except OSError:
        return 0.0
    return 1000 * int(first[8]) / os.sysconf("SC_CLK_TCK")
