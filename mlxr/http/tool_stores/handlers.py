"""``GET /api/stores`` and ``POST /api/import``. The registry finds and adds; these pass on what it says."""

from __future__ import annotations

from aiohttp import web

from mlxr.http.registry_answer import registry_response
from mlxr.http.services import Services
from mlxr.http.tool_imports import ImportFields, import_command, known_tool
from mlxr.runtime.messages.registry import ListToolModels


class ImportRequest(ImportFields, frozen=True, kw_only=True):
    """``models``: as ``/api/stores`` names them, or as ``from`` does; none for all of ``from``. ``name``: what to call
    it, where it is one."""


async def stores(services: Services, body: None, request: web.Request) -> web.Response:
    return await registry_response(services, ListToolModels(known_tool(request.query.get("tool", ""), "tool")))


async def import_models(services: Services, body: ImportRequest, request: web.Request) -> web.Response:
    return await registry_response(services, import_command(body))
