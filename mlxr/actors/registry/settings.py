"""What the registry is told at its start: a section of the configuration, and where models are."""

from __future__ import annotations

from msgspec import Struct

from mlxr.runtime.config import Positive, Section


class ModelsSection(Section, frozen=True):
    """``[models]``.

    default: loaded at the start; empty for one that is at hand, or the built-in one where none is installed.
    keep_alive: seconds that an unused engine stays; negative for ever.
    max_loaded: how many engines may run at once.
    paths: folders whose models clients on other machines may name by their paths.
    """

    default: str = ""
    keep_alive: float = 300.0
    max_loaded: Positive = 3
    paths: list[str] = []


class RegistrySettings(Struct, frozen=True):
    """As the supervisor hands them over.

    home: MLXR_HOME.
    warm: whether to load a model at the start even though none is named.
    """

    home: str
    models: ModelsSection = ModelsSection()
    warm: bool = False
