"""Which model a request means."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from mlxr.http.arriving import first_wanted
from mlxr.http.client import Client
from mlxr.http.errors import invalid
from mlxr.http.fields import Fields


class ModelRequest(Fields, frozen=True, kw_only=True):
    """A request to a model. One that names none means the loaded model, as with other local servers."""

    model: str = ""


M = TypeVar("M", bound=ModelRequest)


def naming_a_model(body: M, client: Client, capability: str = "completion") -> M:
    """``body`` with the model that it means, which is ``meant`` where it names none."""
    return body if body.model else replace(body, model=meant(client, capability))


def meant(client: Client, capability: str = "completion") -> str:
    """The model without a name: a loaded one that has ``capability``, else the newest that does, else the one that
    the server is fetching. Raises ``HttpError`` where there is none."""
    able = [entry.name for entry in client.models() if capability in entry.capabilities]
    if not able and (wanted := first_wanted(client.engines())):
        return wanted
    if not able:
        raise invalid("`model` is missing, and no model is installed that it could be", "model")
    loaded = {engine.model for engine in client.engines() if engine.state == "ready"}
    return next((name for name in able if name in loaded), able[0])
