"""The supervisor's inbox: which engines should run, and how the actors fare."""

from __future__ import annotations

from mlxr.runtime.messages.common import Json, Message


class StartEngine(Message, frozen=True):
    """Command: start {tokenizer, scheduler, KV manager, executor} for one model. ``spec`` is JSON of ``EngineSpec``."""

    engine: str
    spec: Json


class StopEngine(Message, frozen=True):
    engine: str


class Drained(Message, frozen=True):
    """Event from the frontend: every request has had its outcome, and the listeners are closed."""


SupervisorInbox = StartEngine | StopEngine | Drained
