"""How many pages each cache group gets."""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass, replace

from mlxr.metal.cache import CacheGroup
from mlxr.metal.pool import GroupSpec, PoolSpec
from mlxr.metal.sizes import BackendSizes
from mlxr.runtime.messages.kv import CacheKind, GroupPages

MOST_TOKENS = 1 << 22
"""More than fit into the memory of any machine of these days, and few enough for slots to be counted in 32 bits."""

WHOLE_PAGES = 512
"""A pool of many pages has a multiple of so many: a layer's keys, and its values, then begin with a huge page of the
system's, where they are written to first. They would touch one more each if they began within one."""

MANY_PAGES = 4 * WHOLE_PAGES
"""With fewer, too much of the budget would be left."""

EXTENT_TOKENS = 8_192
"""Tokens that memory is taken for at once, about, where pages take it before they are written to."""

TYPICAL_TOKENS = 2_048
"""How long the sequences are taken to be that fill a pool. A group that keeps as much of a short sequence as of a long
one has pages for so many of them; where they are shorter, such groups are what is full first."""

WINDOWS_A_SEQUENCE = 2
"""One that it runs with, and one at the end of another's turn, where the next begins."""

STATES_A_SEQUENCE = 3
"""One to go on from, and two snapshots."""

PAGES_A_STATE = 16
"""Pages of tokens between two states of a prompt that are kept."""


@dataclass(frozen=True, slots=True)
class PoolSizes:
    """What decides how many pages each cache group gets.

    ``page_size``: tokens a page.
    ``tokens``: how many tokens the pool is to hold, 0 for as many as ``budget`` is for.
    ``context_length``: most tokens of a sequence.
    ``budget``: bytes that the pool may take where ``tokens`` is 0.
    ``longest_row``: tokens of one sequence that a step may hold.
    ``least``: tokens that a pool of whatever budget holds.
    ``staging``: bytes of pages that are in memory twice, on their way to the disk.
    """

    page_size: int
    tokens: int
    context_length: int
    budget: int
    longest_row: int
    least: int = 0
    staging: int = 0


def pool_spec(groups: tuple[CacheGroup, ...], sizes: PoolSizes, bytes_of: Callable[[PoolSpec], int]) -> PoolSpec:
    """Returns the pool of a model with these groups. ``bytes_of``: what a pool takes.

    Raises ``ValueError`` when not even a pool of one page's tokens fits the budget.
    """
    if sizes.tokens:
        return _pool_of(groups, -(-sizes.tokens // sizes.page_size), sizes)
    most, least = MOST_TOKENS // sizes.page_size, -(-sizes.least // sizes.page_size)
    fits = bisect.bisect_right(range(1, most + 1), sizes.budget, key=lambda n: bytes_of(_pool_of(groups, n, sizes)))
    fits = max(fits - (fits % WHOLE_PAGES if fits >= MANY_PAGES else 0), least)
    if not fits:
        smallest = bytes_of(_pool_of(groups, 1, sizes))
        raise ValueError(
            f"no room for the KV pool: its least takes {smallest} bytes and the budget is {sizes.budget}; "
            "raise kv.memory_fraction or free memory"
        )
    return _pool_of(groups, fits, sizes)


def group_pages(spec: PoolSpec, backend: BackendSizes, lazy: bool) -> list[GroupPages]:
    """Returns what the KV manager is told of the pool. ``lazy``: as ``Backend.lazy_pages``."""
    tokens = max((part.pages * part.page_size for part in spec.groups if part.group.state_size is None), default=0)
    parts = max(1, tokens // EXTENT_TOKENS)
    return [
        GroupPages(
            part.group.kind,
            part.pages,
            part.page_size,
            part.group.window,
            page_bytes=backend.pool(PoolSpec((replace(part, pages=1),))),
            extent=0 if lazy else -(-part.pages // parts),
        )
        for part in spec.groups
    ]


def _pool_of(groups: tuple[CacheGroup, ...], pages: int, sizes: PoolSizes) -> PoolSpec:
    """A pool for as many tokens as ``pages`` pages hold."""
    bounded = any(group.kind in (CacheKind.FULL, CacheKind.LATENT) for group in groups)
    return PoolSpec(tuple(_group_spec(group, pages, sizes, bounded) for group in groups))


def _group_spec(group: CacheGroup, pages: int, sizes: PoolSizes, bounded: bool) -> GroupSpec:
    """``bounded``: another group has no more than ``pages`` pages, and keeps every token."""
    size = sizes.page_size
    sequences = -(-pages * size // TYPICAL_TOKENS)
    match group.kind:
        case CacheKind.FULL | CacheKind.LATENT:
            return GroupSpec(group, pages, size)
        case CacheKind.WINDOW:
            kept = GroupPages(group.kind, 0, size, group.window).most_kept
            row = -(-sizes.longest_row // size)
            needed = WINDOWS_A_SEQUENCE * sequences * min(kept, -(-TYPICAL_TOKENS // size)) + row + kept
            return GroupSpec(group, min(pages, needed) if bounded else needed, size)
        case CacheKind.STATE:
            return GroupSpec(group, sequences * STATES_A_SEQUENCE, size * PAGES_A_STATE)
