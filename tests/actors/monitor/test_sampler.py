"""Points made of totals."""

from __future__ import annotations

from typing import Any

from mlxr.actors.monitor.points import shown
from mlxr.actors.monitor.sampler import Sampler


def told(sampler: Sampler, t: float, engines: dict[str, dict[str, Any]] | None = None, **fields: Any) -> Any:
    for name, engine in (engines or {}).items():
        sampler.engine({"event": "EngineState", "t": t, "engine": name, "model": "m", **engine})
    return sampler.sample({"event": "MetricsSampled", "t": t, "started": 5.0, **fields}, {"memory_bytes": 7.0})


def test_the_first_sample_is_a_point_of_all_that_was_counted_since_a_start_of_which_nothing_is_recorded() -> None:
    counted = {"started": 8.5, "generated_tokens": 5, "ttft": [[0.5, 1]]}
    point = told(Sampler(recorded=8.0), 10.5, {"a": {"steps": 5}}, **counted)
    assert (point.t, point.seconds, point.counts["generated_tokens"], point.counts["steps"]) == (10, 2.0, 5, 5)
    assert point.ttft == [(0.5, 1)]


def test_the_first_sample_after_recorded_ones_is_no_point_and_the_next_is_what_was_gained() -> None:
    sampler = Sampler(recorded=9.0)
    engines = {"a": {"steps": 5, "running": 1}}
    assert told(sampler, 10.2, engines, generated_tokens=100, ttft=[[0.5, 3]]) is None
    engines = {"a": {"steps": 9, "running": 2}, "b": {"steps": 1, "running": 1}}
    point = told(sampler, 11.2, engines, generated_tokens=140, ttft=[[0.5, 3], [1.0, 2]], open=3)
    assert (point.t, point.seconds) == (11, 1.0)
    assert point.counts["generated_tokens"] == 40
    assert point.counts["steps"] == 5
    assert point.gauges["running"] == 3
    assert point.gauges["open"] == 3
    assert point.gauges["memory_bytes"] == 7.0
    assert point.ttft == [(1.0, 2)]


def test_counters_that_begin_anew_gain_what_they_have() -> None:
    sampler = Sampler(recorded=9.0)
    told(sampler, 10.0, {"a": {"steps": 500}}, finished=9, inter_token=[(0.1, 50)])
    point = told(sampler, 11.0, {"a": {"steps": 3}}, finished=1, inter_token=[(0.1, 2)])
    assert (point.counts["steps"], point.counts["finished"], point.inter_token) == (3, 1, [(0.1, 2)])


def test_restarts_count_once() -> None:
    sampler = Sampler(recorded=9.0)
    told(sampler, 10.0)
    sampler.restarted()
    assert told(sampler, 11.0).counts["restarts"] == 1
    assert told(sampler, 12.0).counts["restarts"] == 0


def test_a_long_silence_stands_for_ten_seconds_at_most() -> None:
    sampler = Sampler(recorded=9.0)
    told(sampler, 10.0)
    assert told(sampler, 500.0).seconds == 10.0


def test_engines_share_a_folder_on_disk_and_its_quota_and_each_reads_its_own_from_there() -> None:
    sampler = Sampler(recorded=9.0)
    disk = {"disk_bytes": 300, "disk_quota": 1000}
    engines = {name: {**disk, "prompt_tokens": 0} for name in ("a", "b")}
    told(sampler, 10.0, engines)
    read = {name: {**disk, "prompt_tokens": 100, "restored_tokens": 30} for name in ("a", "b")}
    point = told(sampler, 11.0, read)
    assert (point.gauges["disk_bytes"], point.gauges["disk_quota"]) == (300, 1000)
    made = shown(point)
    assert (made.disk_bytes, made.disk_quota, made.disk_hit_ratio) == (300.0, 1000.0, 0.3)
