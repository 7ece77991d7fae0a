"""What the frontend is told at its start."""

from __future__ import annotations

from msgspec import Struct

from mlxr.http.settings import ServerSettings


class FrontendSettings(Struct, frozen=True):
    """``home``: MLXR_HOME, where uploaded files go."""

    server: ServerSettings
    home: str
