"""Adapters of a request: beside those in its model's name (``MODEL+ADAPTER``), a list with scales."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from mlxr.http.field_types import ModelName
from mlxr.http.fields import Fields
from mlxr.runtime.messages.common import Adapter

MOST = 16


class AdapterField(Fields, frozen=True, kw_only=True):
    """An installed adapter. ``scale``: what its change to the model is multiplied by."""

    name: ModelName
    scale: Annotated[float, Meta(ge=-100, le=100)] | None = None


Adapters = Annotated[list[ModelName | AdapterField], Meta(max_length=MOST)]
"""Names stand for adapters at their own strength."""


def adapters_of(given: list[ModelName | AdapterField] | None) -> list[Adapter]:
    """Returns a request's adapters, to be looked up by the gateway."""
    return [
        Adapter(each) if isinstance(each, str) else Adapter(each.name, 1.0 if each.scale is None else each.scale)
        for each in given or []
    ]
