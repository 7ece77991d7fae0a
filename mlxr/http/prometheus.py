"""The Prometheus form of what was counted (``mlxr.api.metrics``), made when somebody reads ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from mlxr.api.metrics import Metrics
from mlxr.runtime.messages.common import DiskUse
from mlxr.runtime.messages.frontend import EngineStats

T = TypeVar("T")


def render(metrics: Metrics, engines: Callable[[], Iterable[EngineStats]]) -> bytes:
    """Returns the Prometheus text of everything counted so far."""
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
    for outcome, text, count in (
        ("drafted", "Tokens of drafts that were verified for ended requests", metrics.drafted_tokens),
        ("accepted", "Of these, tokens that were right", metrics.accepted_tokens),
    ):
        yield CounterMetricFamily(f"mlxr_{outcome}_tokens", text, value=count)
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


@dataclass(frozen=True, slots=True)
class _Metric(Generic[T]):
    """A number of each engine, read off what is told of it."""

    name: str
    text: str
    value: Callable[[T], float]
    counts: bool

    def family(self, told: Iterable[tuple[str, T]]) -> Metric:
        """Of engines by their names."""
        family = (CounterMetricFamily if self.counts else GaugeMetricFamily)(self.name, self.text, labels=["engine"])
        for engine, of in told:
            family.add_metric([engine], self.value(of))
        return family


_ENGINE_METRICS: tuple[_Metric[EngineStats], ...] = (
    _Metric("mlxr_running_sequences", "Sequences being computed", lambda s: s.running, False),
    _Metric("mlxr_waiting_requests", "Requests in the queue", lambda s: s.waiting, False),
    _Metric("mlxr_steps", "Forward passes", lambda s: s.steps, True),
    _Metric("mlxr_engine_prompt_tokens", "Prompt tokens taken in", lambda s: s.prompt_tokens, True),
    _Metric("mlxr_engine_cached_tokens", "Prompt tokens not computed again", lambda s: s.cached_tokens, True),
    _Metric("mlxr_engine_generated_tokens", "Tokens sampled", lambda s: s.generated_tokens, True),
    _Metric("mlxr_prefill_tokens", "Prompt tokens planned into steps", lambda s: s.prefill_tokens, True),
    _Metric("mlxr_decode_rows", "Rows of one token planned into steps", lambda s: s.decode_rows, True),
    _Metric("mlxr_engine_drafted_tokens", "Tokens of drafts verified", lambda s: s.drafted_tokens, True),
    _Metric("mlxr_engine_accepted_tokens", "Of these, tokens that were right", lambda s: s.accepted_tokens, True),
    _Metric("mlxr_preemptions", "Sequences that gave their pages back", lambda s: s.preemptions, True),
    _Metric("mlxr_executor_restarts", "Restarts of the executor", lambda s: s.executor_restarts, True),
    _Metric("mlxr_drafter_failures", "Draft models that failed, and draft no more", lambda s: s.drafter_failures, True),
    _Metric("mlxr_device_seconds", "Time the executor computed", lambda s: s.device_seconds, True),
    _Metric("mlxr_wait_seconds", "Time the executor had nothing to run", lambda s: s.wait_seconds, True),
)


_DISK_METRICS: tuple[_Metric[DiskUse], ...] = (
    _Metric("mlxr_disk_kept_bytes", "Pages on disk, of all who share it", lambda d: d.kept_bytes, False),
    _Metric("mlxr_disk_quota_bytes", "What they may take (kv.disk_bytes)", lambda d: d.quota, False),
    _Metric("mlxr_disk_writable", "1 where pages can be stored", lambda d: d.writable, False),
    _Metric("mlxr_disk_read_rate_bytes", "Bytes a second from the disk, of late", lambda d: d.read_rate, False),
    _Metric("mlxr_disk_written_bytes", "Pages written to the disk", lambda d: d.written_bytes, True),
    _Metric("mlxr_disk_read_bytes", "Pages read from the disk", lambda d: d.read_bytes, True),
    _Metric("mlxr_disk_hits", "Prompts of which a part came from the disk", lambda d: d.hits, True),
    _Metric("mlxr_disk_restored_tokens", "Prompt tokens that came from it", lambda d: d.restored_tokens, True),
    _Metric("mlxr_disk_evicted_files", "Files deleted to make room", lambda d: d.evicted, True),
    _Metric("mlxr_disk_failed_writes", "Files that could not be written", lambda d: d.failed, True),
    _Metric("mlxr_disk_damaged_reads", "Reads of files damaged or gone", lambda d: d.damaged, True),
)


def _engine_families(engines: list[EngineStats]) -> Iterator[Metric]:
    yield from (metric.family((stats.engine, stats) for stats in engines) for metric in _ENGINE_METRICS)
    drafts = CounterMetricFamily(
        "mlxr_engine_draft_tokens", "Tokens of drafts verified, by what made them", labels=["engine", "kind", "outcome"]
    )
    for stats in engines:
        for each in stats.drafts:
            drafts.add_metric([stats.engine, each.kind, "accepted"], each.accepted)
            drafts.add_metric([stats.engine, each.kind, "rejected"], each.drafted - each.accepted)
    yield drafts
    pages = GaugeMetricFamily("mlxr_pages", "Pages of the KV cache", labels=["engine", "state"])
    for stats in engines:
        for state, count in (
            ("used", stats.pages_used),
            ("cached", stats.pages_cached),
            ("free", stats.pages_total - stats.pages_used - stats.pages_cached),
        ):
            pages.add_metric([stats.engine, state], count)
    yield pages
    on_disk = [(stats.engine, stats.disk) for stats in engines if stats.disk is not None]
    yield from (metric.family(on_disk) for metric in _DISK_METRICS)
