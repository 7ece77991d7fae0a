"""Policies of engines, brought to where a test begins."""

from __future__ import annotations

from mlxr.actors.registry.lifecycle.actions import Action
from mlxr.actors.registry.lifecycle.engine import Engine
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.registry import EngineReleased, EngineUp, TokenizerUp
from mlxr.runtime.messages.supervisor import StopEngine
from mlxr.runtime.model_info import ModelInfo

GB = 10**9


def spec(model: str, digest: str = "") -> EngineSpec:
    return EngineSpec(model, digest or f"digest of {model}", f"/{model}", ModelInfo("gguf", "llama"))


def come_up(policy: EnginePolicy, engine: Engine, memory: int = 1000) -> None:
    policy.note(EngineUp(engine.name, 8192, memory, "cpu"))
    policy.note(TokenizerUp(engine.name))


def settle(policy: EnginePolicy, now: float, free: int | None = None) -> list[Action]:
    """Settles until nothing changes, with a frontend that sends no more requests to what is to stop, and a supervisor
    that ends engines at once."""
    actions: list[Action] = []
    while True:
        found = policy.settle(now, free)
        actions += found
        stopped = [action.engine for action in found if isinstance(action, StopEngine)]
        for name in stopped:
            policy.stopped(name)
        ending = [engine for engine in policy.engines.running() if engine.ending and not engine.released]
        for engine in ending:
            policy.released(EngineReleased(engine.name, engine.endings, {}))
        if not (stopped or ending):
            return actions


def serve(policy: EnginePolicy, model: str, now: float, keep_alive: float | None = None) -> Engine:
    """Load a model and send it one request that has ended."""
    engine = policy.ensure(spec(model), keep_alive, now)
    settle(policy, now)
    come_up(policy, engine)
    policy.touch(model, 1, keep_alive, now)
    policy.touch(model, 0, keep_alive, now)
    return engine


def states(policy: EnginePolicy, now: float = 0.0) -> dict[str, str]:
    return {info.model: info.state for info in policy.engines.infos(now, 0.0)}


def loaded(policy: EnginePolicy, model: str, size: float, now: float, *, pin: bool | None = None) -> Engine:
    """A model of so many GB that has answered a request."""
    engine = policy.ensure(spec(model), None, now, needs=int(size * GB), pin=pin)
    settle(policy, now)
    come_up(policy, engine, int(size * GB))
    settle(policy, now)
    policy.touch(model, 1, None, now)
    policy.touch(model, 0, None, now)
    return engine
