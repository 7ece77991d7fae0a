"""The layout of a step, as the native backend takes it."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.metal.cpu import _native
from mlxr.metal.host_step import HostStep


@dataclass(frozen=True, slots=True)
class Step(HostStep):
    """The native backend's ``DeviceBatch``."""

    native: _native.Batch
