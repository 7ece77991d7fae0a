"""What becomes of a sequence's pages when rows end with a draft."""

from __future__ import annotations

from mlxr.actors.kv.placement import Placement
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.kv import CacheKind, GroupPages, Plan, PlanRow, Release, RowSetup
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.kv.placements import FULL, STATE, WINDOW, prefill


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


def test_tables_change_with_pages_and_otherwise_a_row_goes_on_as_it_came() -> None:
    for group, changing in ((FULL, [8, 12]), (WINDOW, [8, 12]), (STATE, [8])):
        placement = placed(group)
        changed = []
        for position in range(8, 14):
            step, _ = placement.place(Plan(0, position, [PlanRow(1, position, 1)]))
            assert step is not None
            changed += [position] if step.rows[0].tables else []
        assert changed == changing


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
