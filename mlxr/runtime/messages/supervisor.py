"""The supervisor's inbox: which engines should run, and how the actors fare."""

from __future__ import annotations

from mlxr.runtime.messages.common import Json, Message


class StartEngine(Message, frozen=True):
    """Command: start {tokenizer, scheduler, KV manager, executor} for one model. ``spec`` is JSON of ``EngineSpec``.
    ``memory_bytes``: what its weights and pages may take, 0 for no limit."""

    engine: str
    spec: Json
    memory_bytes: int = 0


class StopEngine(Message, frozen=True):
    """Command: end all actors of an engine, and say so (``EngineStopped``)."""

    engine: str


class Drained(Message, frozen=True):
    """Event from the frontend: every request has had its outcome, and the listeners are closed."""


class BecameIdle(Message, frozen=True):
    """Event from the frontend of a server that ends by itself: nothing has been loaded or asked for a while."""


class Published(Message, frozen=True):
    """Event from an actor in a process of its own: ``body`` is a telemetry event of ``topic``, to be passed on."""

    topic: str
    body: bytes


class KillActor(Message, frozen=True):
    """Command from the monitor: kill the process of an engine's executor, which is then restarted as after any crash,
    and say so (``ExecutorKilled``). ``engine``: empty for the only one."""

    request: int
    engine: str = ""


SupervisorInbox = StartEngine | StopEngine | Drained | BecameIdle | Published | KillActor
