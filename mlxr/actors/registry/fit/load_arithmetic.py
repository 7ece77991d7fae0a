"""What a load needs, from what its model takes. Knows what models and backends are made of, which a start goes without
where what it needs is kept (``needs_file.py``)."""

from __future__ import annotations

from mlxr.actors.executor.draft_sizes import draft_bytes, head_bytes
from mlxr.actors.executor.memory_need import MemoryNeed, memory_need
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.registry.fit.machine_file import known
from mlxr.metal.machine import Machine
from mlxr.models.footprint import Footprint
from mlxr.runtime.paths import Home

UNMEASURED = Machine("cpu", "", 512)
"""Whose sizes count before a machine is known: those of other backends are near enough to decide by."""


def machine_of(home: Home, settings: ExecutorSettings) -> Machine:
    """Returns what is known of the machine, else a typical one."""
    return known(home, settings.executor) or UNMEASURED


def load_need(footprint: Footprint, settings: ExecutorSettings, machine: Machine, available: int) -> MemoryNeed:
    """Returns what a load needs of the ``available`` bytes, without what drafts. ``footprint``: with the pages' types.
    ``settings``: of executors of whatever model."""
    context = settings.executor.context_length
    sizes = settings.pool_sizes(footprint.context_length, 0, machine.step_tokens)
    return memory_need(footprint, sizes, machine.sizes, context, max(0, available))


def draft_need(footprint: Footprint, settings: ExecutorSettings, machine: Machine) -> int:
    """Returns bytes of a draft model."""
    return draft_bytes(footprint.typed(settings.kv.page_type), settings.kv.page_size, machine.sizes)


def head_need(footprint: Footprint, settings: ExecutorSettings, machine: Machine) -> int:
    """Returns bytes of a model's own head that drafts; 0 where it has none."""
    return head_bytes(footprint, settings.kv.page_size, machine.sizes)
