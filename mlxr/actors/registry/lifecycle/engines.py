"""The engines that there are, by name: who serves which model, and what they are at. Nothing is decided here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import structs

from mlxr.actors.registry.lifecycle.engine import Engine, Explain
from mlxr.actors.registry.lifecycle.engine_info import engine_info
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.catalogue import EngineInfo

MAX_NAME = 24
"""Characters of an engine's name: it is part of socket paths, which are short."""


class Engines:
    """Owns the engines of a server that run, load, or wait for their place, and their names."""

    def __init__(self) -> None:
        self._engines: dict[str, Engine] = {}
        self._merged: dict[str, str] = {}
        """Engines that were never started, each with the one that came in its place."""
        self._count = 0

    def __iter__(self) -> Iterator[Engine]:
        """Yields those that there are now, in the order in which they were asked for; some may go meanwhile."""
        return iter(list(self._engines.values()))

    def add(
        self, spec: EngineSpec, keep_alive: float, now: float, needs: int, optional: int, explain: Explain | None
    ) -> Engine:
        """Adds an engine under a name of its own, which is yet to be started. The arguments are as in ``Engine``."""
        name = self._new_name(spec.model)
        engine = self._engines[name] = Engine(name, spec, keep_alive, now, needs, explain=explain, optional=optional)
        return engine

    def remove(self, engine: Engine) -> None:
        del self._engines[engine.name]
        self._merged = {name: other for name, other in self._merged.items() if other != engine.name}

    def replace(self, engine: Engine, other: Engine) -> None:
        """Removes ``engine``, which was never started; ``other`` is there in its place."""
        self.remove(engine)
        self._merged[engine.name] = other.name

    def named(self, name: str) -> Engine | None:
        """Returns the engine of that very name, as its actors have it."""
        return self._engines.get(name)

    def models(self) -> set[str]:
        """Returns every name that is or will be served."""
        return {model for engine in self._engines.values() for model in engine.active}

    def find(self, name: str) -> Engine | None:
        """Returns the engine of that name, or the one that has come in its place before it was started."""
        return self._engines.get(self._merged.get(name, name))

    def serving(self, model: str) -> Engine | None:
        """Returns the engine that serves, or is to serve, that name."""
        serving = (e for e in self._engines.values() if model in e.active and not (e.for_room or e.detached_at))
        return next(serving, None)

    def serves(self, spec: EngineSpec) -> Engine | None:
        """Returns the engine that serves that name, and goes on to once ``spec`` is what the name stands for."""
        serving = self.serving(spec.model)
        return serving if serving is not None and same_files(serving.spec, spec) else None

    def infos(self, now: float, wall: float) -> list[EngineInfo]:
        """Returns an entry for each engine and name. ``wall``: seconds since the epoch at ``now``."""
        return [engine_info(engine, model, now, wall) for engine in self._engines.values() for model in engine.active]

    def running(self) -> list[Engine]:
        """Returns the engines that were started and not stopped."""
        return [engine for engine in self._engines.values() if engine.started]

    def adopt(self, engines: Iterable[Engine]) -> None:
        """Adds engines that an earlier registry started, and gives none of their names away."""
        for engine in engines:
            self._engines[engine.name] = engine
            self._count = max(self._count, int(engine.name.rpartition("-")[2]))

    def loads(self) -> bool:
        """Whether an engine loads, or is about to."""
        return any(not engine.ready for engine in self._engines.values())

    def is_at_load(self) -> bool:
        """Whether an engine loads now, and does not only wait until there is room for it."""
        return any(engine.started and not engine.ready for engine in self._engines.values())

    def warms_up(self) -> bool:
        """Whether an engine that is ready has something to do in the background."""
        return any(engine.warming for engine in self._engines.values())

    def answers(self) -> bool:
        """Whether somebody's requests are being answered."""
        return any(engine.ready and not engine.idle for engine in self._engines.values())

    def waits(self) -> bool:
        """Whether an engine could be started now, if there is room."""
        engines = self._engines.values()
        return any(not e.started for e in engines) and not any(e.loading and not e.ending for e in engines)

    def gives(self) -> bool:
        """Whether an engine has pages that it could give back."""
        return any(engine.spare for engine in self.running())

    def lacks(self) -> bool:
        """Whether an engine could have more pages than it was last told."""
        return any(engine.lacks for engine in self.running())

    def _new_name(self, model: str) -> str:
        self._count += 1
        number = f"-{self._count}"
        slug = re.sub(r"[^a-z0-9.]+", "-", model.lower().rpartition("/")[2]).strip("-.") or "model"
        return slug[: MAX_NAME - len(number)].rstrip("-.") + number


def same_files(one: EngineSpec, other: EngineSpec) -> bool:
    """Whether one engine can serve both, whatever they are called. What their files hold, the digest tells."""
    a, b = (structs.replace(spec, model="", identity="", content="", drafts=[]) for spec in (one, other))
    return a == b
