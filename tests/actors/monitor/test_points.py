"""Points of the history, and what they add up to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mlxr.actors.monitor.points import Point, add_buckets, merge, percentile, shown
from mlxr.api.metrics import FINE, LONG, Histogram


@given(st.lists(st.floats(0.0002, 300.0), min_size=1, max_size=200), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_percentile_is_within_a_bucket_of_the_true_one(values: list[float], share: float) -> None:
    histogram = Histogram(FINE, LONG)
    for value in values:
        histogram.observe(value)
    true = sorted(values)[-(-int(share * 1000) * len(values) // 1000) - 1]
    found = percentile(histogram.filled(), share)
    assert found is not None
    assert true / 1.1 <= found <= true * 1.1


def test_nothing_observed_has_no_percentile() -> None:
    assert percentile([], 0.5) is None


def test_counts_add_up_gauges_are_averaged_over_time_and_the_most_is_the_highest() -> None:
    first = Point(10, 1.0, {"steps": 2.0}, {"open": 4.0}, {"loop_lag": 0.1}, [(0.1, 1)])
    second = Point(11, 3.0, {"steps": 1.0, "failed": 1.0}, {"open": 8.0, "late": 5.0}, {"loop_lag": 0.3}, [(0.1, 2)])
    whole = merge(first, second, 10)
    assert whole.counts == {"steps": 3.0, "failed": 1.0}
    assert whole.gauges == {"open": 7.0, "late": 5.0}
    assert whole.most == {"loop_lag": 0.3}
    assert whole.ttft == [(0.1, 3)]
    assert (whole.t, whole.seconds) == (10, 4.0)


def test_the_difference_of_histograms_has_no_empty_buckets() -> None:
    assert add_buckets([(0.1, 3), (0.2, 1)], [(0.1, 3)], -1) == [(0.2, 1)]


def test_rates_are_per_second_and_batches_per_step() -> None:
    counts = {"generated_tokens": 30.0, "prefill_tokens": 100.0, "decode_rows": 20.0, "steps": 10.0}
    point = shown(Point(5, 2.0, {**counts, "prompt_tokens": 80.0, "cached_tokens": 20.0}, {"running": 2.0}))
    assert (point.decode_rate, point.prefill_rate) == (15.0, 50.0)
    assert (point.decode_batch, point.prefill_batch) == (2.0, 10.0)
    assert point.prefix_hit_ratio == 0.25


def test_what_was_not_measured_is_none_and_an_idle_batch_is_empty() -> None:
    idle, between = shown(Point(5, 1.0)), shown(Point(5, 1.0, {}, {"running": 1.0}))
    assert (idle.prefix_hit_ratio, idle.ttft_p50, idle.decode_batch) == (None, None, 0.0)
    assert between.decode_batch is None
