"""What a run was measured on, without naming anybody's machine."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

INSTRUCTION_SETS = {
    "avx512_vnni": "AVX-512 VNNI",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
    "i8mm": "NEON i8mm",
    "asimddp": "NEON dotprod",
}
"""Flags of /proc/cpuinfo that tell which kernels run, best first."""


@dataclass(frozen=True, slots=True)
class Machine:
    """``load``: processes that wanted a core in the minute before, from which ratios suffer less than figures."""

    cores: int
    architecture: str
    instructions: str
    system: str
    load: float

    @classmethod
    def here(cls) -> Machine:
        cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
        load = round(os.getloadavg()[0], 2)
        return cls(cores, platform.machine(), _instructions(), platform.system(), load)

    def __str__(self) -> str:
        kernels = f" with {self.instructions}" if self.instructions else ""
        return f"{self.cores} cores of {self.architecture}{kernels}, {self.system}, load {self.load}"


def _instructions() -> str:
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return ""
    return next((name for flag, name in INSTRUCTION_SETS.items() if flag in flags), "")
