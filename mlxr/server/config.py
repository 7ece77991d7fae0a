"""The configuration of a server: which sections there are. ``configs/default.toml`` shows every key with its
meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from mlxr.actors.executor.settings import ExecutorSection, KVSection
from mlxr.actors.registry.settings import ModelsSection
from mlxr.actors.scheduler.settings import SchedulerSection
from mlxr.http.settings import ServerSettings
from mlxr.runtime.config import NotNegative, Section

Placed = Literal["loop", "process"]


class PlacementSection(Section, frozen=True):
    """``[placement]``: which actors run in a process of their own, and which on the main process's loop."""

    tokenizer: Placed = "loop"
    scheduler: Placed = "loop"
    kv: Placed = "loop"
    executor: Placed = "process"
    registry: Placed = "loop"


class SupervisionSection(Section, frozen=True):
    """``[supervision]``: an actor may be restarted so often within the window before it is given up."""

    restarts: NotNegative = 5
    window_seconds: Annotated[float, Meta(gt=0)] = 60.0


class TelemetrySection(Section, frozen=True):
    """``[telemetry]``: where events are published; empty for a socket in the run directory."""

    endpoint: str = ""


class LogSection(Section, frozen=True):
    """``[log]``."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section, frozen=True):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    models: ModelsSection = ModelsSection()
    scheduler: SchedulerSection = SchedulerSection()
    kv: KVSection = KVSection()
    executor: ExecutorSection = ExecutorSection()
    placement: PlacementSection = PlacementSection()
    supervision: SupervisionSection = SupervisionSection()
    telemetry: TelemetrySection = TelemetrySection()
    log: LogSection = LogSection()
