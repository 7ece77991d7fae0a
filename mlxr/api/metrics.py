"""Counters of requests, cheap enough for every token: plain numbers, which somebody may read at any time.

prometheus-client's own counters take a lock and several microseconds each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from mlxr.runtime.messages.common import Usage

SHORT = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Bucket bounds in seconds for a token's way to the socket."""

LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Bucket bounds in seconds for what a client waits for."""


class Histogram:
    """Counts of observations by upper bound; the last count is of those above every bound."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Returns pairs of a bound and the count at or below it, as Prometheus wants them."""
        pairs: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            pairs.append((bound, below))
        return pairs


class Metrics:
    """Counts what becomes of requests. The frontend and the transports count into one of these."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()
        """By surface and outcome."""
        self.open = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.ttft = Histogram(LONG)
        self.inter_token = Histogram(LONG)
        self.request_seconds = Histogram(LONG)
        self.to_socket = Histogram(SHORT)
        self.loop_lag = Histogram(SHORT)
        self.most_loop_lag = 0.0

    def observe_loop_lag(self, seconds: float) -> None:
        """Counts that a timer of the event loop came so many seconds too late."""
        self.loop_lag.observe(seconds)
        self.most_loop_lag = max(self.most_loop_lag, seconds)

    def count_usage(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cached_tokens += usage.cached_tokens
