"""What a model keeps of a sequence: groups of layers, each with pages and a block table of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from mlxr.runtime.messages.kv import CacheKind


class NumberType(StrEnum):
    """How a page keeps numbers of keys, values or latents.

    ``HALF``: 16 bits each; the reference backend keeps float32 instead.
    ``INT8``: codes of 8 bits, and 16-bit scales: for each 32 numbers of a key or a latent, for the whole of a value. A
    scale is the largest magnitude divided by 127, rounded; a code is the number divided by the scale, rounded to the
    nearest whole number, even ones first. All is a token's own: what a page holds of it never changes once it is
    written.
    """

    HALF = "16bit"
    INT8 = "int8"


KEY_BLOCK = 32
"""Numbers of a key, or of a latent, that share a scale. Keys have channels of their own that are large, so that one
scale for all would cost half as much precision again; values lose next to nothing."""

SCALE_BYTES, MOST_CODE = 2, 127


@dataclass(frozen=True, slots=True)
class Vectors:
    """What one layer keeps of a token: ``count`` vectors of ``dims`` numbers, all kept as ``type``; ``block``: numbers
    that share a scale where there are any."""

    type: NumberType
    count: int
    dims: int
    block: int

    @property
    def scales(self) -> int:
        """Of a vector."""
        return -(-self.dims // self.block)


@dataclass(frozen=True, slots=True)
class CacheGroup:
    """Layers that keep alike what they keep, so that one block table of a sequence serves them all.

    ``kind``: what a page holds.
    ``layers``: their numbers in the model, ascending.
    ``kv_heads``, ``head_dim``: a token's keys and values in each layer; a ``latent`` layer keeps one vector of
    ``kv_heads * head_dim`` numbers instead of the two.
    ``window``: how many tokens a query sees, itself among them; None where it sees all (every kind but ``window``).
    ``state_size``: numbers of one layer's state, a page of the kind ``state``; None for the others.
    ``keys``, ``values``: how they are kept. Of a ``latent`` layer, whose vector is key and value, ``keys`` says; states
    are float32.
    """

    kind: CacheKind
    layers: tuple[int, ...]
    kv_heads: int = 0
    head_dim: int = 0
    window: int | None = None
    state_size: int | None = None
    keys: NumberType = NumberType.HALF
    values: NumberType = NumberType.HALF

    @property
    def vectors(self) -> tuple[Vectors, ...]:
        """What a token keeps in each layer: keys and values, or latents; nothing of its own where there is a state."""
        match self.kind:
            case CacheKind.STATE:
                return ()
            case CacheKind.LATENT:
                return (Vectors(self.keys, 1, self.kv_heads * self.head_dim, KEY_BLOCK),)
            case CacheKind.FULL | CacheKind.WINDOW:
                keys = Vectors(self.keys, self.kv_heads, self.head_dim, KEY_BLOCK)
                return (keys, Vectors(self.values, self.kv_heads, self.head_dim, self.head_dim))

    def page_numbers(self, page_size: int) -> int:
        """Stored numbers of a page in one layer, without scales."""
        if self.state_size is not None:
            return self.state_size
        return page_size * sum(part.count * part.dims for part in self.vectors)

    def typed(self, keys: NumberType, values: NumberType) -> CacheGroup:
        """Returns the group with keys, or latents, and values kept so. States stay as they are."""
        if self.kind is CacheKind.STATE:
            return self
        return replace(self, keys=keys, values=NumberType.HALF if self.kind is CacheKind.LATENT else values)


def attention_group(layer: int, kv_heads: int, head_dim: int, window: int | None = None) -> CacheGroup:
    """Returns what one attention layer keeps: all keys and values, or those of the last ``window`` tokens."""
    kind = CacheKind.WINDOW if window else CacheKind.FULL
    return CacheGroup(kind, (layer,), kv_heads, head_dim, window or None)


def latent_group(layer: int, numbers: int) -> CacheGroup:
    """Returns what one latent attention layer keeps: a vector of so many numbers for each token."""
    return CacheGroup(CacheKind.LATENT, (layer,), 1, numbers)


def state_group(layer: int, size: int) -> CacheGroup:
    """Returns what one recurrent layer keeps: a state of ``size`` numbers."""
    return CacheGroup(CacheKind.STATE, (layer,), state_size=size)


BESIDE = 1 << 12
"""Added to a layer's number, it is the number of a second mixer of that layer in the pool; no model has so many."""


def cache_groups(layers: Iterable[CacheGroup]) -> tuple[CacheGroup, ...]:
    """Joins single layers that keep alike into groups, in the order of their first layers."""
    groups: dict[CacheGroup, list[int]] = {}
    for layer in layers:
        groups.setdefault(replace(layer, layers=()), []).extend(layer.layers)
    return tuple(replace(group, layers=tuple(sorted(numbers))) for group, numbers in groups.items())
