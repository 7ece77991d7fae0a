"""What the policy has done: engines started, stopped, refused, and told what their pages may take."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.runtime.messages.supervisor import StartEngine, StopEngine


@dataclass(frozen=True, slots=True)
class Refusal:
    """An engine that is not started, and why."""

    engine: str
    reason: str


@dataclass(frozen=True, slots=True)
class Limit:
    """Pages of an engine may take ``nbytes`` from now on, and those in use ``give_back`` less than now."""

    engine: str
    nbytes: int
    give_back: int = 0


Action = StartEngine | StopEngine | Refusal | Limit
