"""The history of metrics: the last minutes by the second, the last hours coarser. Bounded, whatever happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from mlxr.actors.monitor.points import Point, merge
from mlxr.api.monitor import RESOLUTIONS


class Closed(NamedTuple):
    """A point that is complete."""

    resolution: int
    point: Point


class Tier:
    """Points of ``resolution`` seconds each, in order of time; the last is still added to."""

    def __init__(self, resolution: int, seconds: int) -> None:
        self.resolution = resolution
        self._points: deque[Point] = deque(maxlen=seconds // resolution)

    def add(self, point: Point) -> Closed | None:
        """Adds what a second was; returns the point before, if this one is the next."""
        start = point.t - point.t % self.resolution
        last = self._points[-1] if self._points else None
        if last is not None and start <= last.t:
            # Also where the system's clock was set back: time goes on where it had come to.
            self._points[-1] = merge(last, point, last.t)
            return None
        self._points.append(merge(Point(start, 0.0), point, start))
        return Closed(self.resolution, last) if last is not None else None

    def restore(self, points: Iterable[Point]) -> None:
        """Puts in what was kept, the oldest first, before anything is added."""
        self._points.extend(points)

    def latest(self) -> Point | None:
        return self._points[-1] if self._points else None

    def since(self, t: int) -> list[Point]:
        """Returns the points from ``t`` on; the last is not complete."""
        return [point for point in self._points if point.t >= t]


class Tiers:
    """The tiers of every resolution."""

    def __init__(self) -> None:
        self._tiers = {resolution: Tier(resolution, seconds) for resolution, seconds in RESOLUTIONS.items()}

    def add(self, point: Point) -> list[Closed]:
        """Adds a second; returns the points that are complete with it."""
        return [closed for tier in self._tiers.values() if (closed := tier.add(point)) is not None]

    def tier(self, resolution: int) -> Tier:
        return self._tiers[resolution]

    def unfinished(self) -> list[Closed]:
        """Returns the last point of each tier, as far as it goes."""
        latest = ((tier.resolution, tier.latest()) for tier in self._tiers.values())
        return [Closed(resolution, point) for resolution, point in latest if point is not None]
