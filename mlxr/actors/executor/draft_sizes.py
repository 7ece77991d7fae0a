"""What a draft model takes: its weights, and pages of its own; of a model's own head, hidden states too."""

from __future__ import annotations

from mlxr.metal.cache import CacheGroup
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.metal.sizes import FLOAT_BYTES, BackendSizes
from mlxr.models.footprint import Footprint
from mlxr.runtime.messages.kv import CacheKind

LEAST_TOKENS = 2_048
"""Tokens that a draft model's pages hold at least, of all sequences together."""

MOST_TOKENS = 65_536

POOL_PART = 0.25
"""Of the memory for pages, what a draft model's may take."""

SEQUENCES = 64
"""For which a draft model with states keeps some, each with one more to work on."""


SEEN_TOKENS = 4_096
"""Positions of all sequences together whose hidden states a model's own head keeps until it reads them."""


def draft_pool(groups: tuple[CacheGroup, ...], page_size: int, tokens: int) -> PoolSpec:
    """Returns pages of a draft model for so many tokens; a window keeps all of them, which spares the bookkeeping."""
    pages = -(-tokens // page_size)
    return PoolSpec(
        tuple(
            GroupSpec(group, 2 * SEQUENCES, 1) if group.kind is CacheKind.STATE else GroupSpec(group, pages, page_size)
            for group in groups
        )
    )


def draft_bytes(footprint: Footprint, page_size: int, sizes: BackendSizes) -> int:
    """Returns what a draft model takes at least, weights and pages."""
    return footprint.weights + sizes.pool(draft_pool(footprint.groups, page_size, LEAST_TOKENS))


def head_bytes(footprint: Footprint, page_size: int, sizes: BackendSizes) -> int:
    """Returns what a model's own head that drafts takes at least, likewise; 0 where it has none."""
    if not footprint.drafting:
        return 0
    pages = sizes.pool(draft_pool(footprint.drafting_groups, page_size, LEAST_TOKENS))
    return footprint.drafting + pages + seen_bytes(footprint.width)


def seen_bytes(width: int) -> int:
    """Returns what a head keeps of hidden states, float32 ``[width]`` each, at most."""
    return SEEN_TOKENS * width * FLOAT_BYTES
