"""What the KV manager promises, gives and takes back."""

from __future__ import annotations

from mlxr.actors.kv.placement import Placement
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.kv import CacheKind, GroupPages, Plan, PlanRow, Release, RowSetup
from mlxr.runtime.messages.token_ids import TokenIds


def prefill(sequence: int, start: int, length: int) -> PlanRow:
    tokens = TokenIds.of(range(start, start + length))
    return PlanRow(sequence, start, length, tokens, setup=None if start else RowSetup(Sampling(), tokens, length))


def test_an_admitted_prompt_is_promised_its_pages_and_one_token_more() -> None:
    placement = Placement([GroupPages(CacheKind.FULL, 10, 4)], longest_row=8)
    assert placement.admit(1, TokenIds.of(range(8))) == 0
    assert placement.room == [10 - 3]


def test_a_promise_is_kept_page_by_page_and_ends_with_its_sequence() -> None:
    placement = Placement([GroupPages(CacheKind.FULL, 10, 4)], longest_row=8)
    placement.admit(1, TokenIds.of(range(8)))
    placement.place(Plan(0, 1, [prefill(1, 0, 5)]))
    assert (placement.held, placement.room) == (2, [7])
    placement.place(Plan(0, 2, [], releases=[Release(1)]))
    assert (placement.held, placement.room) == (0, [10])


def test_pages_found_in_the_cache_are_held_and_not_promised_again() -> None:
    placement = Placement([GroupPages(CacheKind.FULL, 10, 4)], longest_row=8)
    tokens = TokenIds.of(range(9))
    placement.admit(1, tokens)
    placement.place(Plan(0, 1, [prefill(1, 0, 9)]))
    assert placement.admit(2, tokens) == 8
    assert placement.room == [10 - 3 - 1]


def test_there_is_no_room_where_sequences_have_grown_into_what_others_were_promised() -> None:
    placement = Placement([GroupPages(CacheKind.FULL, 4, 4)], longest_row=16)
    placement.admit(1, TokenIds.of([0]))
    placement.admit(2, TokenIds.of(range(7)))
    placement.place(Plan(0, 1, [prefill(1, 0, 16)]))
    assert placement.room == [0]
