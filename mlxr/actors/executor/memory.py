"""How much memory the KV pool may take."""

from __future__ import annotations

import os
from pathlib import Path

from mlxr.metal.pool import DeviceMemory

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
CGROUP_USAGE = Path("/sys/fs/cgroup/memory.current")
MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int:
    """Memory this process may still take: the system's, cut to the control group's limit."""
    free = _system_available()
    try:
        limit = CGROUP_LIMIT.read_text().strip()
        if limit != "max":
            free = min(free, int(limit) - int(CGROUP_USAGE.read_text()))
    except (OSError, ValueError):
        pass  # No control group, or none with a limit.
    return max(free, 0)


def pool_budget(device: DeviceMemory | None, fraction: float) -> int:
    """Bytes that the pool may take: a ``fraction`` of what is left where the ``device`` computes."""
    return int(free_bytes(device) * fraction)


def free_bytes(device: DeviceMemory | None) -> int:
    """Bytes that are left where the ``device`` computes; None for a backend in the system's own memory."""
    if device is None:
        return available_bytes()
    return min(available_bytes(), device.free) if device.shared else device.free


def _system_available() -> int:
    try:
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # Not Linux.
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
