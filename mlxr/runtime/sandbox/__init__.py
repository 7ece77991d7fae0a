"""Runs work on what strangers wrote in processes that may be killed.

A *zygote* process imports and loads what the work needs, once. It forks *workers*, which takes a few milliseconds; a
worker runs one task at a time under limits on processor time, wall-clock time, memory and stack. One that breaks a
limit, or that its task kills, fails that task alone and is replaced.
"""

from mlxr.runtime.sandbox.limits import TaskLimits
from mlxr.runtime.sandbox.pool import Sandbox
from mlxr.runtime.sandbox.protocol import SandboxKilled

__all__ = ["Sandbox", "SandboxKilled", "TaskLimits"]
