"""Which engines should run: policy without I/O. Times are seconds of a monotonic clock that the caller reads.

An engine serves one set of files with one set of overrides, under every name that stands for them. Whatever happens
is noted here first; ``settle`` then says which engines to start and stop.

An engine stops in two steps, so that no request is lost that comes meanwhile: it is said to be ``stopping``; the
frontend answers that it sends no more requests, and how many it has sent (``released``); it stops with the last of
them. A model that is asked for meanwhile goes on being served, or, where its engine must go for another, waits its turn
in the order of asking. Engines load one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from mlxr.actors.registry.lifecycle.actions import Action, Limit, Refusal
from mlxr.actors.registry.lifecycle.engine import Engine, EngineEvent, Explain
from mlxr.actors.registry.lifecycle.engine_info import waits_for, waits_for_pages
from mlxr.actors.registry.lifecycle.engines import Engines, same_files
from mlxr.actors.registry.lifecycle.page_limits import PageLimits
from mlxr.actors.registry.lifecycle.room import Limits, find_room
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.registry import EngineDown, EngineReleased
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine

FIRST_USE_SECONDS = 10.0
"""How long an engine waits for the request that it was asked for, however short its keep-alive."""

DETACHED_SECONDS = 300.0
"""How long an engine whose model was replaced or deleted may go on with its last requests."""

MOST_CRASHES = 3
"""Of an executor while it loads, before the engine is given up."""


class EnginePolicy:
    """Decides over all ``engines`` of a server, which nobody else changes.

    most: how many may run at once.
    keep_alive: the default, in seconds; infinity for engines that stay.
    memory: bytes that all may take together; 0 for no limit.
    """

    def __init__(self, most: int, keep_alive: float, memory: int = 0) -> None:
        self.engines = Engines()
        self._limits = Limits(most, memory)
        self._keep_alive = keep_alive
        self._leaving: dict[str, int] = {}
        """What engines take that were told to stop and have not yet."""
        self._pages = PageLimits()

    def adopt(self, engines: Iterable[Engine]) -> None:
        """Takes over engines that an earlier registry started."""
        self.engines.adopt(engines)

    @property
    def memory(self) -> int:
        return self._limits.memory

    def limit_memory(self, memory: int) -> None:
        """Engines may take so much together from now on."""
        self._limits = replace(self._limits, memory=memory)

    def ensure(
        self,
        spec: EngineSpec,
        keep_alive: float | None,
        now: float,
        *,
        needs: int = 0,
        optional: int = 0,
        explain: Explain | None = None,
        stays: bool = False,
        pin: bool | None = None,
    ) -> Engine:
        """Has an engine for ``spec``: one that runs already, or a new one for ``settle`` to start. ``needs``,
        ``optional`` and ``explain`` as in ``Engine``. ``stays``: it does not expire, unless a request says so. ``pin``:
        nor that, nor does it make room for others; None leaves it as it is."""
        current = self.engines.serves(spec)
        if current is None and (former := self.engines.serving(spec.model)) is not None:
            self._detach(former, spec.model, now)
        engine = current or next((e for e in self.engines if same_files(e.spec, spec) and self._lasts(e)), None)
        if engine is None:
            engine = self.engines.add(spec, self._keep_alive, now, needs, optional, explain)
        engine.go_on()
        engine.active.setdefault(spec.model, 0)
        if stays:
            engine.keep_alive = math.inf
        if keep_alive is not None:
            engine.keep_alive = keep_alive
        if pin is not None:
            engine.pinned = pin
        engine.used, engine.touched = now, False
        return engine

    def touch(self, model: str, active: int, keep_alive: float | None, now: float, engine: str = "") -> None:
        """Requests for ``model`` are in flight, ``active`` of them, at the engine of that name, or at any."""
        for touched in self.engines:
            if model in touched.active and engine in ("", touched.name):
                touched.active[model] = active
                touched.keep_alive = touched.keep_alive if keep_alive is None else keep_alive
                touched.used = now
                touched.touched = True

    def note(self, message: EngineEvent) -> None:
        """Takes over what an engine's actors say of it."""
        if engine := self.engines.named(message.engine):
            engine.note(message)

    def released(self, message: EngineReleased) -> None:
        """The frontend sends no more requests to an engine that is to stop, and has sent those in ``active``. One that
        was only unused goes on if there are any."""
        engine = self.engines.named(message.engine)
        if engine is None or not engine.ending or engine.endings != message.ending:
            return
        engine.released = True
        engine.active.update({model: count for model, count in message.active.items() if model in engine.active})
        if not (engine.idle or engine.for_room or engine.detached_at is not None):
            engine.go_on()

    def forget_requests(self) -> None:
        """The frontend was started anew: whatever it had sent before, nobody waits for."""
        for engine in self.engines:
            engine.active = dict.fromkeys(engine.active, 0)
            engine.released = engine.ending

    def down(self, message: EngineDown) -> list[Action]:
        """Part of an engine died; a final death is the end of the whole engine, as are too many while it loads."""
        engine = self.engines.named(message.engine)
        if engine is None:
            return []
        engine.lost(message.actor)
        if message.final or engine.crashes >= MOST_CRASHES:
            return self._remove(engine)
        return []

    def stopped(self, name: str) -> None:
        """All of an engine has ended, and what it held is free."""
        self._leaving.pop(name, None)

    def unload(self, model: str) -> bool:
        """Stops serving ``model`` as soon as it is loaded and idle; whether it was served. Who waits for it already
        gets an answer first."""
        engine = self.engines.serving(model)
        if engine is None:
            return False
        engine.keep_alive, engine.pinned = 0.0, False
        engine.touched |= engine.ready
        return True

    def withdraw(self, name: str) -> None:
        """Nobody waits for an engine any more: one that was not started is not to be."""
        engine = self.engines.named(name)
        if engine is not None and not engine.started:
            self._remove(engine)

    def reconcile(self, specs: Mapping[str, EngineSpec], now: float) -> None:
        """Detaches engines from names that now stand for something else, or for nothing."""
        for engine in self.engines:
            if engine.detached_at is None:
                for model in list(engine.active):
                    if model not in specs or not same_files(specs[model], engine.spec):
                        self._detach(engine, model, now)

    def is_due(self, now: float) -> bool:
        """Whether an engine is to be started or ended, or gives its place to one."""
        return any(e.ending or not e.started or self._expiry(e) <= now for e in self.engines)

    def settle(self, now: float, free: int | None = None) -> list[Action]:
        """Stops what has expired; starts what waits, in the place of others if need be. ``free`` as in ``Limits``."""
        for engine in self.engines:
            if engine.ready and not engine.loaded:
                # However long it took to load, its first request is waited for from now on.
                engine.loaded = True
                engine.used = engine.used if engine.touched else now
            if self._expiry(engine) <= now:
                engine.end()
        start = self._next(now, replace(self._limits, free=free, leaving=tuple(self._leaving.values())))
        stop: list[Action] = []
        for engine in self.engines:
            over = engine.detached_at is not None and now >= engine.detached_at + DETACHED_SECONDS
            if engine.ending and (over or not engine.started or (engine.idle and engine.released)):
                stop += self._remove(engine)
        return [*stop, *start]

    def relieve(self, now: float, lacking: int) -> list[Limit]:
        """Has engines give back pages in use, since the system lacks so many bytes."""
        return self._pages.relieve(self.engines.running(), now, lacking)

    def raise_limits(self, now: float, free: int | None) -> list[Limit]:
        """Lets engines have pages again that they gave back, where nobody waits and there is room for twice as much.
        ``free`` as in ``Limits``."""
        if self.engines.waits():
            return []
        running, left = self.engines.running(), [] if free is None else [free]
        if self._limits.memory:
            left.append(self._limits.memory - sum(e.takes for e in running) - sum(self._leaving.values()))
        return self._pages.raise_all(running, now, left)

    def _next(self, now: float, limits: Limits) -> list[Action]:
        """Starts the engine that waits for longest, where it has room; else has others end that are in its way."""
        started = self.engines.running()
        victims: list[Engine] = []
        actions: list[Action] = []
        for engine in [e for e in self.engines if not e.started and not e.ending]:
            if any(e.loading and not e.ending for e in started):
                break
            awaiting = {e.name for e in started if e.idle and now < self._first_use(e)}
            room = find_room(engine, started, awaiting, limits)
            if room.refusal:
                actions += [Refusal(engine.name, room.refusal)]
                self._remove(engine)
                continue
            if room.asks:
                actions += [self._pages.limit(other, other.pages - gives, now) for other, gives in room.asks]
                engine.stage = waits_for_pages([other for other, _ in room.asks])
            elif room.there:
                engine.started, engine.room = True, room.bytes
                actions.append(StartEngine(engine.name, msgspec.json.encode(engine.spec), room.bytes))
            else:
                victims = list(room.victims)
                engine.stage = waits_for(victims)
            break
        for engine in started:
            if engine.for_room and engine not in victims:
                engine.go_on()
                self._merge(engine)
        for engine in victims:
            engine.end()
            engine.for_room = True
        return actions

    def _merge(self, engine: Engine) -> None:
        """``engine``, which was to make room and need not, serves those as well who have asked for it meanwhile."""
        for other in [e for e in self.engines if not e.started and same_files(e.spec, engine.spec)]:
            self.engines.replace(other, engine)
            engine.active = {**dict.fromkeys(other.active, 0), **engine.active}
            engine.keep_alive, engine.pinned = other.keep_alive, other.pinned
            engine.used, engine.touched = other.used, other.touched

    def _expiry(self, engine: Engine) -> float:
        """When the engine is to end if nothing happens."""
        if engine.fixed or not engine.idle or not engine.ready:
            return math.inf
        return max(engine.used + engine.keep_alive, self._first_use(engine))

    def _first_use(self, engine: Engine) -> float:
        return 0.0 if engine.touched else engine.used + FIRST_USE_SECONDS

    def _lasts(self, engine: Engine) -> bool:
        return engine.detached_at is None and not engine.for_room

    def _detach(self, engine: Engine, model: str, now: float) -> None:
        """``engine`` no longer serves ``model``; without any other name it ends with its last request."""
        if len(engine.active) > 1:
            del engine.active[model]
        else:
            engine.detached_at = now
            engine.end()

    def _remove(self, engine: Engine) -> list[Action]:
        """Forgets the engine; one that was never started needs no stopping."""
        self.engines.remove(engine)
        if not engine.started:
            return []
        self._leaving[engine.name] = engine.takes
        return [StopEngine(engine.name)]
