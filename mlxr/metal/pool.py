"""The pages that keep keys and values of past tokens: their geometry, and what a backend allocates for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class PoolSpec:
    """Geometry of the KV pool: per layer keys and values of ``pages * page_size`` tokens.

    The logical layout is ``[pages, page_size, kv_heads, head_dim]``; a backend may order a page as suits it.
    """

    layers: int
    pages: int
    page_size: int
    kv_heads: int
    head_dim: int

    def values_per_token(self) -> int:
        """Stored numbers a token, keys and values of all layers together."""
        return 2 * self.layers * self.kv_heads * self.head_dim


@dataclass(frozen=True, slots=True)
class DeviceMemory:
    """Memory that a device can still give. ``free``: bytes. ``shared``: it is the system's own (Apple's chips)."""

    free: int
    shared: bool


@dataclass(slots=True)
class Pool:
    """The KV pool of one model. ``layers[i]`` is what the backend keeps for layer i; an operation that writes
    replaces it, and nothing else may hold those arrays, or MLX would copy the pool to write to it."""

    spec: PoolSpec
    layers: list[Any]
    nbytes: int
