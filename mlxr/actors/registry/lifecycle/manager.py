"""Carries out what the engine policy decides, and wakes whoever waits for an engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

import anyio

from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.actors.registry.lifecycle.policy import Action, EnginePolicy
from mlxr.actors.registry.lifecycle.state_file import EngineStateFile
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.registry import EngineDown


class Readiness:
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


class EngineManager:
    """The policy with its surroundings: the supervisor, the state file, and those who wait.

    policy: decides which engines run.
    run_directory: where the state file is.
    act: sends an action to the supervisor.
    """

    def __init__(self, policy: EnginePolicy, run_directory: Path, act: Callable[[Action], None]) -> None:
        self.policy = policy
        self._act = act
        self._state_file = EngineStateFile(run_directory)
        self._waiting: dict[str, Readiness] = {}
        self._reasons: dict[str, EngineDown] = {}

    def adopt(self) -> list[str]:
        """Take over what an earlier registry started; returns the models that are served."""
        engines = self._state_file.read(time.monotonic())
        self.policy.adopt(engines)
        return [model for engine in engines for model in engine.active]

    def readiness(self, engine: Engine) -> Readiness:
        """What to wait on for ``engine`` to be ready."""
        return self._waiting.setdefault(engine.name, Readiness(engine.spec.model))

    def down(self, message: EngineDown) -> None:
        self._reasons[message.engine] = message
        self._carry_out(self.policy.down(message))

    def settle(self) -> bool:
        """Start and stop what is due; whether that was anything."""
        actions = self.policy.settle(time.monotonic())
        self._carry_out(actions)
        self._state_file.write(self.policy.running())
        return bool(actions)

    def wake(self) -> None:
        """Wake those whose engine is ready, or gone. To be called once the frontend has been told of it."""
        for name, readiness in list(self._waiting.items()):
            engine = self.policy.engine(name)
            if engine is None or engine.ready:
                del self._waiting[name]
                readiness.settle(None if engine else self._why(name, readiness.model))
        self._reasons = {name: reason for name, reason in self._reasons.items() if self.policy.engine(name)}

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self._act(action)

    def _why(self, engine: str, model: str) -> ErrorInfo:
        down = self._reasons.get(engine)
        reason = down.reason if down else "it was unloaded before it was ready"
        return ErrorInfo(down.code if down else ErrorCode.MODEL_FAILED, f"can't load {model}: {reason}")
