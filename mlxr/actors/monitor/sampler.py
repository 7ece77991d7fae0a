"""Makes a point of the history of what telemetry tells each second. Pure: events go in, points come out."""

from __future__ import annotations

from typing import Any

from mlxr.actors.monitor.points import Point, add_buckets
from mlxr.runtime.telemetry import Buckets

MOST_SECONDS = 10.0
"""What a sample stands for at most, however long none came."""

_SERVER_COUNTS = ("generated_tokens", "finished", "failed", "cancelled")
_ENGINE_COUNTS = (
    "steps",
    "prefill_tokens",
    "decode_rows",
    "prompt_tokens",
    "cached_tokens",
    "preemptions",
    "drafted_tokens",
    "accepted_tokens",
    "disk_written_bytes",
    "disk_read_bytes",
    "restored_tokens",
)
_ENGINE_GAUGES = ("running", "waiting", "pages_used", "pages_cached", "pages_total")


class Sampler:
    """Remembers the counters of the sample before, since telemetry tells totals.

    recorded: the Unix time that earlier points come to. Where the server started later, nothing of what it has counted
        is in any point, and the first sample is one; else what was counted before it may be in some, and it is none.
    """

    def __init__(self, recorded: float) -> None:
        self._recorded = recorded
        self._server: dict[str, Any] | None = None
        self._engines: dict[str, dict[str, Any]] = {}
        self._told: dict[str, dict[str, Any]] = {}
        self._restarts = 0

    def engine(self, event: dict[str, Any]) -> None:
        """Takes in an ``EngineState`` of the topic ``metrics``."""
        self._told[event["engine"]] = event

    def restarted(self) -> None:
        """Counts that an actor was restarted."""
        self._restarts += 1

    def sample(self, event: dict[str, Any], measured: dict[str, float]) -> Point | None:
        """Returns the point that a ``MetricsSampled`` closes, with ``measured`` gauges; None for the first, if what
        it has may have been recorded."""
        before, self._server = self._server, event
        engines, self._engines, self._told = self._engines, self._told, {}
        restarts, self._restarts = self._restarts, 0
        if before is None:
            if self._recorded >= event["started"]:
                return None
            before = {"t": event["started"]}
        counts = {name: _gained(event, before, name) for name in _SERVER_COUNTS}
        counts |= dict.fromkeys(_ENGINE_COUNTS, 0.0) | {"restarts": float(restarts)}
        levels = {"open": float(event.get("open", 0)), "engine_bytes": 0.0, "disk_bytes": 0.0, "disk_quota": 0.0}
        gauges = {**levels, **dict.fromkeys(_ENGINE_GAUGES, 0.0)}
        for name, engine in self._engines.items():
            for key in _ENGINE_COUNTS:
                counts[key] += _gained(engine, engines.get(name, {}), key)
            for key in _ENGINE_GAUGES:
                gauges[key] += engine.get(key, 0)
            gauges["engine_bytes"] += engine.get("memory_bytes", 0)
            # Each tells of the folder that all share.
            for key in ("disk_bytes", "disk_quota"):
                gauges[key] = max(gauges[key], engine.get(key, 0))
        seconds = min(max(event["t"] - before["t"], 0.001), MOST_SECONDS)
        return Point(
            int(event["t"]),
            round(seconds, 3),
            counts,
            {**gauges, **measured},
            {"loop_lag": event.get("loop_lag_seconds", 0.0)},
            _fresh(event, before, "ttft"),
            _fresh(event, before, "inter_token"),
        )


def _gained(now: dict[str, Any], before: dict[str, Any], key: str) -> float:
    """Returns what a counter has gained; one that went back has begun anew."""
    count, counted = now.get(key, 0), before.get(key, 0)
    return float(count - counted if count >= counted else count)


def _fresh(now: dict[str, Any], before: dict[str, Any], key: str) -> Buckets:
    """Returns what a histogram has gained, likewise."""
    counts, counted = _buckets(now, key), _buckets(before, key)
    there = dict(counts)
    anew = any(there.get(bound, 0) < count for bound, count in counted)
    return counts if anew else add_buckets(counts, counted, -1)


def _buckets(event: dict[str, Any], key: str) -> Buckets:
    return [(bound, count) for bound, count in event.get(key, [])]
