"""Measuring a machine takes about as long whatever it computes with."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from mlxr.metal import machine


@pytest.fixture
def taking(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Callable[[], None]]:
    """Returns work that takes so many seconds, by the clock that measures."""
    now = 0.0

    def work(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(machine.time, "perf_counter", lambda: now)
    return lambda seconds: partial(work, seconds)


def test_what_is_quick_is_done_as_often_as_it_is_to_be(taking: Callable[[float], Callable[[], None]]) -> None:
    times = machine._times({"a": taking(0.001), "b": taking(0.002)}, 24)
    assert {name: len(each) for name, each in times.items()} == {"a": 24, "b": 24}
    assert times["b"] == pytest.approx([0.002] * 24)


def test_what_is_slow_is_done_once_each(taking: Callable[[float], Callable[[], None]]) -> None:
    times = machine._times({"a": taking(1.0), "b": taking(2.0)}, 24)
    assert times == {"a": [1.0], "b": [2.0]}
