from __future__ import annotations

import pytest

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import StepCost
from mlxr.actors.scheduler.speculation.depth import LearnedDepths
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part
from mlxr.actors.scheduler.submission import open_request
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds

DRAFT = list(range(32))


def sequences(count: int) -> list[Sequence]:
    return [open_request(Submit(id, TokenIds.of([1, 2]), max_tokens=500), id).sequences[0] for id in range(count)]


def depths(length: int, rise: float, wait: float = 0.0) -> LearnedDepths:
    """Of drafts behind matches of ``length``, where each token of a step adds ``rise`` to 10 ms."""
    made = LearnedDepths(lambda sequence: [Part(Origin(DraftKind.LOOKUP, length), len(DRAFT))])
    for _ in range(40):
        for tokens in (1, 2, 4, 8, 16, 32, 64):
            drafted = tokens - 1
            seconds = 0.01 * (1 + rise * (tokens - 1))
            made.observed(StepCost(1, tokens, 0, drafted, seconds, wait if drafted else 0.0))
    return made


def chosen(made: LearnedDepths, rows: list[Sequence], decode_rows: int | None = None) -> list[int]:
    return made.choose([(sequence, DRAFT) for sequence in rows], decode_rows or len(rows))


def test_nothing_is_verified_before_a_step_has_been_timed() -> None:
    made = LearnedDepths(lambda sequence: [Part(Origin(DraftKind.LOOKUP, 32), len(DRAFT))])
    assert chosen(made, sequences(1)) == [0]


def test_good_drafts_are_verified_deeply_where_tokens_are_cheap_and_not_at_all_where_each_costs_a_step() -> None:
    [sequence] = sequences(1)
    assert chosen(depths(32, 0.02), [sequence])[0] > 12
    assert 0 < chosen(depths(32, 0.15), [sequence])[0] < 32
    assert chosen(depths(32, 1.0), [sequence]) == [0]


def test_doubtful_drafts_are_not_worth_an_idle_device() -> None:
    [sequence] = sequences(1)
    assert chosen(depths(3, 0.02), [sequence])[0] > 0
    assert chosen(depths(3, 0.02, wait=0.01), [sequence]) == [0]


def test_entering_a_run_of_steps_with_drafts_must_make_up_for_the_steps_in_flight() -> None:
    [sequence] = sequences(1)
    made = depths(5, 0.05, wait=0.004)
    drained = chosen(made, [sequence])[0]
    sequence.in_flight = 2
    assert chosen(made, [sequence])[0] < drained


def test_what_the_step_behind_drafts_waits_makes_no_step_without_drafts_look_slow() -> None:
    [sequence] = sequences(1)
    made, apart = depths(3, 0.1, wait=0.004), depths(3, 0.1, wait=0.004)
    for _ in range(100):
        made.observed(StepCost(1, 1, 0, 0, 0.01, 0.004, follows=False))
        made.observed(StepCost(1, 1, 0, 0, 0.01, 0.0))
        apart.observed(StepCost(1, 1, 0, 0, 0.01, 0.0))
    assert made.times.waits[False] == pytest.approx(apart.times.waits[False])
    assert chosen(made, [sequence]) == chosen(apart, [sequence])


def test_likelier_drafts_of_a_batch_are_verified_further() -> None:
    first, second = sequences(2)
    lengths = {first.id: 32, second.id: 3}
    made = depths(32, 0.05)
    made._parts = lambda sequence: [Part(Origin(DraftKind.LOOKUP, lengths[sequence.id]), len(DRAFT))]
    deep, shallow = chosen(made, [first, second])
    assert deep > shallow


def test_one_draft_among_many_rows_has_to_pay_for_all_of_them() -> None:
    [sequence] = sequences(1)
    made = depths(5, 0.1, wait=0.001)
    assert chosen(made, [sequence])[0] > 0
    assert chosen(made, [sequence], decode_rows=16) == [0]


def test_wrong_drafts_of_a_sequence_end_its_speculation_until_they_are_right_again() -> None:
    [sequence] = sequences(1)
    made = depths(8, 0.1)
    assert chosen(made, [sequence])[0] > 0
    for _ in range(20):
        made.verified(sequence, 4, 0)
    assert chosen(made, [sequence]) == [0]
    for _ in range(40):
        made.verified(sequence, 3, 3)  # As what a draft said of tokens in flight is found.
    assert chosen(made, [sequence])[0] > 0


def test_steps_with_prompts_tell_nothing_of_what_drafts_cost() -> None:
    made = depths(8, 0.1)
    before = list(made.times.at(0))
    made.observed(StepCost(1, 128, 127, 0, 3.0, 0.0))
    assert made.times.at(0) == before


def test_a_model_with_states_pays_for_wrong_drafts_a_second_time() -> None:
    [sequence] = sequences(1)
    made = depths(8, 0.1)
    before = chosen(made, [sequence])[0]
    sequence.behind = 2
    assert chosen(made, [sequence])[0] < before
