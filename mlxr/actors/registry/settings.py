"""What the registry is told at its start."""

from __future__ import annotations

from msgspec import Struct


class RegistrySettings(Struct, frozen=True):
    """Travels as JSON.

    home: MLXR_HOME.
    default_model: loaded at the start; empty for one that is at hand, or the built-in one where none is installed.
    max_engines: how many may run at once.
    keep_alive: seconds that an unused engine stays; None for ever.
    warm: whether to load one at the start even though none is named.
    paths: folders whose models clients on other machines may name by their paths.
    """

    home: str
    default_model: str = ""
    max_engines: int = 3
    keep_alive: float | None = 300.0
    warm: bool = False
    paths: list[str] = []
