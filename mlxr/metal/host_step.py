"""The layout of a step, for backends that compute where it lies."""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from mlxr.metal.batch import Batch


@dataclass(frozen=True, slots=True)
class HostStep:
    """A ``DeviceBatch`` that makes arrays of its layout when they are asked for."""

    batch: Batch

    @property
    def positions(self) -> mx.array:
        return mx.array(self.batch.positions)

    @property
    def segments(self) -> mx.array | None:
        return None if self.batch.segments is None else mx.array(self.batch.segments)
