"""The history in its resolutions."""

from __future__ import annotations

from mlxr.actors.monitor.points import Point
from mlxr.actors.monitor.tiers import Tiers
from mlxr.api.monitor import RESOLUTIONS


def second(t: int) -> Point:
    return Point(t, 1.0, {"steps": 1.0})


def test_a_coarser_point_is_the_sum_of_its_seconds() -> None:
    tiers = Tiers()
    closed = [each for t in range(1000, 1061) for each in tiers.add(second(t))]
    tens = [each.point for each in closed if each.resolution == 10]
    assert [point.t for point in tens] == [1000, 1010, 1020, 1030, 1040, 1050]
    assert all(point.counts["steps"] == point.seconds == 10 for point in tens)
    assert [each.point.counts["steps"] for each in closed if each.resolution == 60] == [20.0]
    assert tiers.tier(60).since(0)[-1].counts["steps"] == 41


def test_each_resolution_is_kept_for_its_time_and_no_longer() -> None:
    tiers = Tiers()
    for t in range(0, 2 * 86_400, 7):
        tiers.add(second(t))
    for resolution, seconds in RESOLUTIONS.items():
        assert len(tiers.tier(resolution).since(0)) <= seconds // resolution


def test_a_clock_that_is_set_back_takes_no_point_out_of_order() -> None:
    tiers = Tiers()
    for t in (100, 101, 50, 102):
        tiers.add(second(t))
    assert [point.t for point in tiers.tier(1).since(0)] == [100, 101, 102]


def test_what_was_kept_is_gone_on_with() -> None:
    tiers = Tiers()
    tiers.tier(10).restore([Point(90, 10.0, {"steps": 10.0}), Point(100, 3.0, {"steps": 3.0})])
    tiers.add(second(104))
    assert [(point.t, point.counts["steps"]) for point in tiers.tier(10).since(0)] == [(90, 10.0), (100, 4.0)]
