"""What is told of engines: how they stand, and what they wait for, in words. Pure."""

from __future__ import annotations

import math

from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.runtime.messages.catalogue import EngineInfo

WAITING = "waiting for another model to be loaded"


def engine_info(engine: Engine, model: str, now: float, wall: float) -> EngineInfo:
    """Returns how ``engine`` stands, as that of ``model``. ``wall``: seconds since the epoch at ``now``."""
    up, waiting = engine.up, not engine.started
    unused = engine.used if engine.idle else now
    return EngineInfo(
        engine=engine.name,
        model=model,
        state=engine.state,
        progress=engine.progress if engine.warming or not engine.ready else 1.0,
        stage=(engine.stage or WAITING) if waiting else engine.stage if engine.warming or not engine.ready else "",
        context_length=up.context_length if up else 0,
        memory_bytes=engine.memory if up else 0,
        backend=up.backend if up else "",
        expires=None if engine.fixed else _moment(wall + max(unused + engine.keep_alive - now, 0.0)),
        pinned=engine.fixed,
        ending=engine.endings if engine.ending else 0,
        page_type=up.page_type if up else "",
        drafter=up.drafter if up else "",
        undrafted=up.undrafted if up else "",
    )


def waits_for_pages(others: list[Engine]) -> str:
    """Returns what an engine waits for that needs memory in which others keep pages, in words."""
    return f"waiting for {', '.join(other.spec.model for other in others)} to give pages back"


def waits_for(victims: list[Engine]) -> str:
    """Returns what an engine waits for that has no room yet, in words."""
    if not victims:
        return WAITING
    names = ", ".join(victim.spec.model for victim in victims)
    requests = sum(sum(victim.active.values()) for victim in victims)
    return f"waiting for {names} to be idle ({requests} in flight)" if requests else f"waiting for {names} to unload"


def _moment(seconds: float) -> float | None:
    """``seconds``, or None where they never come."""
    return seconds if math.isfinite(seconds) else None
