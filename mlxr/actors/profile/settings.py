"""What the profile is told at its start."""

from __future__ import annotations

from msgspec import Struct


class ProfileSettings(Struct, frozen=True):
    """``home``: MLXR_HOME."""

    home: str
