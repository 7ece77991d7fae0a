"""``GET /api/ui/parameters?model=``: each parameter's default, and who says so."""

from __future__ import annotations

from typing import Any, Literal

from aiohttp import web
from msgspec import Struct

from mlxr.api.default_model import default_model
from mlxr.api.model_defaults import SAMPLING, listed, options_of
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.runtime.messages.common import Sampling

_SERVER = Sampling()


class ParameterDefault(Struct, frozen=True, kw_only=True):
    """``value``: null where there is none, as with the seed: each answer then has another. ``source``: the model's own,
    or the server's for every model that says nothing."""

    value: Any
    source: Literal["model", "server"]


class ModelParameters(Struct, frozen=True, kw_only=True):
    """What holds for a model.

    context_length: the most tokens that it takes; where it is loaded, those that it is loaded with.
    capabilities: what it can do: completion, tools, thinking, vision and so on.
    system: the prompt that it brings.
    defaults: by the names that chats give parameters.
    """

    model: str
    context_length: int
    capabilities: list[str]
    system: str
    defaults: dict[str, ParameterDefault]


async def parameters(services: Services, body: None, request: web.Request) -> web.Response:
    gateway = services.gateway
    entry = listed(gateway, request.query.get("model") or default_model(gateway))
    loaded = next((each for each in gateway.engines() if each.model == entry.name and each.state == "ready"), None)
    return json_response(
        ModelParameters(
            model=entry.name,
            context_length=loaded.context_length if loaded else entry.info.context_length,
            capabilities=entry.info.capabilities,
            system=entry.system,
            defaults=defaults(options_of(entry)),
        )
    )


def defaults(options: dict[str, Any]) -> dict[str, ParameterDefault]:
    """Returns every parameter's default for a model with ``options`` (by Ollama's names) of its own."""
    server: dict[str, Any] = {name: getattr(_SERVER, name) for name in SAMPLING.values()}
    server |= {"seed": None, "stop": [], "max_tokens": None, "context_length": None}
    own = {field: options[name] for name, field in _NAMES.items() if options.get(name) is not None}
    for name, none in (("top_k", 0), ("max_tokens", 0), ("context_length", 0), ("seed", -1)):
        if isinstance(own.get(name), int) and own[name] <= none:
            own[name] = None
    if isinstance(own.get("stop"), str):
        own["stop"] = [own["stop"]]
    made = {name: ParameterDefault(value=value, source="server") for name, value in server.items()}
    return made | {name: ParameterDefault(value=value, source="model") for name, value in own.items()}


_NAMES = {**SAMPLING, "stop": "stop", "num_predict": "max_tokens", "num_ctx": "context_length"}
"""Options by Ollama's names, and what chats call them."""
