"""Tells telemetry's readers which engines and open requests there are."""

from __future__ import annotations

from mlxr.actors.frontend.gateway import FrontendGateway
from mlxr.actors.frontend.open_requests import OpenRequest, OpenStream
from mlxr.runtime.telemetry import STATE, EngineState, RequestState, StateShown, Telemetry


def tell_state(gateway: FrontendGateway, telemetry: Telemetry, now: float) -> None:
    """Emits an event for each, and one behind them. ``now``: of the monotonic clock."""
    for engine in engine_states(gateway):
        telemetry.emit(STATE, engine)
    for entry in gateway.table.requests():
        telemetry.emit(STATE, request_state(entry, now))
    telemetry.emit(STATE, StateShown("frontend"))


def engine_states(gateway: FrontendGateway) -> list[EngineState]:
    stats = {found.engine: found for found in gateway.stats()}
    states: list[EngineState] = []
    for engine in gateway.engines():
        basics = (engine.engine, engine.model, engine.state, engine.context_length, engine.memory_bytes)
        if (counted := stats.get(engine.engine)) is None:
            states.append(EngineState(*basics))
            continue
        states.append(
            EngineState(
                *basics,
                counted.running,
                counted.waiting,
                counted.pages_used,
                counted.pages_cached,
                counted.pages_total,
                counted.prompt_tokens,
                counted.cached_tokens,
                counted.generated_tokens,
                counted.preemptions,
                round(counted.device_seconds, 6),
            )
        )
    return states


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
