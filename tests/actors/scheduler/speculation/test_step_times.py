from __future__ import annotations

import pytest

from mlxr.actors.scheduler.speculation.step_times import BINS, MOST_TOKENS, StepTimes, bin_of


def seen(times: StepTimes, *steps: tuple[int, float]) -> list[float]:
    for tokens, seconds in steps:
        times.observed(tokens, seconds)
    return times.at(0)


def test_nothing_is_known_before_the_first_step() -> None:
    assert StepTimes().at(0) == []


def test_one_step_tells_of_all_others_by_a_guess() -> None:
    known = seen(StepTimes(), (1, 0.01))
    assert known[1] == pytest.approx(0.01)
    assert known[1] < known[2] < known[16] < known[MOST_TOKENS]


def test_between_known_steps_times_lie_on_a_line() -> None:
    known = seen(StepTimes(), *[(1, 0.01), (9, 0.02)] * 50)
    assert known[5] == pytest.approx(0.015, rel=0.1)
    assert known == sorted(known)


def test_a_slow_moment_of_the_machine_is_no_change_of_the_curve() -> None:
    times = StepTimes()
    before = seen(times, *[(1, 0.01), (8, 0.02)] * 50)
    after = seen(times, *[(1, 0.02), (8, 0.04)] * 30)
    assert times.level > 1.4
    assert after[8] / after[1] == pytest.approx(before[8] / before[1], rel=0.15)


def test_a_single_step_that_took_for_ever_changes_little() -> None:
    times = StepTimes()
    before = seen(times, *[(1, 0.01)] * 50)[1]
    assert seen(times, (1, 5.0))[1] < 1.5 * before


def test_long_contexts_have_a_curve_of_their_own_that_begins_with_what_is_known() -> None:
    times = StepTimes()
    short = list(seen(times, *[(1, 0.01)] * 50))
    assert times.at(10_000) == short
    for _ in range(100):
        times.observed(16, 0.16)
    assert times.at(10_000)[16] > 1.5 * times.at(100)[16]


@pytest.mark.parametrize("tokens", [1, 7, 18, 63, 200, 256, 9_999])
def test_a_step_counts_for_the_nearest_bin(tokens: int) -> None:
    assert abs(bin_of(tokens) - tokens) == min(abs(bin - tokens) for bin in BINS)


def test_long_waits_of_a_busy_machine_count_and_endless_ones_do_not() -> None:
    times = StepTimes()
    for _ in range(100):
        times.waited(True, 0.03)
    assert times.waits[True] == pytest.approx(0.03, rel=0.01)
    times.waited(True, 60.0)
    assert times.waits[True] < 0.05
