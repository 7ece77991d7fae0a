"""Commands of the registry that have one answer, and no progress that anybody is shown."""

from __future__ import annotations

from aiohttp import web

from mlxr.api.gateway import RegistryCommand
from mlxr.http.services import Services


async def registry_body(services: Services, command: RegistryCommand) -> bytes:
    """Returns the JSON of a command's outcome. Raises ``RequestError`` for one that failed."""
    body = b"{}"
    async for reply in services.gateway.registry(command):
        body = reply.body
    return body


async def registry_response(services: Services, command: RegistryCommand) -> web.Response:
    """Returns that JSON as it is: it may be megabytes, too many to decode on the loop."""
    return web.Response(body=await registry_body(services, command), content_type="application/json")
