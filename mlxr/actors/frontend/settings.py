"""What the frontend is told at its start."""

from __future__ import annotations

from msgspec import Struct

from mlxr.api.transport import TransportSpec
from mlxr.runtime.config_sources import Setting


class FrontendSettings(Struct, frozen=True):
    """As the supervisor hands them over.

    home: MLXR_HOME, where uploaded files go.
    transports: what lets clients in.
    drain_seconds: what requests in flight get at shutdown.
    unread_deltas: how many pieces of text a client may leave unread before its request is cancelled.
    idle_seconds: how long the server goes on without a loaded model or an open request; 0: for ever.
    configuration: each key of the configuration and where it comes from, without secrets.
    """

    home: str
    transports: list[TransportSpec]
    drain_seconds: float
    unread_deltas: int
    idle_seconds: float = 0.0
    configuration: list[Setting] = []
