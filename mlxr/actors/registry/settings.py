"""What the registry is told at its start."""

from __future__ import annotations

from msgspec import Struct


class RegistrySettings(Struct, frozen=True):
    """``home``: MLXR_HOME. ``default_model``: loaded at the start, '' for the built-in one where none is installed.
    ``keep_alive``: seconds an unused engine stays, negative for ever. ``preload``: further models to load.
    ``warm``: load one at the start even though none is named. ``paths``: folders whose models clients on other machines
    may name by their paths."""

    home: str
    default_model: str = ""
    max_engines: int = 3
    keep_alive: float = 300.0
    preload: list[str] = []
    warm: bool = False
    paths: list[str] = []
