"""``GET /api/stores`` and ``POST /api/import``. The registry finds and adds; these pass on what it says."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta, field

from mlxr.api.errors import invalid
from mlxr.api.gateway import RegistryCommand
from mlxr.http.fields import Fields
from mlxr.http.services import Services
from mlxr.http.values import ModelName
from mlxr.models.names import TOOLS
from mlxr.runtime.messages.registry import ImportModels, ListToolModels


class ImportRequest(Fields, frozen=True, kw_only=True):
    """``models``: as ``/api/stores`` names them, or as ``from`` does; none for all of ``from``. ``name``: what to call
    it, where it is one."""

    models: Annotated[list[ModelName], Meta(max_length=1024)] | None = None
    from_: str | None = field(default=None, name="from")
    name: ModelName | None = None


async def stores(services: Services, body: None, request: web.Request) -> web.Response:
    return await _answer(services, ListToolModels(_tool(request.query.get("tool", ""), "tool")))


async def import_models(services: Services, body: ImportRequest, request: web.Request) -> web.Response:
    tool = _tool(body.from_ or "", "from")
    if not body.models and not tool:
        raise invalid(f"give `models`, or `from`, one of {', '.join(TOOLS)}", "models")
    return await _answer(services, ImportModels(body.models or [], tool, body.name or ""))


def _tool(tool: str, field: str) -> str:
    if tool and tool not in TOOLS:
        raise invalid(f"`{field}`: there is no {tool[:100]!r}; it may be {', '.join(TOOLS)}", field)
    return tool


async def _answer(services: Services, command: RegistryCommand) -> web.Response:
    body = b"{}"
    async for reply in services.gateway.registry(command):
        body = reply.body
    return web.Response(body=body, content_type="application/json")
