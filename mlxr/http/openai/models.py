"""``GET /v1/models`` and ``GET /v1/models/{id}``."""

from __future__ import annotations

from aiohttp import web
from msgspec import UNSET

from mlxr.api.adapted_models import served
from mlxr.api.model_defaults import listed
from mlxr.http.json_response import json_response
from mlxr.http.openai.schema import ModelCard, ModelList, ModelMeta
from mlxr.http.services import Services
from mlxr.runtime.messages.catalogue import ModelEntry


async def list_models(services: Services, body: None, request: web.Request) -> web.Response:
    found = served(services.gateway.models())
    return json_response(ModelList(data=[card(one.parent or one.entry, one.name) for one in found]))


async def get_model(services: Services, body: None, request: web.Request) -> web.Response:
    name = request.match_info["model"]
    return json_response(card(listed(services.gateway, name), name))


def card(entry: ModelEntry, name: str) -> ModelCard:
    """``name`` is what the client asked for, which may be an alias, or the model's with those of adapters."""
    adapted = "+" in name and name != entry.name
    info = entry.info
    return ModelCard(
        id=name,
        created=int(entry.modified),
        root=entry.name,
        parent=entry.name if adapted else None,
        max_model_len=info.context_length or UNSET,
        meta=ModelMeta(
            n_ctx_train=info.context_length, n_embd=info.embedding_length, n_params=info.parameters, size=entry.size
        ),
    )
