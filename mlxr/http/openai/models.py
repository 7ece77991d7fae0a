"""``GET /v1/models`` and ``GET /v1/models/{id}``."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec import UNSET

from mlxr.http.durations import rfc3339
from mlxr.http.errors import HttpError, Problem
from mlxr.http.openai.schema import ModelCard, ModelList
from mlxr.http.services import Services
from mlxr.http.system import json_response
from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.frontend import ModelEntry


async def list_models(services: Services, body: None, request: web.Request) -> web.Response:
    if "anthropic-version" in request.headers:
        return json_response(anthropic_list(services.client.models()))
    return json_response(ModelList(data=[card(entry, entry.name) for entry in services.client.models()]))


async def get_model(services: Services, body: None, request: web.Request) -> web.Response:
    name = request.match_info["model"]
    entry = services.client.find(name)
    if entry is None:
        raise HttpError(Problem(404, f"model {name!r} not found", ErrorCode.MODEL_NOT_FOUND, "model"))
    return json_response(card(entry, name))


def card(entry: ModelEntry, name: str) -> ModelCard:
    """``name`` is what the client asked for, which may be an alias."""
    return ModelCard(
        id=name,
        created=int(entry.modified),
        root=entry.name,
        max_model_len=entry.context_length or UNSET,
    )


def anthropic_list(entries: list[ModelEntry]) -> dict[str, Any]:
    """The same route as Anthropic's clients read it; they say which API they speak in a header."""
    data = [
        {"type": "model", "id": entry.name, "display_name": entry.name, "created_at": rfc3339(entry.modified)}
        for entry in entries
    ]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return {"data": data, "has_more": False, **ends}
