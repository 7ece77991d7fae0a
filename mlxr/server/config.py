"""The configuration of a server: which sections there are. ``configs/default.toml`` shows every key with its
meaning."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from mlxr.http.settings import ServerSettings

Placed = Literal["loop", "process"]
Positive = Annotated[int, Meta(ge=1)]
NotNegative = Annotated[int, Meta(ge=0)]


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of the sections."""


class Models(Section, frozen=True):
    default: str = ""
    keep_alive: float = 300.0
    max_loaded: Positive = 3
    paths: list[str] = []


class Scheduling(Section, frozen=True):
    token_budget: Positive = 512
    prefill_chunk: Positive = 128
    max_sequences: Positive = 64
    max_waiting: Positive = 256


class KV(Section, frozen=True):
    page_size: Annotated[int, Meta(ge=1, le=256)] = 32
    pool_tokens: NotNegative = 0
    memory_fraction: Annotated[float, Meta(gt=0, le=0.9)] = 0.25


class Executor(Section, frozen=True):
    backend: Literal["auto", "mlx", "cpu", "reference"] = "auto"
    threads: NotNegative = 0
    context_length: NotNegative = 0


class Placement(Section, frozen=True):
    tokenizer: Placed = "loop"
    scheduler: Placed = "loop"
    kv: Placed = "loop"
    executor: Placed = "process"
    registry: Placed = "loop"


class Supervision(Section, frozen=True):
    restarts: NotNegative = 5
    window_seconds: Annotated[float, Meta(gt=0)] = 60.0


class TelemetrySection(Section, frozen=True):
    endpoint: str = ""


class Log(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"


class Config(Section, frozen=True):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    models: Models = Models()
    scheduler: Scheduling = Scheduling()
    kv: KV = KV()
    executor: Executor = Executor()
    placement: Placement = Placement()
    supervision: Supervision = Supervision()
    telemetry: TelemetrySection = TelemetrySection()
    log: Log = Log()
