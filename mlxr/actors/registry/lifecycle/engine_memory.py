"""How much memory engines may have, and how much they hold: the system's figures for the policy."""

from __future__ import annotations

import re

from mlxr.actors.executor.pool_files.left import delete_left, left_bytes
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.runtime.messages.catalogue import HeldMemory
from mlxr.runtime.system_memory import available_bytes, family_of, held_by, machine_bytes, resident_of

DEVICE_SHARE = 0.9
"""Of a GPU's memory, what engines may take where nothing is configured."""

MACHINE_SHARE = 0.8
"""Of the machine's memory likewise: programs and files want some."""

RESERVE_SHARE = 0.05
"""Of the machine's memory, what is left free whatever the limit says: without it the system begins to swap."""

MOST_BYTES = 1 << 62
"""Of a limit: more is no limit either."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


def memory_limit(configured: str | int, total: int) -> int:
    """Returns the bytes that all engines may take together, at most what there can be. ``configured``:
    ``models.memory_limit``. ``total``: what the machine has."""
    if not configured:
        return int(total * MACHINE_SHARE)
    text = str(configured).replace(" ", "").lower()
    if text.endswith("%"):
        return _bytes(total * float(text[:-1]) / 100)
    number, unit = re.fullmatch(r"([0-9.]+)([kmgt]?i?)b?", text).groups()  # type: ignore[union-attr]
    return _bytes(float(number) * _UNITS[unit])


def _bytes(number: float) -> int:
    return int(min(number, MOST_BYTES))


def free_memory(engines: list[Engine]) -> int | None:
    """Returns what the system can give beyond what ``engines`` may take: their pages fill while they work. None where
    they compute in a GPU's own memory, which is none of the system's."""
    if any(engine.up is not None and not engine.up.device_shared for engine in engines):
        return None
    untouched = sum(max(0, engine.takes - sum(map(resident_of, _processes(engine)))) for engine in engines)
    # A load deletes what processes that were killed have left, if it needs that.
    return available_bytes() + left_bytes() - untouched - int(machine_bytes() * RESERVE_SHARE)


def lacking_memory() -> int:
    """Returns by how much the system has less memory left than it should, once it has back what processes that were
    killed have left."""
    lacking = int(machine_bytes() * RESERVE_SHARE) - available_bytes()
    return max(0, lacking - (delete_left(None) if lacking > 0 else 0))


def measured(engines: list[Engine]) -> list[HeldMemory]:
    """Returns what each engine holds now. One whose executor has no process of its own counts as what it was made
    with."""
    found: list[HeldMemory] = []
    for engine in engines:
        up = engine.up
        held = sum(map(held_by, _processes(engine)))
        if up is not None and not up.process:
            held += engine.memory
        device = up.device_bytes if up is not None else 0
        found.append(HeldMemory(engine.name, held + (0 if up is None or up.device_shared else device), device))
    return found


def _processes(engine: Engine) -> list[int]:
    roots = (engine.up.process if engine.up is not None else 0, engine.tokenizer_process)
    return [pid for root in roots if root for pid in family_of(root)]
