"""Models that are not installed, but that the server may be fetching at its start."""

from __future__ import annotations

from collections.abc import Iterable

from mlxr.models.names import key, quoted
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import EngineInfo

RETRY_SECONDS = 5.0


def pending_model(engines: Iterable[EngineInfo]) -> str:
    """The model that the server is to serve once it has it, '' if there is none."""
    return next((info.model for info in engines if info.state == "loading"), "")


def not_installed(engines: Iterable[EngineInfo], name: str) -> ErrorInfo:
    """Returns what a request for ``name``, which is not installed, is told: to come again where its model is on its
    way, and otherwise that there is none, and why it could not be had at the start if that was tried."""
    found = next((info for info in engines if key(info.model) == key(name)), None)
    if found is not None and found.state == "loading":
        how_far = f"{found.progress:.0%}" if found.progress else found.stage
        coming = (
            f"model {quoted(name)} is being pulled ({how_far}); ask again in a moment, GET /health says how far it is"
        )
        return ErrorInfo(ErrorCode.LOADING, coming, "model", RETRY_SECONDS)
    why = found.error if found is not None else None
    way_out = f": {why}" if why else "; `mlxr pull` fetches models, `mlxr list` shows what there is"
    return ErrorInfo(ErrorCode.MODEL_NOT_FOUND, f"model {quoted(name)} not found{way_out}")
