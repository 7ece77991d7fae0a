"""Carries out what the engine policy decides, and wakes whoever waits for an engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio

from mlxr.actors.registry.lifecycle.actions import Action, Limit, Refusal
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.actors.registry.lifecycle.state_file import EngineStateFile
from mlxr.actors.registry.progress import Progress, Report
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.kv import LimitPool
from mlxr.runtime.messages.registry import EngineDown, TouchModel
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine
from mlxr.runtime.pacing import LOADING, StreamingMark


class Unloaded(RequestError):  # noqa: N818  (reads as what happened)
    """Nothing failed: the model was deleted, replaced or made way before its engine was ready."""


class Readiness:
    """Waits for one engine to be ready. ``waiting``: how many do."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.waiting = 0
        self._stage = ""
        self._changed = anyio.Event()
        self._known = False
        self._error: ErrorInfo | None = None
        self._unloaded = False

    def settle(self, error: ErrorInfo | None, *, unloaded: bool = False) -> None:
        """The engine is ready, or never will be because of ``error``; ``unloaded``: nothing failed."""
        self._known, self._error, self._unloaded = True, error, unloaded
        self._wake()

    def tell(self, stage: str) -> None:
        """The engine is at ``stage`` of its way."""
        if stage and stage != self._stage:
            self._stage = stage
            self._wake()

    async def wait(self, report: Report) -> None:
        """Returns when the engine is ready, and reports meanwhile what it waits for; raises ``RequestError`` with the
        reason why it never will be, ``Unloaded`` where that is somebody's wish."""
        told = ""
        while not self._known:
            if self._stage != told:
                told = self._stage
                report(Progress(told))
            await self._changed.wait()
        if self._error is not None:
            raise Unloaded(self._error) if self._unloaded else RequestError(self._error)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


class EngineManager:
    """The policy with its surroundings: the supervisor, the state file, and those who wait.

    policy: decides which engines run.
    run_directory: where the state file is.
    act: sends an action to the supervisor.
    free: says how much memory the system can give beyond what these engines may take; None where it can't.
    limit: tells the KV manager of an engine what its pages may take.
    lacking: says how much memory the system lacks that it should have left.
    working: says whether the registry works on something long, a pull say.
    """

    def __init__(
        self,
        policy: EnginePolicy,
        run_directory: Path,
        act: Callable[[StartEngine | StopEngine], None],
        free: Callable[[list[Engine]], int | None],
        limit: Callable[[str, LimitPool], None] = lambda engine, command: None,
        lacking: Callable[[], int] = lambda: 0,
        working: Callable[[], bool] = lambda: False,
    ) -> None:
        self.policy = policy
        self._working = working
        self._limit, self._lacking = limit, lacking
        self._free = free
        self._act = act
        self._state_file = EngineStateFile(run_directory)
        self._streaming = StreamingMark(run_directory)
        self._loading = StreamingMark(run_directory, LOADING)
        self._preparing = 0
        self._waiting: dict[str, Readiness] = {}
        self._reasons: dict[str, EngineDown] = {}

    def adopt(self) -> list[str]:
        """Takes over what an earlier registry started; returns the models that are served."""
        engines = self._state_file.read(time.monotonic())
        self.policy.adopt(engines)
        return [model for engine in engines for model in engine.active]

    @contextmanager
    def awaited(self, engine: Engine) -> Iterator[Readiness]:
        """What to wait on for ``engine`` to be ready. One that nobody waits for any more is not started."""
        readiness = self._waiting.setdefault(engine.name, Readiness(engine.spec.model))
        readiness.waiting += 1
        try:
            yield readiness
        finally:
            readiness.waiting -= 1
            if not readiness.waiting and self._waiting.get(engine.name) is readiness:
                del self._waiting[engine.name]
                self.policy.withdraw(engine.name)

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Within it streams leave a CPU to a load that has no engine yet: what finds its model and works out its size
        would hold one of the threads that compute a step, and so the other. Where an engine came of it, the next look
        says whether they go on with that."""
        self._preparing += 1
        try:
            self.mark_streams()
            yield
        except BaseException:
            self._preparing -= 1
            self.mark_streams()
            raise
        self._preparing -= 1

    def touch(self, message: TouchModel) -> None:
        self.policy.touch(message.model, message.active, message.keep_alive, time.monotonic(), message.engine)
        self.mark_streams()

    def mark_streams(self) -> None:
        """Has work in the background make way, where there is some, for streams, where there are some; and these leave
        a CPU to loads."""
        engines = self.policy.engines
        answers = engines.answers()
        self._streaming.set(answers and (engines.loads() or self._working() or engines.warms_up()))
        self._loading.set(answers and (self._preparing > 0 or engines.is_at_load()))

    def down(self, message: EngineDown) -> None:
        self._reasons[message.engine] = message
        self._carry_out(self.policy.down(message))

    def settle(self) -> bool:
        """Starts and stops what is due; whether that was anything."""
        now, engines = time.monotonic(), self.policy.engines
        free = self._free(engines.running()) if engines.waits() or engines.lacks() else None
        actions = self.policy.settle(now, free)
        if engines.gives() and (lacking := self._lacking()):
            actions += self.policy.relieve(now, lacking)
        elif engines.lacks():
            actions += self.policy.raise_limits(now, free)
        self.mark_streams()
        self._carry_out(actions)
        self._state_file.write(engines.running())
        return bool(actions)

    def wake(self) -> None:
        """Wakes those whose engine is ready, or gone. To be called once the frontend has been told of it."""
        for name, readiness in list(self._waiting.items()):
            engine = self.policy.engines.find(name)
            if engine is not None and not engine.started:
                readiness.tell(engine.stage)
            if engine is None or engine.ready:
                del self._waiting[name]
                error = None if engine else self._why(name, readiness.model)
                readiness.settle(error, unloaded=name not in self._reasons)
        self._reasons = {name: reason for name, reason in self._reasons.items() if self.policy.engines.find(name)}

    def _carry_out(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Refusal):
                code = ErrorCode.OUT_OF_MEMORY
                self._reasons[action.engine] = EngineDown(action.engine, "registry", action.reason, True, code)
            elif isinstance(action, Limit):
                self._limit(action.engine, LimitPool(action.nbytes, action.give_back))
            else:
                self._act(action)

    def _why(self, engine: str, model: str) -> ErrorInfo:
        down = self._reasons.get(engine)
        reason = down.reason if down else "it was unloaded before it was ready"
        return ErrorInfo(down.code if down else ErrorCode.MODEL_FAILED, f"can't load {model}: {reason}")
