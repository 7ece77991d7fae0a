"""Memory as the system tells of it: what the machine has, what it can still give, and what a process holds."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_USAGE = Path("/sys/fs/cgroup/memory.current")
CGROUP_STAT = Path("/sys/fs/cgroup/memory.stat")
MEMINFO = Path("/proc/meminfo")

_RUSAGE_INFO_V0 = 0
_FOOTPRINT_AT = 72
"""Offset of ``ri_phys_footprint`` in macOS's ``struct rusage_info_v0`` (sys/resource.h)."""


def machine_bytes() -> int:
    """Returns the memory of this machine, or of the control group that this process is in where that has less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup_limit()
    return total if limit is None else min(total, limit)


def available_bytes() -> int:
    """Returns what processes may still take: the system's, cut to the control group's limit."""
    free = _system_available()
    limit = _cgroup_limit()
    if limit is not None:
        with contextlib.suppress(OSError, ValueError):
            # Files that are kept in memory go when it is wanted.
            free = min(free, limit - int(CGROUP_USAGE.read_text()) + _stat(CGROUP_STAT, "inactive_file"))
    return max(free, 0)


def held_by(pid: int) -> int:
    """Returns the bytes that a process holds, as the system counts them: pages that several processes share in equal
    parts (Linux), or its footprint (macOS). 0 for a process that is gone, or somebody else's."""
    if sys.platform == "darwin":
        buffer = (ctypes.c_uint8 * 256)()
        if ctypes.CDLL(None).proc_pid_rusage(pid, _RUSAGE_INFO_V0, ctypes.byref(buffer)) != 0:
            return 0
        return int.from_bytes(bytes(buffer[_FOOTPRINT_AT : _FOOTPRINT_AT + 8]), sys.byteorder)
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def resident_of(pid: int) -> int:
    """Returns the bytes of a process that are in memory, shared ones in full (Linux), or its footprint (macOS): cheap,
    where ``held_by`` looks at every page. 0 as there."""
    if sys.platform == "darwin":
        return held_by(pid)
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def family_of(pid: int) -> list[int]:
    """Returns a process and those that it has started, as far as the system tells."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _cgroup_limit() -> int | None:
    try:
        limit = CGROUP_LIMIT.read_text().strip()
        return None if limit == "max" else int(limit)
    except (OSError, ValueError):
        return None  # no control group, or none with a limit


def _system_available() -> int:
    with contextlib.suppress(OSError):
        return _stat(MEMINFO, "MemAvailable:") * 1024
    import psutil  # where there is no such file: macOS

    return int(psutil.virtual_memory().available)


def _stat(path: Path, name: str) -> int:
    """Returns the number behind ``name`` in a file of such lines, 0 where it is not there."""
    for line in path.read_text().splitlines():
        words = line.split()
        if words[0] == name:
            return int(words[1])
    return 0
