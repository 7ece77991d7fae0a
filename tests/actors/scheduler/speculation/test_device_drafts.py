"""The executor is asked for drafts where their making pays."""

from __future__ import annotations

from mlxr.actors.scheduler.sequences import Sequence
from mlxr.actors.scheduler.speculation import RowDraft, StepCost
from mlxr.actors.scheduler.speculation.depth import LearnedDepths
from mlxr.actors.scheduler.speculation.device_drafts import TRIAL_PART, DeviceDrafts
from mlxr.actors.scheduler.speculation.origins import DraftKind, Origin, Part
from mlxr.actors.scheduler.submission import open_request
from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind, Submit, Verified
from mlxr.runtime.messages.token_ids import TokenIds

INFO = DrafterInfo(DrafterKind.DRAFT_MODEL, 0.1, "small")
STEP = 0.01


def sequence(id: int = 1, prompt: int = 20, output: int = 0) -> Sequence:
    made = open_request(Submit(id, TokenIds.of([1] * prompt), max_tokens=500, sampling=Sampling(0.0)), id).sequences[0]
    made.output = [2] * output
    return made


def drafts(cost: float, text: int = 0) -> tuple[LearnedDepths, DeviceDrafts]:
    """A pass of the drafter takes ``cost`` of a step of 10 ms, and each further token of a step a twentieth. ``text``:
    tokens that are found to stand before, where others draft."""
    depths = LearnedDepths(lambda sequence: [Part(Origin(DraftKind.LOOKUP, text), 8)])
    made = DeviceDrafts(depths)
    made.opened(INFO)
    depths.times.at(20)
    made.times.at(20)
    for _ in range(40):
        for tokens in (1, 2, 4, 8, 16, 32, 64):
            step = StepCost(1, tokens, 0, tokens - 1, STEP * (1 + 0.05 * (tokens - 1)), 0.0, [])
            depths.observed(step)
            made.times.observed(tokens, cost * step.device_seconds)
    return depths, made


def results(made: DeviceDrafts, sequence: Sequence, of: int, right: int, times: int = 40) -> None:
    for _ in range(times):
        made.verified(sequence, of, Verified(sequence.id, of, right))


def wish(made: DeviceDrafts, *rows: Sequence, most: int = 100) -> dict[int, RowDraft]:
    return made.choose([(row, most) for row in rows], len(rows), others=False)


def test_nothing_is_asked_before_a_step_has_been_timed() -> None:
    made = DeviceDrafts(LearnedDepths(lambda sequence: []))
    made.opened(INFO)
    assert wish(made, sequence()) == {}


def test_drafts_are_long_where_they_are_right_and_cheap_short_where_they_are_often_wrong() -> None:
    _, made = drafts(0.05)
    right, wrong = sequence(1), sequence(2)
    results(made, right, 8, 8)
    results(made, wrong, 4, 1)
    assert wish(made, right)[right.id].wanted >= 8
    assert 0 < wish(made, wrong)[wrong.id].wanted <= 3


def test_a_drafter_that_takes_as_long_as_the_model_is_hardly_ever_asked() -> None:
    depths, made = drafts(1.0)
    row = sequence()
    results(made, row, 8, 8)
    asked = 0
    for _ in range(1_000):
        wanted = wish(made, row)
        asked += bool(wanted)
        cost = StepCost(1, 1, 0, 0, STEP, 0.0)
        depths.observed(cost)
        made.observed(cost)
    assert 0 < asked < 1_000 * TRIAL_PART


def test_trials_find_out_that_drafts_are_right_by_now() -> None:
    _, made = drafts(0.05)
    results(made, sequence(1), 4, 0, times=300)
    row, wanted = sequence(2), 0
    for _ in range(2_000):
        wanted = wish(made, row).get(row.id, RowDraft()).wanted
        if wanted:
            made.verified(row, wanted, Verified(row.id, wanted, wanted))
        made.observed(StepCost(1, 1, 0, 0, STEP, 0.0))
    assert wanted > 3


def test_a_day_without_trials_is_not_made_up_for_at_once() -> None:
    _, made = drafts(1.0)
    row = sequence()
    results(made, row, 4, 0, times=300)
    for _ in range(100_000):
        made.observed(StepCost(1, 1, 0, 0, STEP, 0.0))
    asked = 0
    for _ in range(1_000):
        asked += bool(wish(made, row))
        made.observed(StepCost(1, 1, 0, 0, STEP, 0.0))
    assert 0 < asked < 20


def test_a_long_sequence_is_read_once_it_has_said_enough_for_that_to_have_paid() -> None:
    _, made = drafts(0.1)
    results(made, sequence(9), 4, 4)
    assert wish(made, sequence(1, prompt=100)) != {}
    assert wish(made, sequence(2, prompt=4_000, output=1)) == {}
    assert list(wish(made, sequence(3, prompt=4_000, output=400)).values()) == [RowDraft([], 1)]


def test_no_draft_is_longer_than_it_may_be() -> None:
    _, made = drafts(0.05)
    row = sequence()
    results(made, row, 8, 8)
    assert wish(made, row, most=2)[row.id].wanted == 2


def test_who_can_get_none_is_not_asked_again() -> None:
    _, made = drafts(0.05)
    row = sequence()
    results(made, row, 8, 8)
    made.verified(row, 8, Verified(row.id, 0, 0, unread=-1))
    assert wish(made, row) == {}


def test_what_is_found_in_the_text_comes_first_where_it_promises_more() -> None:
    for length, kept in ((32, True), (3, False)):
        depths, made = drafts(0.05, text=length)
        row = sequence()
        results(made, row, 8, 7)
        depths.choose([(row, [5] * 8)], 1)
        found = made.choose([(row, 8)], 1, others=True)
        assert (found == {}) == kept


def test_a_drafter_of_a_kind_that_is_turned_off_is_not_asked() -> None:
    depths, _ = drafts(0.05)
    made = DeviceDrafts(depths, frozenset({DrafterKind.MTP}))
    made.opened(INFO)
    assert not made.on


def test_what_greedy_sequences_show_says_nothing_of_those_that_are_sampled() -> None:
    _, made = drafts(0.2)
    results(made, sequence(1), 8, 8, times=300)
    sampled = sequence(2)
    sampled.sampling = Sampling(1.0)
    results(made, sampled, 2, 0, times=100)
    other = sequence(3)
    other.sampling = Sampling(1.0)
    made.observed(StepCost(1, 1, 0, 0, STEP, 0.0))
    wish(made, other)  # a trial, which is soon paid for
    assert wish(made, other) == {}
    assert wish(made, sequence(4)) != {}


def test_no_more_sequences_are_drafted_for_than_can_be_read_before_a_step() -> None:
    _, made = drafts(0.05)
    rows = [sequence(id, prompt=50) for id in range(1, 9)]
    results(made, rows[0], 4, 4)
    for row in rows[:3]:
        made.verified(row, 1, Verified(row.id, 0, 0, unread=0))
    assert len(wish(made, *rows)) == 3 + 2
