"""What the KV manager promises, gives and takes back."""

from __future__ import annotations

from mlxr.actors.kv.placement import Placement
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import PageCopy, Step
from mlxr.runtime.messages.kv import CacheKind, Fork, GroupPages, Plan, PlanRow, Release, RowSetup
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


FULL = GroupPages(CacheKind.FULL, 100, 4)
WINDOW = GroupPages(CacheKind.WINDOW, 100, 4, window=8)
STATE = GroupPages(CacheKind.STATE, 10, 8)


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


def drafted(sequence: int, start: int, known: int, draft: int) -> PlanRow:
    """A row of ``known`` tokens and a draft behind them."""
    length = known + draft
    return PlanRow(sequence, start, length, TokenIds.of(range(start, start + length)), [sequence], draft=draft)


def placed(*groups: GroupPages, tokens: int = 8) -> Placement:
    placement = Placement(list(groups), longest_row=16)
    placement.admit(1, TokenIds.of(range(tokens)))
    placement.place(Plan(0, 1, [prefill(1, 0, tokens)]))
    return placement


def rows(placement: Placement, *planned: PlanRow) -> list[tuple[int, int, int]]:
    """Places a step of rows; returns where those begin that are in it, their tokens, and how many are drafts."""
    step, _ = placement.place(Plan(0, 9, list(planned)))
    return [(row.start, row.length, row.draft) for row in step.rows] if step is not None else []


def test_a_sequence_goes_on_behind_whatever_was_accepted_of_its_draft() -> None:
    for accepted in range(4):
        placement = placed(FULL)
        assert rows(placement, drafted(1, 8, 1, 3)) == [(8, 4, 3)]
        assert rows(placement, PlanRow(1, 9 + accepted, 1)) == [(9 + accepted, 1, 0)]


def test_a_sequence_goes_on_nowhere_else() -> None:
    for start in (7, 13):
        placement = placed(FULL)
        rows(placement, drafted(1, 8, 1, 3))
        assert rows(placement, PlanRow(1, start, 1)) == []


def test_rejected_tokens_are_found_by_nobody() -> None:
    placement = placed(FULL)
    rows(placement, drafted(1, 8, 1, 7))
    accepted = TokenIds.of([*range(10)])
    placement.place(Plan(0, 10, [], releases=[Release(1, accepted)]))
    assert placement.admit(2, TokenIds.of(range(17))) == 8
    placement.place(Plan(0, 11, [], releases=[Release(2)]))


def test_accepted_tokens_are_found_by_the_next_turn() -> None:
    placement = placed(FULL)
    rows(placement, drafted(1, 8, 1, 7))
    placement.place(Plan(0, 10, [], releases=[Release(1, TokenIds.of(range(16)))]))
    assert placement.admit(2, TokenIds.of(range(17))) == 16


def test_a_draft_that_finds_no_pages_is_left_out_and_its_row_is_not() -> None:
    placement = placed(GroupPages(CacheKind.FULL, 3, 4))
    assert rows(placement, drafted(1, 8, 1, 7)) == [(8, 1, 0)]
    assert rows(placement, PlanRow(1, 9, 1)) == [(9, 1, 0)]


def test_windows_keep_what_is_seen_from_where_a_row_with_a_draft_begins() -> None:
    placement = placed(WINDOW, tokens=40)
    rows(placement, drafted(1, 40, 1, 15))
    placement.place(Plan(0, 10, [drafted(1, 41, 1, 1)]))
    step, _ = placement.place(Plan(0, 11, [PlanRow(1, 42, 1, setup=RowSetup(Sampling(), TokenIds(), 40))]))
    assert step is not None
    first_seen = (42 - 8 + 1) // 4
    assert step.rows[0].tables[0].first <= first_seen


def test_a_draft_takes_no_page_that_was_promised_to_another() -> None:
    placement = placed(GroupPages(CacheKind.FULL, 6, 4))
    placement.admit(2, TokenIds.of(range(100, 108)))
    assert rows(placement, drafted(1, 8, 1, 7)) == [(8, 1, 0)]
    assert rows(placement, drafted(1, 9, 1, 2)) == [(9, 3, 2)]


def test_a_state_is_gone_back_to_where_a_draft_was_wrong_in_part() -> None:
    placement = placed(STATE)
    (own,) = run_tables(placement, drafted(1, 8, 1, 3))
    step, _ = placement.place(Plan(0, 10, [drafted(1, 8, 3, 2)]))
    assert step is not None
    (copy,) = step.copies
    assert copy.target == step.rows[0].tables[0].pages[0] != copy.source
    assert placement.held == 2
    # All of that was right: its state is the one to go on from, and the other one is free.
    step, _ = placement.place(Plan(0, 11, [PlanRow(1, 13, 1)]))
    assert step is not None
    assert (step.copies, step.rows[0].tables, placement.held) == ([], [], 1)
    assert own != copy.source


def test_a_row_without_a_draft_goes_on_from_the_state_before_the_last_draft() -> None:
    placement = placed(STATE)
    (copy,) = placement.place(Plan(0, 9, [drafted(1, 8, 1, 3)]))[0].copies  # type: ignore[union-attr]
    step, _ = placement.place(Plan(0, 10, [PlanRow(1, 8, 2)]))
    assert step is not None
    assert [entries.pages for entries in step.rows[0].tables] == [
        [step.copies[0].target if step.copies else copy.source]
    ]
    assert placement.held == 1


def test_no_state_is_kept_of_a_sequence_that_ends_within_its_draft() -> None:
    placement = placed(FULL, STATE)
    rows(placement, drafted(1, 8, 1, 3))
    placement.place(Plan(0, 10, [], releases=[Release(1, TokenIds.of(range(10)))]))
    assert placement.held == 0
    assert placement.admit(2, TokenIds.of(range(12))) == 8


def test_a_state_for_a_draft_is_only_taken_where_there_is_one() -> None:
    placement = placed(GroupPages(CacheKind.STATE, 1, 8))
    assert rows(placement, drafted(1, 8, 1, 3)) == [(8, 1, 0)]


def run_tables(placement: Placement, row: PlanRow) -> list[int]:
    """Places a row; returns the pages that its sequence goes on with."""
    step, _ = placement.place(Plan(0, 9, [row]))
    assert step is not None
    return step.rows[0].tables[0].pages


def test_a_state_to_go_back_to_moves_with_its_pool() -> None:
    placement = Placement([GroupPages(CacheKind.STATE, 8, 8, page_bytes=1)], longest_row=16)
    for sequence in (2, 3, 4, 1):
        placement.admit(sequence, TokenIds.of(range(8)), reuse=False)
        placement.place(Plan(0, sequence, [prefill(sequence, 0, 8)]))
    run_tables(placement, drafted(1, 8, 1, 3))
    placement.place(Plan(0, 10, [], releases=[Release(2), Release(3), Release(4)]))
    resized = placement.limit(0, 2)
    assert resized is not None
    moved = {copy.source: copy.target for copy in resized.copies}
    assert len(moved) == 2
    (page,) = run_tables(placement, PlanRow(1, 8, 2))
    assert page in moved.values()
    placement.place(Plan(0, 11, [], releases=[Release(1)]))
    assert placement.held == 0
