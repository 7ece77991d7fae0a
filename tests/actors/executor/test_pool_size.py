"""How many pages each cache group gets."""

from __future__ import annotations

import pytest

from mlxr.actors.executor.pool_size import PoolSizes, pool_spec
from mlxr.metal.cache import CacheGroup, attention_group, cache_groups
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.messages.kv import CacheKind

FULL = cache_groups([attention_group(0, 1, 8)])
GEMMA = cache_groups(attention_group(layer, 1, 256, None if layer % 6 == 5 else 512) for layer in range(26))
STATE = (*FULL, CacheGroup(CacheKind.STATE, (1,), state_size=100))


def sizes(tokens: int = 0, context: int = 8192, budget: int = 10**12) -> PoolSizes:
    return PoolSizes(page_size=32, tokens=tokens, context_length=context, budget=budget, longest_row=512)


def pages(groups: tuple[CacheGroup, ...], sizes: PoolSizes) -> list[int]:
    return [part.pages for part in pool_spec(groups, sizes, PoolSpec.numbers).groups]


def test_a_pool_takes_what_is_asked_or_what_the_context_needs_within_the_budget() -> None:
    page = pool_spec(FULL, sizes(tokens=32), PoolSpec.numbers).numbers()
    assert pages(FULL, sizes(tokens=4096, budget=10)) == [128]
    assert pages(FULL, sizes()) == [512]
    assert pages(FULL, sizes(context=131072)) == [2048]
    assert pages(FULL, sizes(budget=100 * page)) == [100]
    with pytest.raises(ValueError, match="memory_fraction"):
        pages(FULL, sizes(budget=page - 1))


def test_a_window_group_has_pages_for_what_its_sequences_still_see() -> None:
    window, full = pages(GEMMA, sizes(tokens=8192))
    assert full == 8192 // 32
    # Four sequences of the typical length, four ended turns, one more, and a step's longest row.
    assert window == (4 + 4 + 1) * 18 + 512 // 32


def test_a_window_group_never_has_more_pages_than_one_that_keeps_everything() -> None:
    assert pages(GEMMA, sizes(tokens=256)) == [8, 8]


def test_a_window_group_alone_has_enough_for_a_sequence_of_any_length() -> None:
    (alone,) = pages(GEMMA[:1], sizes(tokens=32))
    assert alone >= 18 + 512 // 32


def test_a_window_group_leaves_more_of_the_budget_to_the_others() -> None:
    budget = 26 * 256 * FULL[0].page_numbers(32) * 32
    _, full = pages(GEMMA, sizes(context=65536, budget=budget))
    assert full > 1.2 * 256


def test_a_state_group_has_a_state_and_snapshots_for_each_sequence() -> None:
    assert pages(STATE, sizes(tokens=8192)) == [256, 3 * 4]
