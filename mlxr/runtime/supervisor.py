"""The supervisor: starts actors where the configuration places them, restarts those that crash, and reports it.

Actors crash alone. What a crash means for the rest of its engine is told by message:

- executor: ``ExecutorLost`` to the scheduler, which computes running sequences again; streams go on.
- KV manager: ``KVLost`` to the scheduler, likewise.
- tokenizer, scheduler: their requests are lost; ``EngineLost`` to the frontend, which fails their streams.
- registry, frontend, chats, monitor, profile: they start anew; nobody else is touched.

An actor past its restart budget is given up, and its engine with it: ``EngineDown`` to the registry. Without chats
(``ChatsLost`` to the frontend) or the monitor the server goes on; it ends without another shared actor.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import anyio.abc
from msgspec import Struct

from mlxr.runtime import logs
from mlxr.runtime.actor import Actor, Context, on
from mlxr.runtime.actor_imports import ActorImports
from mlxr.runtime.actor_process import (
    ActorProcess,
    describe_exit,
    end_process,
    open_process,
    send_order,
)
from mlxr.runtime.bus import Address, Inbox
from mlxr.runtime.errors import StartError
from mlxr.runtime.first_processes import Prepare
from mlxr.runtime.host import UNLOADABLE, Assignment
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import ChatsLost, Drain, EngineLost
from mlxr.runtime.messages.monitor import ExecutorKilled
from mlxr.runtime.messages.registry import EngineDown, EngineStopped
from mlxr.runtime.messages.scheduler import ExecutorLost, KVLost
from mlxr.runtime.messages.supervisor import BecameIdle, Drained, KillActor, Published, StartEngine, StopEngine
from mlxr.runtime.restarts import RestartBudget
from mlxr.runtime.telemetry import STATE, STATE_SECONDS, ActorEnded, ActorStarted, ActorState, StateShown

log = logging.getLogger("mlxr.supervisor")

RESTART_SECONDS = 0.05
"""How much longer each restart waits than the one before, so that a fault that passes has time to."""


SWITCH_SECONDS = 0.005
"""How long a thread keeps the interpreter from others: Python's own choice."""


class UnloadableError(Exception):
    """What an actor is made of does not load on this machine."""


class ActorSpec(Struct, frozen=True):
    """One actor to run.

    Attributes:
        factory: ``module:Class``.
        settings: its settings in JSON.
        process: it runs in a process of its own.
        imports: modules that are imported with it.
        engines: it starts engines: those of their modules that it names are imported once it has started, and then
            only other shared actors, for which no load has to wait.
        loads: it starts an engine as soon as it has started itself: what engines are made of waits for that a while.
        vital: a server ends where it can't be kept alive, of those that belong to no engine.
    """

    kind: str
    factory: str
    settings: bytes = b"{}"
    process: bool = False
    vital: bool = True
    imports: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    loads: bool = False


@dataclass(slots=True)
class Running:
    """An actor that is being kept alive, in its life ``epoch``, by the process ``pid`` (0: between two lives), within
    ``budget``. ``inbox`` is set for actors on this loop, and outlives them."""

    spec: ActorSpec
    address: Address
    scope: anyio.CancelScope
    budget: RestartBudget
    ended: anyio.Event = field(default_factory=anyio.Event)
    inbox: Inbox[Any] | None = None
    epoch: int = 0
    pid: int = 0


class SupervisorActor(Actor):
    """``engine_actors`` says which actors an engine is made of, from the registry's description of it and the bytes
    of memory that it may take. ``ahead``: a factory (``module:Class``) whose first process is started at once, so that
    it is ready when the first engine is, unless ``spare`` is that process."""

    kind = "supervisor"

    def __init__(
        self,
        context: Context,
        shared: list[ActorSpec],
        engine_actors: Callable[[bytes, int], list[ActorSpec]],
        in_process: set[Address],
        restarts: int,
        window: float,
        ahead: str = "",
        spare: ActorProcess | None = None,
    ) -> None:
        super().__init__(context)
        self._ahead = ahead
        self._spare: ActorProcess | None = spare
        self._shared = shared
        self._engine_actors = engine_actors
        self._in_process = in_process
        self._budget = (restarts, window)
        self._running: dict[Address, Running] = {}
        self._processes: set[int] = set()
        self._imports = ActorImports()
        self.drained = anyio.Event()

    async def start(self) -> None:
        if self._ahead and self._spare is None:
            self._spare = await open_process("ahead", str(self.context.run_directory))
            await send_order(self._spare, Prepare(self._ahead, str(self.context.run_directory)))
        if not any(spec.engines and not spec.process for spec in self._shared):
            self._imports.no_engines()
        for spec in self._shared:
            self._launch(spec, Address(spec.kind))
        self.spawn(self._collect_again)
        self.spawn(self._tell_state)

    async def stop(self) -> None:
        """Ends everything: engines first, the frontend with the last."""
        for running in reversed(list(self._running.values())):
            running.scope.cancel()
        for running in list(self._running.values()):
            await running.ended.wait()
        if self._spare is not None:
            self._spare.kill()
            await self._spare.aclose()

    def kill_processes(self) -> None:
        """Kills what actors have processes of their own, which may be stuck: from any thread, when all else must
        end."""
        spare = [self._spare.pid] if self._spare is not None else []
        for pid in [*self._processes, *spare]:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if self.context.nursery is not None:
            self.context.nursery.kill()

    def begin_drain(self) -> None:
        """Takes no new requests in; ``drained`` is set once those that are in have had their outcome."""
        self.tell(Address("frontend"), Drain())

    @on(StartEngine)
    def start_engine(self, message: StartEngine) -> None:
        # Processes first: they may begin before those of this loop are imported.
        for spec in sorted(self._engine_actors(bytes(message.spec), message.memory_bytes), key=_in_process):
            self._launch(spec, Address.of(spec.kind, message.engine))
        self._imports.engine_begun()

    @on(StopEngine)
    def stop_engine(self, message: StopEngine) -> None:
        ending = [running for address, running in self._running.items() if address.engine == message.engine]
        for running in ending:
            running.scope.cancel()
        self.spawn(self._tell_stopped, message.engine, ending)

    async def _tell_stopped(self, engine: str, ending: list[Running]) -> None:
        for running in ending:
            await running.ended.wait()
        self.tell(Address("registry"), EngineStopped(engine))

    @on(Drained)
    def frontend_drained(self, message: Drained) -> None:
        self.drained.set()

    @on(BecameIdle)
    def frontend_idle(self, message: BecameIdle) -> None:
        log.info("nothing is loaded and nobody asks")
        # The same end as every other: what comes in a moment is let finish.
        os.kill(os.getpid(), signal.SIGTERM)

    @on(KillActor)
    def kill_actor(self, message: KillActor) -> None:
        self.tell(Address("monitor"), self._kill_executor(message.request, message.engine))

    def _kill_executor(self, request: int, engine: str) -> ExecutorKilled:
        """Kills the process of an executor, unless it could not be restarted then."""
        found = {at.engine: running for at, running in self._running.items() if at.kind == "executor"}
        if not engine and len(found) > 1:
            reason = f"there are several executors: say which `engine`, one of {', '.join(sorted(found))}"
            return ExecutorKilled(request, engine, error=ErrorInfo(ErrorCode.INVALID, reason, "engine"))
        engine = engine or next(iter(found), "")
        if (running := found.get(engine)) is None:
            reason = f"there is no executor of {engine!r}" if engine else "no model is loaded, so there is no executor"
            return ExecutorKilled(request, engine, error=ErrorInfo(ErrorCode.INVALID, reason, "engine"))
        if not running.spec.process:
            reason = "the executor shares the server's process (placement.executor), and can't be killed alone"
            return ExecutorKilled(request, engine, error=ErrorInfo(ErrorCode.UNSUPPORTED, reason))
        if not running.pid or not running.budget.left(time.monotonic()):
            restarts, window = self._budget
            reason = f"the executor is being restarted, or was {restarts} times within {window:g} s; try again later"
            return ExecutorKilled(request, engine, error=ErrorInfo(ErrorCode.LOADING, reason, retry_after=5))
        log.warning("killing the executor of %s, process %d, as somebody asked to", engine, running.pid)
        os.kill(running.pid, signal.SIGKILL)
        return ExecutorKilled(request, engine, running.pid)

    @on(Published)
    def published(self, message: Published) -> None:
        self.telemetry.relay(message.topic, message.body)

    async def _collect_again(self) -> None:
        """Turns the garbage collector on, if whoever starts the server has turned it off, once the shared actors are
        imported. Modules stay: it need never look through them."""
        await self._imports.after_engines()
        async with self._imports.others:
            gc.freeze()
            gc.enable()
            sys.setswitchinterval(SWITCH_SECONDS)

    async def _tell_state(self) -> None:
        """Tells which actors there are, for as long as somebody reads it."""
        while True:
            await anyio.sleep(STATE_SECONDS)
            if self.telemetry.wants(STATE):
                for address, running in list(self._running.items()):
                    self.telemetry.emit(STATE, ActorState(str(address), running.epoch, running.pid))
                self.telemetry.emit(STATE, StateShown(self.kind))

    def _launch(self, spec: ActorSpec, address: Address) -> None:
        if address in self._running:
            return
        running = Running(spec, address, anyio.CancelScope(), RestartBudget(*self._budget))
        if not spec.process:
            self._in_process.add(address)
            running.inbox = self.context.bus.inbox(address, INBOXES[spec.kind])
        self._running[address] = running
        self.spawn(self._keep, running)

    async def _keep(self, running: Running) -> None:
        """Runs one actor, again and again, until it is stopped or its budget is spent."""
        epoch = 0
        try:
            with running.scope:
                while True:
                    try:
                        reason = await self._run_once(running, epoch)
                        final = not running.budget.spend(time.monotonic())
                    except UnloadableError as error:
                        reason, final = str(error), True
                    self._report_end(running, epoch, reason, final)
                    if final:
                        break
                    epoch += 1
                    await anyio.sleep(min(RESTART_SECONDS * epoch, 1.0))
        finally:
            self._discard(running)

    async def _run_once(self, running: Running, epoch: int) -> str:
        """One life of an actor; returns why it ended. Cancellation ends it in order."""
        running.epoch, running.pid = epoch, 0
        try:
            if running.spec.process:
                return await self._run_process(running, epoch)
            return await self._run_on_loop(running, epoch)
        finally:
            running.pid = 0

    async def _run_on_loop(self, running: Running, epoch: int) -> str:
        spec, address = running.spec, running.address
        assert running.inbox is not None
        running.pid = os.getpid()
        self.telemetry.emit("actors", ActorStarted(str(address), epoch, os.getpid()))
        own = self.context
        context = Context(address, own.bus, self.telemetry, own.run_directory, spec.settings, epoch, own.nursery)
        try:
            imported = self._imports.of_engine if address.engine or spec.engines else self._imports.of_other
            kind = await imported(spec.factory, spec.imports)
            await kind(context).run(running.inbox, partial(self._started, spec))
        except StartError:
            raise
        except Exception as error:
            log.exception("%s crashed", address)
            return f"{type(error).__name__}: {error}"
        return "ended"

    def _started(self, spec: ActorSpec) -> None:
        if spec.engines:
            self.spawn(partial(self._imports.import_engines, spec.engines, soon=spec.loads))

    async def _run_process(self, running: Running, epoch: int) -> str:
        spec, address = running.spec, running.address
        directory = str(self.context.run_directory)
        assignment = Assignment(spec.factory, str(address), directory, spec.settings.decode(), epoch, logs.in_force())
        async with self._take_spare(spec.factory) or await open_process(str(address), directory) as process:
            self.telemetry.emit("actors", ActorStarted(str(address), epoch, process.pid))
            running.pid = process.pid
            self._processes.add(process.pid)
            try:
                await send_order(process, assignment)
                code = await process.wait()
            except anyio.BrokenResourceError:
                code = await process.wait()
            except BaseException:
                await end_process(process)
                raise
            finally:
                self._processes.discard(process.pid)
        if code == UNLOADABLE:
            raise UnloadableError("a library that it needs does not load, and `mlxr doctor` says what helps")
        return describe_exit(code)

    def _take_spare(self, factory: str) -> ActorProcess | None:
        """Returns the process that was started ahead, if it is for ``factory`` and still there."""
        if factory != self._ahead:
            return None
        spare, self._spare = self._spare, None
        return spare

    def _report_end(self, running: Running, epoch: int, reason: str, final: bool) -> None:
        """Tells whoever must act on it that an actor is gone, for now or for good."""
        address = running.address
        log.warning("%s is gone (%s)%s", address, reason, ", and not restarted any more" if final else "; restarting")
        self.telemetry.emit("actors", ActorEnded(str(address), epoch, reason, not final))
        engine = address.engine
        scheduler = Address.of("scheduler", engine)
        text = f"the {address.kind} is gone ({reason})"
        match address.kind:
            case "executor":
                self.tell(scheduler, ExecutorLost(epoch, text, final))
            case "kv":
                self.tell(scheduler, KVLost(text))
            case "tokenizer" | "scheduler":
                error = ErrorInfo(ErrorCode.ENGINE_FAILED, f"{text}; send the request again", retry_after=1)
                self.tell(Address("frontend"), EngineLost(engine, error))
        if engine:
            self.tell(Address("registry"), EngineDown(engine, address.kind, text, final))
        elif final and address.kind == "chats":
            self.tell(Address("frontend"), ChatsLost(f"{text} too often, and there are none until the next start"))
        elif final and running.spec.vital:
            raise StartError(f"{text} too often; the log above says why")

    def _discard(self, running: Running) -> None:
        del self._running[running.address]
        if running.inbox is not None:
            running.inbox.close()
            self._in_process.discard(running.address)
        self.context.bus.forget(running.address)
        running.ended.set()


def _in_process(spec: ActorSpec) -> bool:
    return not spec.process
