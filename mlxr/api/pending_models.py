"""Models that are not installed, but that the server may be fetching at its start."""

from __future__ import annotations

from collections.abc import Iterable

from mlxr.models.names import key, quoted
from mlxr.models.near_names import suggestion
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo

RETRY_SECONDS = 5.0


def pending_model(engines: Iterable[EngineInfo]) -> str:
    """Returns the model that the server is to serve once it has it, '' if there is none."""
    return next((info.model for info in engines if info.state == "loading"), "")


def not_installed(engines: Iterable[EngineInfo], models: Iterable[ModelEntry], name: str) -> ErrorInfo:
    """Returns what a request for ``name``, which is not installed, is told: to come again where its model is on its
    way, and otherwise that there is none, and why it could not be had at the start if that was tried, or which of
    ``models`` it may mean."""
    found = next((info for info in engines if key(info.model) == key(name)), None)
    if found is not None and found.state == "loading":
        how_far = f"{found.progress:.0%}" if found.progress else found.stage
        coming = (
            f"model {quoted(name)} is being pulled ({how_far}); ask again in a moment, GET /health says how far it is"
        )
        return ErrorInfo(ErrorCode.LOADING, coming, "model", RETRY_SECONDS)
    why = found.error if found is not None else None
    way_out = f": {why}" if why else f"; {_way_out(models, name)}"
    return ErrorInfo(ErrorCode.MODEL_NOT_FOUND, f"model {quoted(name)} not found{way_out}")


def not_listed(models: Iterable[ModelEntry], name: str) -> ErrorInfo:
    """Returns what is said of ``name``, which is no model that is here, whatever is on its way."""
    return ErrorInfo(
        ErrorCode.MODEL_NOT_FOUND, f"model {quoted(name)} not found; {_way_out(models, name)}", param="model"
    )


def _way_out(models: Iterable[ModelEntry], name: str) -> str:
    known = (spelled for entry in models for spelled in (entry.name, *entry.aliases))
    return f"{suggestion(name, known)}`mlxr list` shows what there is, `mlxr pull` fetches more"
