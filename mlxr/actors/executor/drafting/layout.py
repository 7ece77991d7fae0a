"""Where a drafter's pages are, as a batch has it: all groups of tokens have the same pages of a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlxr.actors.executor.drafting.contexts import Context
from mlxr.metal.batch import Batch, GroupTables
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.messages.kv import CacheKind


@dataclass(frozen=True, slots=True)
class Part:
    """Some ``tokens`` of a sequence, to be read from position ``start`` on. ``working``: by the state that drafts work
    on."""

    context: Context
    start: int
    tokens: list[int]
    working: bool = False


def batch_of(parts: Sequence[Part], spec: PoolSpec) -> Batch:
    """Returns the layout of a pass over ``parts``, one behind another."""
    starts, contexts, positions = [0], list[int](), list[int]()
    for part in parts:
        length = len(part.tokens)
        starts.append(starts[-1] + length)
        contexts.append(part.start + length)
        positions.extend(range(part.start, part.start + length))
    return Batch(
        query_starts=np.array(starts, np.int32),
        context_lengths=np.array(contexts, np.int32),
        positions=np.array(positions, np.int32),
        groups=tuple(
            _states(parts) if each.group.kind is CacheKind.STATE else _pages(parts, each.page_size)
            for each in spec.groups
        ),
    )


def tokens_of(parts: Sequence[Part]) -> list[int]:
    return [token for part in parts for token in part.tokens]


def _states(parts: Sequence[Part]) -> GroupTables:
    states = [part.context.states[part.working] for part in parts if part.context.states is not None]
    return GroupTables(np.zeros(0, np.int32), np.array(states, np.int32)[:, None], 1)


def _pages(parts: Sequence[Part], size: int) -> GroupTables:
    tables = np.zeros((len(parts), max(len(part.context.pages) for part in parts)), np.int32)
    slots: list[int] = []
    for row, part in enumerate(parts):
        pages = part.context.pages
        tables[row, : len(pages)] = pages
        end = part.start + len(part.tokens)
        slots += [pages[at // size] * size + at % size for at in range(part.start, end)]
    return GroupTables(np.array(slots, np.int32), tables, size)
