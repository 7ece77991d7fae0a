"""The layout of a step as the reference computes with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import mlx.core as mx

from mlxr.metal.batch import Batch
from mlxr.metal.reference import adapters


@dataclass(frozen=True, slots=True)
class Step:
    """The reference's ``DeviceBatch``: the layout itself, from which each layer makes what it needs."""

    batch: Batch
    adapters: adapters.StepAdapters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adapters", adapters.StepAdapters(self.batch))

    @property
    def positions(self) -> mx.array:
        return mx.array(self.batch.positions)

    @property
    def segments(self) -> mx.array | None:
        return None if self.batch.segments is None else mx.array(self.batch.segments)
