"""Counters of requests, cheap enough for every token: plain numbers, which somebody may read at any time.

prometheus-client's own counters take a lock and several microseconds each time.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import Counter
from math import inf

from mlxr.runtime.messages.common import Usage

SHORT = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Bucket bounds in seconds for a token's way to the socket."""

LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Bucket bounds in seconds for what a client waits for."""

FINE = tuple(sorted({*LONG, *(round(0.0001 * 2 ** (step / 8), 7) for step in range(8 * 22 + 1))}))
"""Bounds for percentiles: each is 9 % above the one before, from 0.1 ms to 7 minutes, and those of ``LONG``."""


class Histogram:
    """Counts of observations by upper bound; the last count is of those above every bound.

    ``shown``: the bounds that Prometheus is told of, which are among ``bounds``; all of them by default.
    """

    def __init__(self, bounds: tuple[float, ...], shown: tuple[float, ...] | None = None) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0
        self._shown = frozenset(bounds if shown is None else shown)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """Returns pairs of a bound and the count at or below it, as Prometheus wants them."""
        pairs: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*self.bounds, inf), self.counts, strict=True):
            below += count
            if bound in self._shown or bound == inf:
                pairs.append(("+Inf" if bound == inf else str(bound), below))
        return pairs

    def filled(self) -> list[tuple[float, int]]:
        """Returns pairs of a bound and the count of its own that is not 0. What is above every bound counts as at the
        last."""
        bounds = (*self.bounds, self.bounds[-1])
        return [(bound, count) for bound, count in zip(bounds, self.counts, strict=True) if count]


class Metrics:
    """Counts what becomes of requests. The frontend and the transports count into one of these."""

    def __init__(self) -> None:
        self.started = time.time()
        """When counting began, in seconds of Unix time."""
        self.requests: Counter[tuple[str, str]] = Counter()
        """By surface and outcome."""
        self.open = 0
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.drafted_tokens = 0
        self.accepted_tokens = 0
        self.generated_tokens = 0
        """As they come, of requests that have not ended as well."""
        self.ttft = Histogram(FINE, LONG)
        self.inter_token = Histogram(FINE, LONG)
        self.request_seconds = Histogram(LONG)
        self.to_socket = Histogram(SHORT)
        self.loop_lag = Histogram(SHORT)
        self.most_loop_lag = 0.0
        self._loop_lag_since = 0.0

    def observe_loop_lag(self, seconds: float) -> None:
        """Counts that a timer of the event loop came so many seconds too late."""
        self.loop_lag.observe(seconds)
        self.most_loop_lag = max(self.most_loop_lag, seconds)
        self._loop_lag_since = max(self._loop_lag_since, seconds)

    def take_loop_lag(self) -> float:
        """Returns the longest delay since the call before."""
        seconds, self._loop_lag_since = self._loop_lag_since, 0.0
        return seconds

    def ended(self, outcome: str) -> int:
        """Returns how many requests ended so, of all surfaces."""
        return sum(count for (_, ended), count in self.requests.items() if ended == outcome)

    def count_usage(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cached_tokens += usage.cached_tokens
        self.drafted_tokens += usage.drafted_tokens
        self.accepted_tokens += usage.accepted_tokens
