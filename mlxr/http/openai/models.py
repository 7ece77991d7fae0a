"""``GET /v1/models`` and ``GET /v1/models/{id}``, in the form of whose client asks."""

from __future__ import annotations

from aiohttp import web
from msgspec import UNSET

from mlxr.http.anthropic.models import asked_by_anthropic, model_info, model_page
from mlxr.http.json_response import json_response
from mlxr.http.openai.schema import ModelCard, ModelList
from mlxr.http.services import Services
from mlxr.models.names import quoted
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import ModelEntry


async def list_models(services: Services, body: None, request: web.Request) -> web.Response:
    if asked_by_anthropic(request):
        return json_response(model_page(services.gateway.models(), request))
    return json_response(ModelList(data=[card(entry, entry.name) for entry in services.gateway.models()]))


async def get_model(services: Services, body: None, request: web.Request) -> web.Response:
    name = request.match_info["model"]
    entry = services.gateway.find(name)
    if entry is None:
        raise RequestError(ErrorInfo(ErrorCode.MODEL_NOT_FOUND, f"model {quoted(name)} not found", "model"))
    asked = model_info if asked_by_anthropic(request) else card
    return json_response(asked(entry, name))


def card(entry: ModelEntry, name: str) -> ModelCard:
    """``name`` is what the client asked for, which may be an alias."""
    return ModelCard(
        id=name,
        created=int(entry.modified),
        root=entry.name,
        max_model_len=entry.context_length or UNSET,
    )
