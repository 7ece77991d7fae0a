"""Models that mlxr knows by a short name: where they come from and the SHA-256 their file must have."""

from __future__ import annotations

from dataclasses import dataclass

from mlxr.actors.registry.catalogue.model_configs import built_in_folder, read_folder
from mlxr.models import names


@dataclass(frozen=True, slots=True)
class Alias:
    """``source`` is what ``mlxr pull`` takes; ``digest`` is that of the model's file (or folder), ``size``
    its bytes."""

    name: str
    source: str
    digest: str
    size: int


BUILT_IN = tuple(
    Alias(config.name, config.source, config.digest, config.size) for config in read_folder(built_in_folder())
)
"""Those of ``configs/models``, by their names."""


def built_in(name: str) -> Alias | None:
    """Returns the alias of that name, or of that source."""
    wanted = names.key(name)
    return next((alias for alias in BUILT_IN if wanted in (alias.name, alias.source)), None)
