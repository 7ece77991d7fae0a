"""Durations in their written forms."""

from __future__ import annotations

import math

import pytest

from mlxr.runtime.durations import duration_seconds, kept_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("24h", 86400), ("5m", 300), ("1h30m", 5400), ("-1", -1), ("0", 0), ("300", 300), (" 1.5s ", 1.5), ("2d", 172800)],
)
def test_a_duration_is_seconds_or_numbers_with_units(text: str, seconds: float) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "5M", "1.5", "h", "1h30", "٣m"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        duration_seconds(text)


def test_what_is_negative_or_past_all_dates_is_for_ever() -> None:
    assert [kept_seconds(seconds) for seconds in (0, 300, -1, 1e12)] == [0, 300, math.inf, math.inf]
