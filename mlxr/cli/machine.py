"""What the machine has."""

from __future__ import annotations

import os


def cores() -> set[int]:
    """Cores this process may use; all of them where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))
