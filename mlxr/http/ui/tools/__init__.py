"""Which tools models may use in chats, and how: those that the application brings, and those of MCP servers."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui.tools.handlers import (
    delete_server,
    read_tools,
    save_server,
    set_mode,
    set_private_fetch,
)
from mlxr.http.ui.tools.schema import PrivateFetchRequest, SaveServerRequest, ToolModeRequest, ToolSettings

ROUTES = (
    Route("GET", "/api/ui/tools", read_tools, "MCP servers and how tools may be used", gives=ToolSettings, tag="ui"),
    Route(
        "POST",
        "/api/ui/tools/mode",
        set_mode,
        "Set whether models are told of a tool, and whether its calls need approval",
        takes=ToolModeRequest,
        gives=ToolSettings,
        tag="ui",
    ),
    Route(
        "POST",
        "/api/ui/tools/private-fetch",
        set_private_fetch,
        "Set whether pages of private addresses may be fetched",
        takes=PrivateFetchRequest,
        gives=ToolSettings,
        tag="ui",
    ),
    Route(
        "POST",
        "/api/ui/tools/servers",
        save_server,
        "Add an MCP server, or change one",
        takes=SaveServerRequest,
        gives=ToolSettings,
        tag="ui",
    ),
    Route(
        "DELETE",
        "/api/ui/tools/servers/{name}",
        delete_server,
        "Forget an MCP server and its headers",
        gives=ToolSettings,
        tag="ui",
    ),
)
