"""The way from the web application to MCP servers, which its pages may not ask themselves."""

from __future__ import annotations

from mlxr.http.services import Route
from mlxr.http.ui.mcp.proxy import pass_on

ROUTES = (
    Route(
        "POST", "/api/ui/mcp/{name}", pass_on, "Send a message to an MCP server", streams="text/event-stream", tag="ui"
    ),
    Route(
        "GET",
        "/api/ui/mcp/{name}",
        pass_on,
        "Follow an MCP server's own messages",
        streams="text/event-stream",
        tag="ui",
    ),
    Route("DELETE", "/api/ui/mcp/{name}", pass_on, "End a session with an MCP server", tag="ui"),
)
