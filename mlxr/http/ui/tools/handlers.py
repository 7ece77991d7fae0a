"""Handlers of ``/api/ui/tools``. The profile owns what they read and change."""

from __future__ import annotations

import msgspec
from aiohttp import web

from mlxr.http.json_response import json_response
from mlxr.http.services import Services
from mlxr.http.ui.tools.schema import PrivateFetchRequest, SaveServerRequest, ToolModeRequest, ToolSettings
from mlxr.runtime.messages.profile import (
    DeleteMcpServer,
    McpServer,
    Profile,
    ProfileCommand,
    ReadProfile,
    SaveMcpServer,
    SetPrivateFetch,
    SetToolMode,
    ToolMode,
)


async def read_tools(services: Services, body: None, request: web.Request) -> web.Response:
    return await _settings(services, ReadProfile())


async def set_mode(services: Services, body: ToolModeRequest, request: web.Request) -> web.Response:
    mode = ToolMode(body.enabled, body.approval)
    return await _settings(services, SetToolMode(body.server, body.tool, mode))


async def set_private_fetch(services: Services, body: PrivateFetchRequest, request: web.Request) -> web.Response:
    return await _settings(services, SetPrivateFetch(body.allowed))


async def save_server(services: Services, body: SaveServerRequest, request: web.Request) -> web.Response:
    server = McpServer(name=body.name, url=body.url, headers=body.headers, enabled=body.enabled)
    return await _settings(services, SaveMcpServer(server))


async def delete_server(services: Services, body: None, request: web.Request) -> web.Response:
    return await _settings(services, DeleteMcpServer(request.match_info["name"]))


async def _settings(services: Services, command: ProfileCommand) -> web.Response:
    profile = msgspec.json.decode(await services.gateway.profile(command), type=Profile)
    return json_response(ToolSettings.of(profile))
