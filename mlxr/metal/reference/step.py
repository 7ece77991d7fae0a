"""The layout of a step as the reference computes with it."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlxr.metal.host_step import HostStep
from mlxr.metal.reference import adapters


@dataclass(frozen=True, slots=True)
class Step(HostStep):
    """The reference's ``DeviceBatch``: the layout itself, from which each layer makes what it needs."""

    adapters: adapters.StepAdapters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adapters", adapters.StepAdapters(self.batch))
