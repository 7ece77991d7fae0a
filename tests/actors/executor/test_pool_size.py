"""How many pages each cache group gets."""

from __future__ import annotations

import tracemalloc

import pytest

from mlxr.actors.executor.pool_size import WHOLE_PAGES, PoolSizes, group_pages, pool_spec
from mlxr.actors.kv.placement import Placement
from mlxr.metal.cache import CacheGroup, attention_group, cache_groups
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.metal.pool import PoolSpec
from mlxr.runtime.messages.kv import CacheKind, Plan, PlanRow, Release
from mlxr.runtime.messages.token_ids import TokenIds

FULL = cache_groups([attention_group(0, 1, 8)])
GEMMA = cache_groups(attention_group(layer, 1, 256, None if layer % 6 == 5 else 512) for layer in range(26))
STATE = (*FULL, CacheGroup(CacheKind.STATE, (1,), state_size=100))


def sizes(tokens: int = 0, context: int = 8192, budget: int = 10**12) -> PoolSizes:
    return PoolSizes(page_size=32, tokens=tokens, context_length=context, budget=budget, longest_row=512)


def pages(groups: tuple[CacheGroup, ...], sizes: PoolSizes) -> list[int]:
    return [part.pages for part in pool_spec(groups, sizes, PoolSpec.numbers).groups]


def test_a_pool_takes_what_is_asked_or_all_of_the_budget_whatever_the_context() -> None:
    page = pool_spec(FULL, sizes(tokens=32), PoolSpec.numbers).numbers()
    assert pages(FULL, sizes(tokens=4096, budget=10)) == [128]
    assert pages(FULL, sizes(context=512, budget=5000 * page)) == [5000 - 5000 % WHOLE_PAGES]
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


def test_eight_conversations_of_eight_thousand_tokens_alternate_without_a_miss_where_there_is_room() -> None:
    """In a quarter of 8 GiB, of a model with 30 layers of 3 heads of 64, whose context is 8,192 tokens."""
    groups = cache_groups(attention_group(layer, 3, 64) for layer in range(30))
    spec = pool_spec(groups, sizes(budget=2 << 30), CpuSizes().pool)
    placement = Placement(group_pages(spec, CpuSizes(), lazy=True), longest_row=512)
    histories = [[conversation] * 7_000 for conversation in range(8)]
    for turn in range(1, 4):
        for number, history in enumerate(histories):
            history += [1000 + turn] * 300
            sequence, tokens = turn * 100 + number, TokenIds.of(history)
            found = placement.admit(sequence, tokens)
            assert found >= (len(history) - 300) // 32 * 32 * (turn > 1)
            for start in range(found, len(history), 512):
                length = min(512, len(history) - start)
                row = PlanRow(sequence, start, length, tokens[start : start + length])
                step, deferred = placement.place(Plan(0, start, [row]))
                assert step is not None
                assert deferred is None
            placement.place(Plan(0, 0, [], [Release(sequence, tokens)]))


def test_a_pool_of_a_hundred_thousand_pages_costs_no_more_than_a_small_one() -> None:
    spec = pool_spec(FULL, sizes(budget=10**12), PoolSpec.numbers)
    tracemalloc.start()
    placement = Placement(group_pages(spec, CpuSizes(), lazy=True), longest_row=512)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert placement.total > 100_000
    assert taken < 100_000
