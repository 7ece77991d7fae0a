"""What a model keeps of a sequence: groups of layers, each with pages and a block table of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from mlxr.runtime.messages.kv import CacheKind


@dataclass(frozen=True, slots=True)
class CacheGroup:
    """Layers that keep alike what they keep, so that one block table of a sequence serves them all.

    ``kind``: what a page holds.
    ``layers``: their numbers in the model, ascending.
    ``kv_heads``, ``head_dim``: a token's keys and values in each layer; a ``latent`` layer keeps one vector of
    ``kv_heads * head_dim`` numbers instead of the two.
    ``window``: how many tokens a query sees, itself among them; None where it sees all (every kind but ``window``).
    ``state_size``: numbers of one layer's state, a page of the kind ``state``; None for the others.
    """

    kind: CacheKind
    layers: tuple[int, ...]
    kv_heads: int = 0
    head_dim: int = 0
    window: int | None = None
    state_size: int | None = None

    def page_numbers(self, page_size: int) -> int:
        """Stored numbers of a page in one layer."""
        if self.state_size is not None:
            return self.state_size
        vectors = 1 if self.kind is CacheKind.LATENT else 2
        return vectors * page_size * self.kv_heads * self.head_dim


def attention_group(layer: int, kv_heads: int, head_dim: int, window: int | None = None) -> CacheGroup:
    """What one attention layer keeps: all keys and values, or those of the last ``window`` tokens."""
    kind = CacheKind.WINDOW if window else CacheKind.FULL
    return CacheGroup(kind, (layer,), kv_heads, head_dim, window or None)


def latent_group(layer: int, numbers: int) -> CacheGroup:
    """What one latent attention layer keeps: a vector of so many numbers for each token."""
    return CacheGroup(CacheKind.LATENT, (layer,), 1, numbers)


def state_group(layer: int, size: int) -> CacheGroup:
    """What one recurrent layer keeps: a state of ``size`` numbers."""
    return CacheGroup(CacheKind.STATE, (layer,), state_size=size)


BESIDE = 1 << 12
"""Added to a layer's number, it is the number of a second mixer of that layer in the pool; no model has so many."""


def cache_groups(layers: Iterable[CacheGroup]) -> tuple[CacheGroup, ...]:
    """Joins single layers that keep alike into groups, in the order of their first layers."""
    groups: dict[CacheGroup, list[int]] = {}
    for layer in layers:
        groups.setdefault(replace(layer, layers=()), []).extend(layer.layers)
    return tuple(replace(group, layers=tuple(sorted(numbers))) for group, numbers in groups.items())
