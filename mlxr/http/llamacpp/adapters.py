"""Low-rank adapters by numbers, as llama.cpp's clients name those of a model: its fitting ones in order of their
names."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from mlxr.api.caller import CALLER
from mlxr.api.default_model import default_model
from mlxr.api.errors import invalid
from mlxr.api.gateway import Gateway
from mlxr.api.model_defaults import installed
from mlxr.http.json_response import json_response
from mlxr.http.llamacpp.schema import Lora
from mlxr.http.services import Services
from mlxr.runtime.messages.catalogue import ModelEntry
from mlxr.runtime.messages.common import Adapter


async def lora_adapters(services: Services, body: None, request: web.Request) -> web.Response:
    """``?model=`` names the model, the loaded one if it is left out. None is applied unless a request says so. Where
    they lie is told on this machine alone."""
    model = request.query.get("model") or default_model(services.gateway)
    remote = CALLER.get().remote
    return json_response(
        [
            {"id": id, "path": entry.name if remote else entry.path, "scale": 0.0}
            for id, entry in enumerate(_fitting(services.gateway, model))
        ]
    )


def numbered(gateway: Gateway, model: str, given: Sequence[Lora]) -> list[Adapter]:
    """Returns the adapters that a request numbers. Raises ``RequestError`` for a number that none has."""
    known = _fitting(gateway, model) if given else []
    for index, each in enumerate(given):
        if each.id >= len(known):
            field = f"lora[{index}].id"
            raise invalid(f"`{field}`: no adapter of {model!r} has the number {each.id}; /lora-adapters has all", field)
    return [Adapter(known[each.id].name, each.scale) for each in given]


def _fitting(gateway: Gateway, model: str) -> list[ModelEntry]:
    name = installed(gateway, model).name
    found = (entry for entry in gateway.models() if entry.info.is_adapter and name in entry.fits)
    return sorted(found, key=lambda entry: entry.name)
