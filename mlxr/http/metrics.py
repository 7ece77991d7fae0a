"""Counters of the HTTP side, cheap enough for every token, and their Prometheus form.

prometheus-client's own counters take a lock and several microseconds each time; these are plain numbers, and turn
into metric families only when somebody reads ``/metrics``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mlxr.runtime.messages.common import Usage
from mlxr.runtime.messages.frontend import EngineStats

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
        """Pairs of bound and count at or below it, as Prometheus wants them."""
        pairs: list[tuple[str, float]] = []
        below = 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            below += count
            pairs.append((bound, below))
        return pairs


class Metrics:
    """What open streams report."""

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

    def saw_lag(self, seconds: float) -> None:
        """A timer of the event loop came so much too late."""
        self.loop_lag.observe(seconds)
        self.most_loop_lag = max(self.most_loop_lag, seconds)

    def count_usage(self, usage: Usage) -> None:
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cached_tokens += usage.cached_tokens


def render(metrics: Metrics, engines: Callable[[], Iterable[EngineStats]]) -> bytes:
    """The Prometheus text of everything counted so far."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics, engines))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, metrics: Metrics, engines: Callable[[], Iterable[EngineStats]]) -> None:
        self._metrics = metrics
        self._engines = engines

    def collect(self) -> Iterator[Metric]:
        yield from _http_families(self._metrics)
        yield from _engine_families(list(self._engines()))


def _http_families(metrics: Metrics) -> Iterator[Metric]:
    requests = CounterMetricFamily("mlxr_requests", "Requests by outcome", labels=["surface", "outcome"])
    for (surface, outcome), count in sorted(metrics.requests.items()):
        requests.add_metric([surface, outcome], count)
    yield requests
    yield GaugeMetricFamily("mlxr_open_requests", "Requests in flight", value=metrics.open)
    yield CounterMetricFamily("mlxr_prompt_tokens", "Prompt tokens of ended requests", value=metrics.prompt_tokens)
    yield CounterMetricFamily("mlxr_cached_tokens", "Prompt tokens found in the cache", value=metrics.cached_tokens)
    yield CounterMetricFamily(
        "mlxr_completion_tokens", "Tokens generated for ended requests", value=metrics.completion_tokens
    )
    for name, text, histogram in (
        ("mlxr_ttft_seconds", "From request to first token", metrics.ttft),
        ("mlxr_inter_token_seconds", "Between tokens of one request", metrics.inter_token),
        ("mlxr_request_seconds", "From request to outcome", metrics.request_seconds),
        ("mlxr_step_to_socket_seconds", "From the end of a step to its bytes on the socket", metrics.to_socket),
        ("mlxr_event_loop_lag_seconds", "By how much timers of the event loop are late", metrics.loop_lag),
    ):
        yield HistogramMetricFamily(name, text, buckets=histogram.cumulative(), sum_value=histogram.total)
    most = metrics.most_loop_lag
    yield GaugeMetricFamily("mlxr_event_loop_lag_max_seconds", "The longest of them since the start", value=most)


class _EngineMetric(NamedTuple):
    name: str
    text: str
    value: Callable[[EngineStats], float]
    counts: bool


_ENGINE_METRICS = (
    _EngineMetric("mlxr_running_sequences", "Sequences being computed", lambda s: s.running, False),
    _EngineMetric("mlxr_waiting_requests", "Requests in the queue", lambda s: s.waiting, False),
    _EngineMetric("mlxr_steps", "Forward passes", lambda s: s.steps, True),
    _EngineMetric("mlxr_engine_prompt_tokens", "Prompt tokens taken in", lambda s: s.prompt_tokens, True),
    _EngineMetric("mlxr_engine_cached_tokens", "Prompt tokens not computed again", lambda s: s.cached_tokens, True),
    _EngineMetric("mlxr_engine_generated_tokens", "Tokens sampled", lambda s: s.generated_tokens, True),
    _EngineMetric("mlxr_preemptions", "Sequences that gave their pages back", lambda s: s.preemptions, True),
    _EngineMetric("mlxr_executor_restarts", "Restarts of the executor", lambda s: s.executor_restarts, True),
    _EngineMetric("mlxr_device_seconds", "Time the executor computed", lambda s: s.device_seconds, True),
    _EngineMetric("mlxr_wait_seconds", "Time the executor had nothing to run", lambda s: s.wait_seconds, True),
)


def _engine_families(engines: list[EngineStats]) -> Iterator[Metric]:
    for metric in _ENGINE_METRICS:
        kind = CounterMetricFamily if metric.counts else GaugeMetricFamily
        family = kind(metric.name, metric.text, labels=["engine"])
        for stats in engines:
            family.add_metric([stats.engine], metric.value(stats))
        yield family
    pages = GaugeMetricFamily("mlxr_pages", "Pages of the KV cache", labels=["engine", "state"])
    for stats in engines:
        for state, count in (
            ("used", stats.pages_used),
            ("cached", stats.pages_cached),
            ("free", stats.pages_total - stats.pages_used - stats.pages_cached),
        ):
            pages.add_metric([stats.engine, state], count)
    yield pages
