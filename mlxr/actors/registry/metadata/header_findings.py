"""What is found in a model's headers, as whoever asked for a look is told."""

from __future__ import annotations

from msgspec import Struct

from mlxr.api.estimate import TypeShare
from mlxr.models.footprint import Footprint
from mlxr.runtime.model_info import ModelInfo


class HeaderFindings(Struct, frozen=True):
    """What was found in a model's headers.

    info: what they say, and whether the model runs here.
    footprint: what it takes; None for one that does not run.
    types: what its tensors are stored as, the type with most bytes first.
    nearest: of the architectures that run here, the one nearest to one that does not; '' where it does.
    """

    info: ModelInfo
    footprint: Footprint | None = None
    types: list[TypeShare] = []
    nearest: str = ""
