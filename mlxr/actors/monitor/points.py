"""A point of the history: what was counted in some seconds. Points add up: a minute is the sum of its seconds."""

from __future__ import annotations

from math import ceil

import msgspec
from msgspec import Struct

from mlxr.api.monitor import MetricsPoint
from mlxr.runtime.telemetry import Buckets

BUCKET_RATIO = 2 ** (1 / 8)
"""A bucket's upper bound by its lower one (``mlxr.api.metrics.FINE``), but for those that others were put between."""


class Point(Struct, frozen=True):
    """``seconds`` from ``t`` on.

    counts: how often things happened.
    gauges: levels, averaged over time.
    most: the highest of something.
    ttft, inter_token: histograms.
    """

    t: int
    seconds: float
    counts: dict[str, float] = {}
    gauges: dict[str, float] = {}
    most: dict[str, float] = {}
    ttft: Buckets = []
    inter_token: Buckets = []


def merge(first: Point, second: Point, t: int) -> Point:
    """Returns both together, from ``t`` on."""
    whole = (first.seconds + second.seconds) or 1.0
    parts = ((first, first.seconds / whole), (second, second.seconds / whole))
    gauges: dict[str, float] = {}
    for name in first.gauges | second.gauges:
        having = [(point.gauges[name], weight) for point, weight in parts if name in point.gauges]
        total = sum(weight for _, weight in having)
        gauges[name] = sum(value * weight for value, weight in having) / total if total else having[0][0]
    return Point(
        t,
        first.seconds + second.seconds,
        {name: first.counts.get(name, 0) + second.counts.get(name, 0) for name in first.counts | second.counts},
        gauges,
        {name: max(first.most.get(name, 0), second.most.get(name, 0)) for name in first.most | second.most},
        add_buckets(first.ttft, second.ttft),
        add_buckets(first.inter_token, second.inter_token),
    )


def add_buckets(first: Buckets, second: Buckets, sign: int = 1) -> Buckets:
    """Returns the sum, or with ``sign`` -1 what ``second`` has less than ``first``, of two histograms."""
    counts = dict(first)
    for bound, count in second:
        counts[bound] = counts.get(bound, 0) + sign * count
    return sorted((bound, count) for bound, count in counts.items() if count > 0)


def percentile(buckets: Buckets, share: float) -> float | None:
    """Returns the value that ``share`` of what was observed is at or below; None where nothing was. Within a bucket
    values are taken to lie evenly."""
    wanted = ceil(share * sum(count for _, count in buckets))
    if not wanted:
        return None
    below = 0
    for bound, count in buckets:
        if below + count >= wanted:
            low = bound / BUCKET_RATIO
            return round(low + (bound - low) * (wanted - below) / count, 6)
        below += count
    raise AssertionError("the last bucket has the last observation")


def shown(point: Point) -> MetricsPoint:
    """Returns ``point`` as people are told it."""
    counts, gauges = point.counts, point.gauges
    seconds, steps, prompt = point.seconds or 1.0, counts.get("steps", 0), counts.get("prompt_tokens", 0)
    drafted = counts.get("drafted_tokens", 0)
    idle = None if gauges.get("running") else 0.0
    made = {
        "t": point.t,
        "decode_rate": _round(counts.get("generated_tokens", 0) / seconds),
        "prefill_rate": _round(counts.get("prefill_tokens", 0) / seconds),
        **_percentiles("ttft", point.ttft),
        **_percentiles("inter_token", point.inter_token),
        **{name: _round(gauges.get(name)) for name in _GAUGES},
        "decode_batch": _round(counts.get("decode_rows", 0) / steps) if steps else idle,
        "prefill_batch": _round(counts.get("prefill_tokens", 0) / steps) if steps else idle,
        "acceptance_ratio": round(min(counts.get("accepted_tokens", 0) / drafted, 1.0), 4) if drafted else None,
        "prefix_hit_ratio": round(min(counts.get("cached_tokens", 0) / prompt, 1.0), 4) if prompt else None,
        "disk_hit_ratio": round(min(counts.get("restored_tokens", 0) / prompt, 1.0), 4) if prompt else None,
        "disk_write_rate": _round(counts.get("disk_written_bytes", 0) / seconds),
        "disk_read_rate": _round(counts.get("disk_read_bytes", 0) / seconds),
        **{name: counts.get(name, 0) for name in _COUNTS},
        "loop_lag": point.most.get("loop_lag", 0.0),
    }
    return msgspec.convert(made, MetricsPoint)


_GAUGES = (
    "open",
    "running",
    "waiting",
    "pages_used",
    "pages_cached",
    "pages_total",
    "disk_bytes",
    "disk_quota",
    "memory_bytes",
    "available_bytes",
    "engine_bytes",
)
_COUNTS = ("finished", "failed", "cancelled", "preemptions", "restarts")


def _percentiles(name: str, buckets: Buckets) -> dict[str, float | None]:
    return {f"{name}_p{percent}": percentile(buckets, percent / 100) for percent in (50, 90, 99)}


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
