"""Which model a request means that names none."""

from __future__ import annotations

from mlxr.api.errors import invalid
from mlxr.api.gateway import Gateway
from mlxr.api.pending_models import pending_model


def default_model(gateway: Gateway, capability: str = "completion") -> str:
    """Returns the name of a loaded model that has ``capability``, else of the newest that does, else of the one that
    the server is fetching. Raises ``RequestError`` where there is none."""
    able = [entry.name for entry in gateway.models() if capability in entry.info.capabilities]
    if not able and (wanted := pending_model(gateway.engines())):
        return wanted
    if not able:
        raise invalid("`model` is missing, and no model is installed that it could be", "model")
    loaded = {engine.model for engine in gateway.engines() if engine.state == "ready"}
    return next((name for name in able if name in loaded), able[0])
