"""How long one sequence may keep the device's thread."""

from __future__ import annotations

from mlxr.actors.executor.time_budget import MOST_SECONDS, SECONDS_A_TOKEN, TimeBudget


def test_the_time_budget_is_exceeded_by_one_long_token_or_many_that_are_long_on_average() -> None:
    ordinary, slow, slower = TimeBudget(), TimeBudget(), TimeBudget()
    for _ in range(10_000):
        ordinary.note(MOST_SECONDS / 200, 1)
    assert not ordinary.exceeded
    slow.note(MOST_SECONDS * 1.01, 1)
    assert slow.exceeded
    for _ in range(100):
        slower.note(SECONDS_A_TOKEN * 1.5, 1)
    assert slower.exceeded
