"""The restart budget."""

from __future__ import annotations

from mlxr.runtime.restarts import RestartBudget


def test_restarts_are_bounded_within_a_window() -> None:
    budget = RestartBudget(2, 10.0)
    assert [budget.spend(t) for t in (0.0, 1.0, 2.0)] == [True, True, False]


def test_old_restarts_no_longer_count() -> None:
    budget = RestartBudget(2, 10.0)
    assert [budget.spend(t) for t in (0.0, 9.0, 10.0, 11.0, 19.5)] == [True, True, True, False, True]
