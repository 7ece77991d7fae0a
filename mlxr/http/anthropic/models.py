"""Models as Anthropic's clients read them, on the route that they share with OpenAI's."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from msgspec.structs import replace

from mlxr.api.adapted_models import served
from mlxr.api.durations import rfc3339
from mlxr.api.errors import invalid
from mlxr.api.model_defaults import listed
from mlxr.api.whole_numbers import whole_number
from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.runtime.messages.catalogue import ModelEntry

PAGE = 20
LONGEST_PAGE = 1000

QUERY: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE},
    "after_id": {"type": "string"},
    "before_id": {"type": "string"},
    "lifecycle": {"type": "array", "items": {"type": "string"}},
}
"""What ``model_page`` reads of a request, as JSON schemas."""


async def list_models(services: Services, body: None, request: web.Request) -> web.Response:
    found = [replace(one.parent or one.entry, name=one.name) for one in served(services.gateway.models())]
    return json_response(model_page(found, request))


async def get_model(services: Services, body: None, request: web.Request) -> web.Response:
    name = request.match_info["model"]
    return json_response(model_info(listed(services.gateway, name), name))


def model_info(entry: ModelEntry, name: str) -> dict[str, Any]:
    """``name`` is what the client asked for, which may be an alias."""
    return {
        "type": "model",
        "id": name,
        "display_name": entry.name,
        "created_at": rfc3339(entry.modified),
        "lifecycle": "active",
        "deprecated_at": None,
        "retires_at": None,
        "line": None,
        "capabilities": None,
        "max_input_tokens": entry.info.context_length or None,
        "max_tokens": entry.info.context_length or None,
    }


def model_page(entries: list[ModelEntry], request: web.Request) -> dict[str, Any]:
    """Returns the page that ``limit``, ``after_id`` and ``before_id`` ask for. Raises ``RequestError`` where there is
    none."""
    query = request.query
    stages = [value for key in ("lifecycle", "lifecycle[]") for value in query.getall(key, [])]
    shown = entries if not stages or "active" in stages else []
    limit = _limit(query.get("limit", str(PAGE)))
    start, stop = 0, len(shown)
    if (after := query.get("after_id")) is not None:
        start = _place(shown, after, "after_id") + 1
    if (before := query.get("before_id")) is not None:
        stop = _place(shown, before, "before_id")
    page = shown[max(start, stop - limit) : stop] if before else shown[start:stop][:limit]
    first, last = (page[0].name, page[-1].name) if page else (None, None)
    data = [model_info(entry, entry.name) for entry in page]
    return {"data": data, "has_more": stop - start > limit, "first_id": first, "last_id": last}


def _limit(given: str) -> int:
    limit = whole_number(given)
    if limit is not None and 1 <= limit <= LONGEST_PAGE:
        return limit
    raise invalid(f"`limit`: expected a number from 1 to {LONGEST_PAGE}", "limit")


def _place(entries: list[ModelEntry], name: str, field: str) -> int:
    names = [entry.name for entry in entries]
    if name not in names:
        raise invalid(f"`{field}`: there is no model {name!r}", field)
    return names.index(name)
