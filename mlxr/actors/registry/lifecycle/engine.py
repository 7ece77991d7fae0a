"""What the registry knows of one engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.registry import EngineUp


@dataclass(slots=True)
class Engine:
    """One model's group of actors, as far as the registry knows.

    name: of the group, part of its actors' addresses.
    spec: what it is made of.
    keep_alive: seconds that it stays unused; infinity for ever.
    pinned: whether it stays unless a request says otherwise.
    used: when the last request began or ended, or when the engine was ready for the first.
    active: requests in flight by the name they asked for; its keys are the names it serves.
    started: whether the supervisor was told to start it.
    up: what its executor said when it had loaded; None before that, and while it is restarted.
    tokenizer: whether its tokenizer is there.
    was_ready: whether it was once, so that it restarts now and does not load.
    loaded: whether ``settle`` has seen it ready.
    touched: whether a request has come since it was last asked for.
    detached_at: when its last name was taken from it; it ends with its last request.
    stage, progress: how far loading is, 0 to 1 of the stage.
    """

    name: str
    spec: EngineSpec
    keep_alive: float
    pinned: bool
    used: float
    active: dict[str, int] = field(default_factory=dict)
    started: bool = False
    up: EngineUp | None = None
    tokenizer: bool = False
    was_ready: bool = False
    loaded: bool = False
    touched: bool = False
    detached_at: float | None = None
    stage: str = ""
    progress: float = 0.0

    @property
    def ready(self) -> bool:
        return self.up is not None and self.tokenizer

    @property
    def idle(self) -> bool:
        return not any(self.active.values())

    @property
    def state(self) -> str:
        if self.detached_at is not None:
            return "stopping"
        if self.ready:
            return "ready"
        return "restarting" if self.was_ready else "loading"
