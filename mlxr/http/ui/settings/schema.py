"""The answer of ``/api/ui/settings``."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

Source = Literal["default", "file", "environment", "option"]


class ShownSetting(Struct, frozen=True, kw_only=True):
    """A key of the configuration.

    key: section.key.
    value: what is in force; *** for each that is secret.
    source: what set it: nothing, the configuration file, a variable, or an option of the command.
    where: the file, the variable or the option; empty for a default.
    default: what holds if nothing sets it.
    about: what it means; empty where the name says it.
    """

    key: str
    value: Any
    source: Source
    where: str
    default: Any
    about: str


class LoadedEngine(Struct, frozen=True, kw_only=True):
    """``memory``: bytes that its weights and pages may take. ``backend``: what computes: mlx, cpu or reference."""

    model: str
    backend: str
    memory: int


class ServerSetup(Struct, frozen=True, kw_only=True):
    """What runs here, and how it is set up.

    version: mlxr's own; ``python`` and ``mlx`` are those that it runs with.
    machine: the system and processor; ``cores``: those that this process may use.
    memory_total: bytes of this machine; ``memory_available``: what processes may still take of them.
    home: MLXR_HOME.
    file: where the configuration file is, or would be.
    keys_needed: clients need an API key.
    engines: what is loaded.
    settings: in the order of the configuration's sections. All of them are read when the server starts.
    """

    version: str
    python: str
    mlx: str
    machine: str
    cores: int
    memory_total: int
    memory_available: int
    home: str
    file: str
    keys_needed: bool
    engines: list[LoadedEngine]
    settings: list[ShownSetting]
