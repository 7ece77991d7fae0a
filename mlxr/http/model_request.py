"""Requests to a model, which may leave out its name."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from mlxr.api.default_model import default_model
from mlxr.api.gateway import Gateway
from mlxr.http.field_types import ModelName
from mlxr.http.fields import Fields


class ModelRequest(Fields, frozen=True, kw_only=True):
    """A request to a model. One that names none means the loaded model, as with other local servers."""

    model: ModelName = ""


M = TypeVar("M", bound=ModelRequest)


def with_model(body: M, gateway: Gateway, capability: str = "completion") -> M:
    """Returns ``body`` with the name of the model that it means."""
    return body if body.model else replace(body, model=default_model(gateway, capability))
