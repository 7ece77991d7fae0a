"""How much memory an engine may take."""

from __future__ import annotations

from mlxr.metal.pool import DeviceMemory
from mlxr.runtime.system_memory import available_bytes


def free_bytes(device: DeviceMemory | None, allowed: int = 0, also: int = 0) -> int:
    """Returns the bytes that are left where the ``device`` computes, None for a backend in the system's own memory; at
    most those ``allowed``, 0 for no limit. ``also``: of the system's memory, what counts as left although it is
    taken."""
    left = available_bytes() + also if device is None else device.free
    if device is not None and device.shared:
        left = min(left, available_bytes() + also)
    return min(left, allowed) if allowed else left


def pool_budget(device: DeviceMemory | None, fraction: float, weights: int = 0, allowed: int = 0, also: int = 0) -> int:
    """Returns the bytes that the pool may take beside loaded ``weights``: a ``fraction`` of what is left of memory, or
    of what the engine is ``allowed``, where that is less. ``also``: as in ``free_bytes``."""
    return int(free_bytes(device, max(allowed - weights, 1) if allowed else 0, also) * fraction)
