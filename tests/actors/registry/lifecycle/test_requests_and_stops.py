"""Requests that come while engines stop: the real policy and the real frontend gateway, messages between them in any
order that queues allow, and engines that are only names."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio import lowlevel

from mlxr.actors.frontend.gateway import FrontendGateway
from mlxr.actors.registry.lifecycle.actions import Refusal
from mlxr.actors.registry.lifecycle.engine import OVERHEAD_BYTES
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.api.metrics import Metrics
from mlxr.runtime.bus import Address
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, FinishReason, Message, Usage
from mlxr.runtime.messages.frontend import Catalog, Delta, Deltas, Finished, RegistryReply, Started
from mlxr.runtime.messages.registry import (
    CancelCommand,
    EngineReleased,
    EngineUp,
    LoadModel,
    TokenizerUp,
    TouchModel,
    UnloadModel,
)
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine
from mlxr.runtime.messages.tokenizer import Cancel, Generate, TextPrompt
from mlxr.runtime.model_info import ModelInfo
from mlxr.runtime.telemetry import Telemetry

GB = 10**9
SIZES = {"small": 1 * GB, "middle": 2 * GB, "large": 4 * GB, "other": 2 * GB}
LIMIT = 5 * GB + 3 * OVERHEAD_BYTES
INFO = ModelInfo("gguf", "llama", capabilities=["completion"], context_length=4096)
ENTRIES = [ModelEntry(name, name, size, 0.0, f"/{name}", INFO) for name, size in SIZES.items()]

pytestmark = pytest.mark.anyio


class World:
    """Delivers messages one at a time, those of each sender to each receiver in order, and lets time pass."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.queues: dict[str, deque[Callable[[], None]]] = {}
        self.policy = EnginePolicy(3, 30.0, LIMIT)
        self.gateway = FrontendGateway(self._from_frontend, Telemetry(), Metrics(), 10_000)
        self.waiting: list[tuple[int, str]] = []
        self.alive: dict[str, int] = {}
        self.serving: dict[str, list[Generate]] = {}
        self.stopped: list[str] = []
        self.most = 0
        self.gateway.on_catalog(Catalog(ENTRIES, []))

    def step(self) -> None:
        """Delivers one message, ends one answer, or lets some seconds pass."""
        names = [name for name, queue in self.queues.items() if queue]
        if names and self.random.random() < 0.8:
            self.queues[self.random.choice(names)].popleft()()
        elif answers := [engine for engine, requests in self.serving.items() if requests]:
            self._answer(self.random.choice(answers))
        else:
            self.now += self.random.choice([0.1, 1.0, 5.0, 12.0, 40.0])
            self._settle()

    def send(self, queue: str, deliver: Callable[[], None]) -> None:
        self.queues.setdefault(queue, deque()).append(deliver)

    def _from_frontend(self, address: Address, message: Message) -> None:
        handle = self._registry if address.kind == "registry" else self._tokenizer(address.engine)
        self.send(f"frontend>{address}", lambda: handle(message))

    def _to_frontend(self, sender: str, message: Any) -> None:
        handlers: dict[type, Callable[[Any], None]] = {
            Catalog: self.gateway.on_catalog,
            RegistryReply: self.gateway.table.on_reply,
            Started: self.gateway.table.on_started,
            Deltas: self.gateway.table.on_deltas,
            Finished: self.gateway.table.on_finished,
        }
        self.send(f"{sender}>frontend", lambda: handlers[type(message)](message))

    def _registry(self, message: Message) -> None:
        match message:
            case LoadModel():
                name = message.model
                spec = EngineSpec(name, name, f"/{name}", INFO)
                engine = self.policy.ensure(spec, message.keep_alive, self.now, needs=SIZES[name])
                self.waiting.append((message.request or 0, engine.name))
            case UnloadModel():
                self.policy.unload(message.model)
                self._to_frontend("registry", RegistryReply(message.request or 0, last=True))
            case TouchModel():
                self.policy.touch(message.model, message.active, message.keep_alive, self.now, message.engine)
            case EngineReleased():
                self.policy.released(message)
            case CancelCommand():
                for request, engine in [one for one in self.waiting if one[0] == message.request]:
                    self.waiting.remove((request, engine))
                    if not any(other == engine for _, other in self.waiting):
                        self.policy.withdraw(engine)
        self._settle()

    def _settle(self) -> None:
        for action in self.policy.settle(self.now):
            match action:
                case StartEngine(engine=name):
                    self.send("registry>supervisor", lambda name=name: self._start(name))
                case StopEngine(engine=name):
                    self.send("registry>supervisor", lambda name=name: self._stop(name))
                case Refusal():
                    pytest.fail(action.reason)
        self._publish()
        for request, name in list(self.waiting):
            engine = self.policy.engines.find(name)
            if engine is None or engine.ready:
                self.waiting.remove((request, name))
                gone = None if engine else ErrorInfo(ErrorCode.MODEL_FAILED, "unloaded before it was ready")
                self._to_frontend("registry", RegistryReply(request, last=True, error=gone))

    def _publish(self) -> None:
        self._to_frontend("registry", Catalog(ENTRIES, self.policy.engines.infos(self.now, 0.0)))

    def _start(self, name: str) -> None:
        engine = self.policy.engines.find(name)
        self.alive[name] = engine.takes if engine else 0
        self.serving[name] = []
        self.most = max(self.most, sum(self.alive.values()))

        def up() -> None:
            engine = self.policy.engines.find(name)
            if engine is not None:
                self.policy.note(TokenizerUp(name))
                self.policy.note(EngineUp(name, 4096, engine.needs, "cpu"))
                self._settle()

        self.send(f"{name}>registry", up)

    def _stop(self, name: str) -> None:
        assert not self.serving.pop(name), "an engine was stopped while it worked"
        self.stopped.append(name)

        def ended() -> None:
            del self.alive[name]
            self.policy.stopped(name)
            self._settle()

        self.send(f"{name} supervisor>registry", ended)

    def _tokenizer(self, engine: str) -> Callable[[Message], None]:
        def handle(message: Message) -> None:
            if isinstance(message, Generate):
                assert engine in self.serving, "a request went to an engine that has stopped"
                self.serving[engine].append(message)
            elif isinstance(message, Cancel) and engine in self.serving:
                self.serving[engine] = [one for one in self.serving[engine] if one.request != message.request]

        return handle

    def _answer(self, engine: str) -> None:
        number = self.serving[engine].pop(self.random.randrange(len(self.serving[engine]))).request
        end = Deltas([Delta(number, text="x", tokens=1, finish=FinishReason.STOP)])
        for message in (Started(number, 1), end, Finished(number, Usage())):
            self._to_frontend(engine, message)


@pytest.mark.parametrize("seed", range(60))
async def test_requests_are_answered_whatever_stops_meanwhile(seed: int) -> None:
    """Every request gets its answer, engines never hold more than the limit, and no model waits for ever for others
    that are asked for again and again."""
    world, answered = World(seed), 0
    requests = 40

    async def ask() -> None:
        nonlocal answered
        name = world.random.choice(list(SIZES))
        keep_alive = world.random.choice([None, None, 0.0, 3.0, float("inf")])
        for _ in range(world.random.randrange(300)):
            await lowlevel.checkpoint()
        if world.random.random() < 0.15:
            async for _ in world.gateway.registry(UnloadModel(name)):
                pass
        async with world.gateway.generate(name, Generate(0, TextPrompt("Hi")), keep_alive=keep_alive) as stream:
            await stream.rest()
        answered += 1

    async def leave() -> None:
        """A client that goes before its answer is there."""
        for _ in range(world.random.randrange(300)):
            await lowlevel.checkpoint()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask_and_drop)
                for _ in range(world.random.randrange(60)):
                    await lowlevel.checkpoint()
                scope.cancel()

    async def ask_and_drop() -> None:
        name = world.random.choice(list(SIZES))
        async with world.gateway.generate(name, Generate(0, TextPrompt("Hi"))) as stream:
            await stream.rest()

    async with anyio.create_task_group() as tasks:
        for _ in range(requests):
            tasks.start_soon(ask)
        for _ in range(8):
            tasks.start_soon(leave)
        for _ in range(20_000):
            world.step()
            for _ in range(3):
                await lowlevel.checkpoint()
            if answered == requests:
                break
        tasks.cancel_scope.cancel()
    assert answered == requests
    assert world.most <= LIMIT
