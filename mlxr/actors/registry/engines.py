"""Carries out what the fleet decides, and wakes whoever waits for an engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import anyio

from mlxr.actors.registry.fleet import Action, Engine, Fleet
from mlxr.actors.registry.journal import Journal
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.registry import EngineDown


class Arrival:
    """Waits for one engine to be ready."""

    def __init__(self, model: str) -> None:
        self.model = model
        self._known = anyio.Event()
        self._error: ErrorInfo | None = None

    def settle(self, error: ErrorInfo | None) -> None:
        self._error = error
        self._known.set()

    async def wait(self) -> None:
        """Return when the engine is ready; raises ``RequestError`` with the reason why it never will be."""
        await self._known.wait()
        if self._error is not None:
            raise RequestError(self._error)


class Engines:
    """The fleet with its surroundings. ``act`` sends an action to the supervisor."""

    def __init__(self, fleet: Fleet, run_directory: Path, act: Callable[[Action], None]) -> None:
        self.fleet = fleet
        self._act = act
        self._journal = Journal(run_directory)
        self._arrivals: dict[str, Arrival] = {}
        self._reasons: dict[str, str] = {}

    def adopt(self) -> list[str]:
        """Take over what an earlier registry started; returns the models that are served."""
        engines = self._journal.read(time.monotonic())
        self.fleet.adopt(engines)
        return [model for engine in engines for model in engine.active]

    def arrival(self, engine: Engine) -> Arrival:
        """What to wait on for ``engine`` to be ready."""
        return self._arrivals.setdefault(engine.name, Arrival(engine.spec.model))

    def down(self, message: EngineDown) -> None:
        self._reasons[message.engine] = message.reason
        self._carry_out(self.fleet.down(message))

    def settle(self) -> bool:
        """Start and stop what is due; whether that was anything."""
        actions = self.fleet.settle(time.monotonic())
        self._carry_out(actions)
        self._journal.write(self.fleet.running())
        return bool(actions)

    def announce(self) -> None:
        """Wake those whose engine is ready, or gone. To be called once the frontend has been told of it."""
        for name, arrival in list(self._arrivals.items()):
            engine = self.fleet.engine(name)
            if engine is None or engine.ready:
                del self._arrivals[name]
                arrival.settle(None if engine else self._why(name, arrival.model))
        self._reasons = {name: reason for name, reason in self._reasons.items() if self.fleet.engine(name)}

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self._act(action)

    def _why(self, engine: str, model: str) -> ErrorInfo:
        reason = self._reasons.get(engine, "it was unloaded before it was ready")
        return ErrorInfo(ErrorCode.MODEL_FAILED, f"can't load {model}: {reason}")
