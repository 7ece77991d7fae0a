"""What the executor keeps of sequences: block tables, tokens, and the ragged layout. NumPy only."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mlxr.actors.executor.sequences import Layout, SequenceTable, lay_out
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import ForkRow, Step
from mlxr.runtime.messages.kv import PlanRow, RowSetup, TableEntries
from mlxr.runtime.messages.token_ids import TokenIds


def row(sequence: int, start: int, length: int, first: int, pages: list[int], known: bool = False) -> PlanRow:
    setup = None if known else RowSetup(Sampling(), TokenIds.of(range(start + length)), start + length)
    tables = [TableEntries(first, pages)] if pages else []
    return PlanRow(sequence, start, length, TokenIds.of(range(length)), setup=setup, tables=tables)


def test_tokens_of_a_step_lie_side_by_side_and_go_to_their_own_slots() -> None:
    table = SequenceTable()
    step = Step(0, 1, [row(1, 0, 5, 0, [7, 3]), row(2, 0, 2, 0, [9])])
    table.apply(step)
    batch = lay_out(step.rows, table, (4,))
    assert batch.query_starts.tolist() == [0, 5, 7]
    assert batch.positions.tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert batch.groups[0].slots.tolist() == [28, 29, 30, 31, 12, 36, 37]
    assert batch.context_lengths.tolist() == [5, 2]
    assert batch.groups[0].block_tables.tolist() == [[7, 3], [9, 0]]


def test_a_block_table_grows_and_has_copied_pages_replaced() -> None:
    table = SequenceTable()
    table.apply(Step(0, 1, [row(1, 0, 4, 0, [5, 6])]))
    table.apply(Step(0, 2, [row(1, 4, 1, 2, [8], known=True)]))
    assert table[1].tables[0].tolist() == [5, 6, 8]
    table.apply(Step(0, 3, [row(1, 5, 1, 2, [9], known=True)]))
    assert table[1].tables[0].tolist() == [5, 6, 9]


def test_a_choice_is_registered_with_its_own_settings_and_placed_by_its_fork() -> None:
    table = SequenceTable()
    setup = RowSetup(Sampling(seed=9), TokenIds.of([1, 2, 3]), 3)
    shared = [TableEntries(0, [4])]
    own = RowSetup(Sampling(seed=4), TokenIds.of([1, 2, 3]), 3)
    table.apply(
        Step(0, 1, [PlanRow(1, 0, 3, TokenIds.of([1, 2, 3]), [1, 2], own, register=[(2, setup)], tables=shared)])
    )
    table.apply(Step(0, 2, [], forks=[ForkRow(2, shared)]))
    assert (table[1].sampling.seed, table[2].sampling.seed) == (4, 9)
    assert table[2].tables[0].tolist() == [4]


def test_a_reset_forgets_every_sequence() -> None:
    table = SequenceTable()
    table.apply(Step(0, 1, [row(1, 0, 4, 0, [5])]))
    assert table.apply(Step(0, 2, [], reset=True)) == [1]
    assert table.get(1) is None


def test_without_pages_a_sequence_is_one_page() -> None:
    table = SequenceTable()
    step = Step(0, 1, [row(1, 0, 5, 0, [0]), row(2, 0, 9, 0, [0])])
    table.apply(step)
    batch = lay_out(step.rows, table, ())
    assert batch.groups[0].page_size == 9
    assert batch.groups[0].block_tables.shape == (2, 1)


def test_each_cache_group_has_tables_of_its_own_and_a_state_one_entry() -> None:
    table = SequenceTable()
    setup = RowSetup(Sampling(), TokenIds.of(range(7)), 7)
    tables = [TableEntries(0, [7, 3, 4, 6]), TableEntries(2, [1, 8]), TableEntries(0, [5])]
    rows = [PlanRow(1, 5, 2, TokenIds.of([5, 6]), setup=setup, tables=tables)]
    table.apply(Step(0, 1, rows))
    batch = lay_out(rows, table, (2, 2, None))
    full, window, state = batch.groups
    assert full.slots.tolist() == [4 * 2 + 1, 6 * 2]
    assert window.slots.tolist() == [1 * 2 + 1, 8 * 2]
    assert window.block_tables[0, 2:].tolist() == [1, 8]
    assert (state.slots.tolist(), state.block_tables.tolist()) == ([], [[5]])


def test_a_window_that_moves_on_keeps_the_places_of_its_pages() -> None:
    table = SequenceTable()
    table.apply(Step(0, 1, [row(1, 0, 6, 0, [5, 6, 7])]))
    table.apply(Step(0, 2, [row(1, 6, 1, 3, [5], known=True)]))
    assert table[1].tables[0].tolist() == [5, 6, 7, 5]


@given(st.integers(1, 5), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 12), st.integers(0, 30))
def test_a_layout_made_from_the_step_before_is_the_one_made_anew(
    page_size: int, prompts: list[int], steps: int, gone: int
) -> None:
    """Decoding of sequences that enter new pages at different times, one of which ends on the way."""
    table, layout = SequenceTable(), Layout((page_size,))
    pages = itertools.count(3)
    held = dict.fromkeys(range(len(prompts)), 0)

    def step_row(id: int, start: int, length: int) -> PlanRow:
        first, wanted = held[id], -(-(start + length) // page_size)
        held[id] = wanted
        return row(id, start, length, first, [next(pages) for _ in range(first, wanted)], known=start > 0)

    for number in range(steps):
        live = [id for id in held if number <= gone or id or len(held) == 1]
        rows = [step_row(id, prompts[id] + number - 1 if number else 0, 1 if number else prompts[id]) for id in live]
        table.apply(Step(0, number, rows))
        made, expected = layout.of(rows, table), lay_out(rows, table, (page_size,))
        for name in ("query_starts", "context_lengths", "positions"):
            assert getattr(made, name).tolist() == getattr(expected, name).tolist()
        for name in ("slots", "block_tables"):
            assert getattr(made.groups[0], name).tolist() == getattr(expected.groups[0], name).tolist()


def test_a_decode_beside_a_prompt_that_goes_no_further_is_laid_out_anew() -> None:
    table, layout = SequenceTable(), Layout((4,))
    steps = ([row(1, 0, 3, 0, [5]), row(2, 1, 1, 0, [6])], [row(2, 2, 1, 1, [], known=True)])
    for number, rows in enumerate(steps):
        table.apply(Step(0, number, rows))
        made = layout.of(rows, table)
    assert made.query_starts.tolist() == [0, 1]
    assert made.groups[0].slots.tolist() == [26]


def test_a_sequence_that_starts_over_is_laid_out_anew() -> None:
    table, layout = SequenceTable(), Layout((4,))
    for start, pages in ((1, [5]), (2, [])):
        rows = [row(1, start, 1, 0, pages, known=start > 1)]
        table.apply(Step(0, start, rows))
        layout.of(rows, table)
    rows = [row(1, 3, 1, 0, [8])]
    table.apply(Step(0, 3, rows, reset=True))
    assert layout.of(rows, table).groups[0].slots.tolist() == [35]
