"""Which engines should run: policy without I/O. Times are seconds of a monotonic clock that the caller reads.

An engine serves one set of files with one set of overrides, under every name that stands for them. Whatever happens
is noted here first; ``settle`` then says which engines to start and stop.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import structs

from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.frontend import EngineInfo
from mlxr.runtime.messages.registry import EngineDown, EngineUp, LoadProgress
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine

FIRST_USE_SECONDS = 10.0
"""How long an engine waits for the request that it was asked for, however short its keep-alive."""

DETACHED_SECONDS = 300.0
"""How long an engine whose model was replaced or deleted may go on with its last requests."""

MAX_NAME = 24
"""Characters of an engine's name: it is part of socket paths, which are short."""

Action = StartEngine | StopEngine


class EnginePolicy:
    """Decides over all engines of a server.

    limit: how many may run at once.
    keep_alive: the default, in seconds; infinity for engines that stay.
    """

    def __init__(self, limit: int, keep_alive: float) -> None:
        self._limit = limit
        self._keep_alive = keep_alive
        self._engines: dict[str, Engine] = {}
        self._count = 0

    def models(self) -> set[str]:
        """Every name that is or will be served."""
        return {model for engine in self._engines.values() for model in engine.active}

    def engine(self, name: str) -> Engine | None:
        return self._engines.get(name)

    def serving(self, model: str) -> Engine | None:
        """The engine that serves, or is to serve, that name."""
        return next((e for e in self._engines.values() if model in e.active and e.detached_at is None), None)

    def ensure(self, spec: EngineSpec, keep_alive: float | None, now: float, *, pinned: bool = False) -> Engine:
        """Have an engine for ``spec``: one that runs already, or a new one for ``settle`` to start. ``pinned``: it
        stays for as long as there is room."""
        current = self.serving(spec.model)
        if current and not _same(current.spec, spec):
            self._detach(current, spec.model, now)
            current = None
        engine = current or next((e for e in self._engines.values() if _same(e.spec, spec) and not e.detached_at), None)
        if engine is None:
            engine = Engine(self._new_name(spec.model), spec, self._keep_alive, pinned, now)
            self._engines[engine.name] = engine
        engine.active.setdefault(spec.model, 0)
        engine.pinned |= pinned
        engine.keep_alive = self._patience(engine, keep_alive)
        engine.used, engine.touched = now, False
        return engine

    def adopt(self, engines: Iterable[Engine]) -> None:
        """Take over engines that an earlier registry started."""
        for engine in engines:
            self._engines[engine.name] = engine
            self._count = max(self._count, int(engine.name.rpartition("-")[2]))

    def touch(self, model: str, active: int, keep_alive: float | None, now: float) -> None:
        for engine in self._engines.values():
            if model in engine.active:
                engine.active[model] = active
                engine.keep_alive = self._patience(engine, keep_alive)
                engine.used = now
                engine.touched = True

    def executor_up(self, message: EngineUp) -> None:
        if engine := self._engines.get(message.engine):
            engine.up = message
            engine.was_ready |= engine.ready

    def tokenizer_up(self, name: str) -> None:
        if engine := self._engines.get(name):
            engine.tokenizer = True
            engine.was_ready |= engine.ready

    def progressed(self, message: LoadProgress) -> None:
        if engine := self._engines.get(message.engine):
            engine.stage, engine.progress = message.stage, message.fraction

    def down(self, message: EngineDown) -> list[Action]:
        """Part of an engine died; a final death is the end of the whole engine."""
        engine = self._engines.get(message.engine)
        if engine is None:
            return []
        if message.final:
            return self._remove(engine)
        if message.actor == "executor":
            engine.up = None
        elif message.actor == "tokenizer":
            engine.tokenizer = False
        return []

    def unload(self, model: str) -> bool:
        """Stop serving ``model`` as soon as it is loaded and idle; whether it was served."""
        engine = self.serving(model)
        if engine is None:
            return False
        engine.keep_alive, engine.touched, engine.pinned = 0.0, True, False
        if not engine.started:
            self._remove(engine)
        return True

    def reconcile(self, specs: Mapping[str, EngineSpec], now: float) -> None:
        """Detach engines from names that now stand for something else, or for nothing."""
        for engine in list(self._engines.values()):
            if engine.detached_at is None:
                for model in list(engine.active):
                    if model not in specs or not _same(specs[model], engine.spec):
                        self._detach(engine, model, now)

    def settle(self, now: float) -> list[Action]:
        """Stop what has expired; start what waits, in the place of the least recently used idle engine if need be."""
        actions: list[Action] = []
        for engine in self._engines.values():
            if engine.ready and not engine.loaded:
                # However long it took to load, its first request is waited for from now on.
                engine.loaded = True
                engine.used = engine.used if engine.touched else now
        for engine in [e for e in self._engines.values() if self._expiry(e) <= now]:
            actions += self._remove(engine)
        for engine in [e for e in self._engines.values() if not e.started]:
            running = [e for e in self._engines.values() if e.started]
            if len(running) >= self._limit:
                idle = [e for e in running if e.idle and e.ready and now >= self._first_use(e)]
                if not idle:
                    break
                actions += self._remove(min(idle, key=lambda e: e.used))
            engine.started = True
            actions.append(StartEngine(engine.name, msgspec.json.encode(engine.spec)))
        return actions

    def infos(self, now: float, wall: float) -> list[EngineInfo]:
        """One entry for each engine and name. ``wall``: seconds since the epoch at ``now``."""
        return [self._info(engine, model, now, wall) for engine in self._engines.values() for model in engine.active]

    def running(self) -> list[Engine]:
        """Engines that were started and not stopped."""
        return [engine for engine in self._engines.values() if engine.started]

    def _info(self, engine: Engine, model: str, now: float, wall: float) -> EngineInfo:
        up, waiting = engine.up, not engine.started
        return EngineInfo(
            engine=engine.name,
            model=model,
            state=engine.state,
            progress=1.0 if engine.ready else engine.progress,
            stage="waiting for another model to be idle" if waiting else "" if engine.ready else engine.stage,
            context_length=up.context_length if up else 0,
            memory_bytes=up.memory_bytes if up else 0,
            backend=up.backend if up else "",
            expires=_moment(wall + max(engine.used + engine.keep_alive - now, 0.0)),
        )

    def _expiry(self, engine: Engine) -> float:
        """When to stop the engine if nothing happens."""
        if engine.detached_at is not None:
            return 0.0 if engine.idle else engine.detached_at + DETACHED_SECONDS
        if not engine.idle or not engine.ready:
            return math.inf
        return max(engine.used + engine.keep_alive, self._first_use(engine))

    def _first_use(self, engine: Engine) -> float:
        return 0.0 if engine.touched else engine.used + FIRST_USE_SECONDS

    def _patience(self, engine: Engine, keep_alive: float | None) -> float:
        if keep_alive is not None:
            return keep_alive
        return math.inf if engine.pinned else self._keep_alive

    def _detach(self, engine: Engine, model: str, now: float) -> None:
        """``engine`` no longer serves ``model``; without any other name it ends with its last request."""
        if len(engine.active) > 1:
            del engine.active[model]
        else:
            engine.detached_at = now

    def _remove(self, engine: Engine) -> list[Action]:
        """Forget the engine; one that was never started needs no stopping."""
        del self._engines[engine.name]
        return [StopEngine(engine.name)] if engine.started else []

    def _new_name(self, model: str) -> str:
        self._count += 1
        number = f"-{self._count}"
        slug = re.sub(r"[^a-z0-9.]+", "-", model.lower().rpartition("/")[2]).strip("-.") or "model"
        return slug[: MAX_NAME - len(number)].rstrip("-.") + number


def _moment(seconds: float) -> float | None:
    """``seconds``, or None where they never come."""
    return seconds if math.isfinite(seconds) else None


def _same(one: EngineSpec, other: EngineSpec) -> bool:
    """Whether one engine can serve both, whatever they are called. What their files hold, the digest tells."""
    return structs.replace(one, model="", identity="") == structs.replace(other, model="", identity="")
