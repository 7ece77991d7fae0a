"""What the KV manager promises, gives and takes back."""

from __future__ import annotations

from mlxr.actors.kv.placement import Placement
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import PageCopy, Step
from mlxr.runtime.messages.kv import CacheKind, Fork, GroupPages, Plan, PlanRow, Release, RowSetup
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.kv.placements import FULL, STATE, WINDOW, prefill


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


def test_a_step_is_awaited_as_its_plan_is_unless_rows_of_that_come_again() -> None:
    placement = Placement([GroupPages(CacheKind.FULL, 2, 4)], longest_row=8)
    placement.admit(1, TokenIds.of(range(4)))
    placement.admit(2, TokenIds.of(range(8, 16)))
    step, deferred = placement.place(Plan(0, 1, [prefill(1, 0, 4)], awaited=True))
    assert step is not None
    assert (step.awaited, deferred) == (True, None)
    step, deferred = placement.place(Plan(0, 2, [PlanRow(1, 4, 1), prefill(2, 0, 8)], awaited=True))
    assert step is not None
    assert deferred is not None
    assert not step.awaited


def run(placement: Placement, sequence: int, tokens: TokenIds, *ends: int, start: int = 0) -> list[Step]:
    """Places rows of ``tokens`` that end at each of ``ends``, one a step."""
    steps = []
    for end in ends:
        row = PlanRow(sequence, start, end - start, tokens[start:end], setup=RowSetup(Sampling(), tokens, len(tokens)))
        step, deferred = placement.place(Plan(0, end, [row]))
        assert step is not None
        assert deferred is None
        steps.append(step)
        start = end
    return steps


def generated(placement: Placement, sequence: int, start: int, count: int) -> None:
    for position in range(start, start + count):
        placement.place(Plan(0, position, [PlanRow(sequence, position, 1)]))


def test_a_window_holds_no_more_pages_at_any_length() -> None:
    placement = Placement([FULL, WINDOW], longest_row=8)
    placement.admit(1, TokenIds.of(range(40)))
    run(placement, 1, TokenIds.of(range(40)), *range(8, 41, 8))
    generated(placement, 1, 40, 60)
    full, window = (group.pool.held for group in placement.groups)
    assert full == 25
    assert window <= WINDOW.most_kept


def test_what_a_window_has_left_behind_is_found_by_whoever_begins_alike() -> None:
    placement = Placement([FULL, WINDOW], longest_row=8)
    tokens = TokenIds.of(range(40))
    placement.admit(1, tokens)
    run(placement, 1, tokens, *range(8, 41, 8))
    assert placement.admit(2, tokens[:20] + TokenIds.of([99, 98])) == 20
    assert placement.admit(3, TokenIds.of([*tokens, 99])) == 40


def test_a_prefix_is_no_longer_than_what_the_window_still_has_of_it() -> None:
    placement = Placement([GroupPages(CacheKind.FULL, 100, 4), GroupPages(CacheKind.WINDOW, 9, 4, window=8)], 8)
    tokens = TokenIds.of(range(40))
    placement.admit(1, tokens)
    run(placement, 1, tokens, *range(8, 41, 8))
    placement.place(Plan(0, 50, [], releases=[Release(1, tokens)]))
    # Of nine pages the first one of the prompt was taken again: a prefix that needs it can't be gone on with.
    assert placement.admit(2, tokens[:5]) == 0
    assert placement.admit(3, tokens[:20] + TokenIds.of([99])) == 20


def test_an_answer_is_found_again_although_steps_had_run_ahead_of_its_end() -> None:
    placement = Placement([FULL, WINDOW], longest_row=8)
    tokens = TokenIds.of(range(60))
    placement.admit(1, tokens[:10])
    run(placement, 1, tokens[:10], 8, 10)
    generated(placement, 1, 10, 43)
    placement.place(Plan(0, 99, [], releases=[Release(1, tokens[:51])]))
    assert placement.admit(2, tokens[:51] + TokenIds.of([99])) == 48


def test_no_page_that_a_step_reads_is_given_to_another_row_of_it() -> None:
    placement = Placement([WINDOW], longest_row=16)
    tokens, sevens = TokenIds.of(range(32)), TokenIds.of([7] * 9)
    placement.admit(1, tokens)
    placement.admit(2, sevens)
    (first,) = run(placement, 1, tokens, 16)
    seen = set(first.rows[0].tables[0].pages[2:])
    rows = [
        PlanRow(1, 16, 16, tokens[16:]),
        PlanRow(2, 0, 9, sevens, setup=RowSetup(Sampling(), sevens, 9)),
    ]
    step, _ = placement.place(Plan(0, 90, rows))
    assert step is not None
    assert not seen & set(step.rows[1].tables[0].pages)


def test_room_is_told_of_each_group_and_a_window_promises_no_more_than_it_keeps() -> None:
    placement = Placement([FULL, WINDOW, STATE], longest_row=8)
    placement.admit(1, TokenIds.of(range(80)))
    assert placement.room == [100 - 21, 100 - WINDOW.most_kept - 2, 10 - 1]


def test_states_are_kept_at_the_grid_and_at_the_end_of_a_prompt_and_each_is_gone_on_with_in_a_copy() -> None:
    placement = Placement([FULL, STATE], longest_row=8)
    tokens = TokenIds.of(range(19))
    placement.admit(1, tokens)
    steps = run(placement, 1, tokens, 8, 16, 19)
    kept = [step.rows[0].tables[1].pages for step in steps]
    assert [step.copies for step in steps] == [
        [],
        [PageCopy(1, *kept[0], *kept[1])],
        [PageCopy(1, *kept[1], *kept[2])],
    ]
    assert placement.admit(2, TokenIds.of([*tokens, 99])) == 19
    assert placement.admit(3, tokens[:18] + TokenIds.of([99])) == 16
    assert placement.admit(4, tokens[:15] + TokenIds.of([99])) == 8
    assert placement.admit(5, tokens[:7] + TokenIds.of([99])) == 0


def test_a_page_that_the_end_of_a_turn_fills_in_part_is_copied_by_whoever_goes_on_otherwise() -> None:
    placement = Placement([FULL, STATE], longest_row=8)
    tokens = TokenIds.of(range(6))
    placement.admit(1, tokens)
    run(placement, 1, tokens, 6)
    placement.place(Plan(0, 50, [], releases=[Release(1, tokens)]))
    for sequence, last in ((2, 99), (3, 98)):
        longer = TokenIds.of([*tokens, last, 97])
        assert placement.admit(sequence, longer) == 6
        (step,) = run(placement, sequence, longer, 8, start=6)
        assert {copy.group for copy in step.copies} >= {1}
        placement.place(Plan(0, 60, [], releases=[Release(sequence, longer)]))
    for last in (99, 98):
        assert placement.admit(9, TokenIds.of([*tokens, last, 97, 5])) == 8


def test_a_state_that_has_run_ahead_of_what_counts_is_no_snapshot() -> None:
    placement = Placement([FULL, STATE], longest_row=8)
    tokens = TokenIds.of(range(7))
    placement.admit(1, tokens[:5])
    run(placement, 1, tokens[:5], 5)
    generated(placement, 1, 5, 3)
    placement.place(Plan(0, 50, [], releases=[Release(1, tokens)]))
    assert placement.admit(2, TokenIds.of([*tokens, 9, 9, 9])) == 5


def test_where_no_state_is_left_for_a_copy_the_snapshot_is_given_up() -> None:
    placement = Placement([FULL, GroupPages(CacheKind.STATE, 1, 8)], longest_row=8)
    tokens = TokenIds.of(range(19))
    placement.admit(1, tokens)
    steps = run(placement, 1, tokens, 8, 16, 19)
    assert all(not step.copies for step in steps)
    assert placement.admit(2, tokens[:10]) == 0


def test_forks_share_a_state_until_each_goes_on() -> None:
    placement = Placement([FULL, STATE], longest_row=8)
    tokens = TokenIds.of(range(5))
    placement.admit(1, tokens)
    run(placement, 1, tokens, 5)
    rows = [PlanRow(1, 5, 1), PlanRow(2, 5, 1)]
    step, _ = placement.place(Plan(0, 2, rows, forks=[Fork(1, 2, 5)]))
    assert step is not None
    states = [row.tables[1].pages for row in step.rows]
    assert states[0] != states[1]
    assert sum(copy.group == 1 for copy in step.copies) == 2
