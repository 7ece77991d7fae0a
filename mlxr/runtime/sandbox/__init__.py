"""Runs work on what strangers wrote in processes that may be killed.

A *zygote* process imports and loads what the work needs, once. It forks *workers*, which takes a few milliseconds; a
worker runs one task at a time under limits on processor time, wall-clock time, memory and stack. One that breaks a
limit, or that its task kills, fails that task alone and is replaced. A server's zygotes are forked from its *nursery*.

A zygote needs no loop, so none of these names is imported before somebody asks for it.
"""

from typing import TYPE_CHECKING

from mlxr.runtime.lazy_names import lazy_names

if TYPE_CHECKING:
    from mlxr.runtime.sandbox.limits import TaskLimits
    from mlxr.runtime.sandbox.nursery import Nursery
    from mlxr.runtime.sandbox.pool import Sandbox
    from mlxr.runtime.sandbox.protocol import SandboxKilled

__all__ = ["Nursery", "Sandbox", "SandboxKilled", "TaskLimits"]

__getattr__ = lazy_names(
    __name__, {"Nursery": "nursery", "Sandbox": "pool", "SandboxKilled": "protocol", "TaskLimits": "limits"}
)
