"""Tells telemetry's readers which engines and open requests there are."""

from __future__ import annotations

from typing import Any

from mlxr.actors.frontend.gateway import FrontendGateway
from mlxr.actors.frontend.open_requests import OpenRequest, OpenStream
from mlxr.api.metrics import Metrics
from mlxr.runtime.messages.catalogue import EngineInfo
from mlxr.runtime.messages.common import DiskUse
from mlxr.runtime.messages.frontend import EngineStats
from mlxr.runtime.telemetry import METRICS, STATE, EngineState, MetricsSampled, RequestState, StateShown, Telemetry


def tell_state(gateway: FrontendGateway, telemetry: Telemetry, now: float) -> None:
    """Emits an event for each, and one behind them. ``now``: of the monotonic clock."""
    for engine in engine_states(gateway, now):
        telemetry.emit(STATE, engine)
    for entry in gateway.table.requests():
        telemetry.emit(STATE, request_state(entry, now))
    telemetry.emit(STATE, StateShown("frontend"))


def sample_metrics(gateway: FrontendGateway, metrics: Metrics, telemetry: Telemetry, now: float) -> None:
    """Emits what has been counted so far, of each engine and of the server. ``now``: of the monotonic clock."""
    for engine in engine_states(gateway, now):
        telemetry.emit(METRICS, engine)
    sample = MetricsSampled(
        started=metrics.started,
        open=metrics.open,
        finished=metrics.ended("finished"),
        failed=metrics.ended("failed"),
        cancelled=metrics.ended("cancelled"),
        prompt_tokens=metrics.prompt_tokens,
        cached_tokens=metrics.cached_tokens,
        generated_tokens=metrics.generated_tokens,
        ttft=metrics.ttft.filled(),
        inter_token=metrics.inter_token.filled(),
        loop_lag_seconds=round(metrics.take_loop_lag(), 6),
        drafted_tokens=metrics.drafted_tokens,
        accepted_tokens=metrics.accepted_tokens,
    )
    telemetry.emit(METRICS, sample)


def engine_states(gateway: FrontendGateway, now: float) -> list[EngineState]:
    stats = {found.engine: found for found in gateway.stats()}
    return [_engine_state(engine, stats.get(engine.engine), gateway, now) for engine in gateway.engines()]


def _engine_state(engine: EngineInfo, stats: EngineStats | None, gateway: FrontendGateway, now: float) -> EngineState:
    basics = (engine.engine, engine.model, engine.state, engine.context_length, engine.memory_bytes)
    if stats is None:
        return EngineState(*basics)
    return EngineState(
        *basics,
        drafter=engine.drafter,
        undrafted=engine.undrafted,
        running=stats.running,
        waiting=stats.waiting,
        pages_used=stats.pages_used,
        pages_cached=stats.pages_cached,
        pages_total=stats.pages_total,
        prompt_tokens=stats.prompt_tokens,
        cached_tokens=stats.cached_tokens,
        generated_tokens=stats.generated_tokens,
        preemptions=stats.preemptions,
        device_seconds=round(stats.device_seconds, 6),
        wait_seconds=round(stats.wait_seconds, 6),
        steps=stats.steps,
        prefill_tokens=stats.prefill_tokens,
        decode_rows=stats.decode_rows,
        executor_restarts=stats.executor_restarts,
        counted_seconds=round(now - gateway.counted(engine.engine), 6),
        drafted_tokens=stats.drafted_tokens,
        accepted_tokens=stats.accepted_tokens,
        **_disk_use(stats.disk),
    )


def _disk_use(disk: DiskUse | None) -> dict[str, Any]:
    if disk is None:
        return {}
    return {
        "disk_bytes": disk.kept_bytes,
        "disk_quota": disk.quota,
        "disk_writable": disk.writable,
        "disk_written_bytes": disk.written_bytes,
        "disk_read_bytes": disk.read_bytes,
        "disk_read_rate": round(disk.read_rate),
        "disk_hits": disk.hits,
        "restored_tokens": disk.restored_tokens,
        "disk_evicted": disk.evicted,
        "disk_failed": disk.failed,
        "disk_damaged": disk.damaged,
    }


def request_state(entry: OpenRequest, now: float) -> RequestState:
    writing = bool(entry.first_token)
    return RequestState(
        entry.request,
        entry.model,
        entry.surface,
        "writing" if writing else "waiting" if entry.engine else "loading",
        entry.prompt_tokens if isinstance(entry, OpenStream) else 0,
        entry.written,
        round(now - entry.opened, 6),
        round(entry.first_token - entry.opened, 6) if writing else 0.0,
    )
