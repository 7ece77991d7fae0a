"""What a command makes of a profile: both go in, a profile comes out, and what is refused is a ``RequestError``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace
from yarl import URL

from mlxr.actors.profile.limits import (
    MOST_MODES,
    MOST_SERVERS,
    check_server,
    check_tool,
)
from mlxr.api.errors import invalid
from mlxr.models.names import quoted
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.profile import (
    DeleteMcpServer,
    McpServer,
    Profile,
    ProfileCommand,
    SaveMcpServer,
    SetPrivateFetch,
    SetToolMode,
    ToolMode,
)


def server_of(profile: Profile, name: str) -> McpServer:
    """Returns the server of that name; raises ``RequestError`` where there is none."""
    found = next((server for server in profile.servers if server.name == name), None)
    if found is None:
        known = ", ".join(server.name for server in profile.servers) or "none"
        message = f"there is no MCP server {quoted(name)} here; there are: {known}"
        raise RequestError(ErrorInfo(ErrorCode.NOT_FOUND, message, "name"))
    return found


def without_secrets(profile: Profile) -> Profile:
    """Returns ``profile`` with the names of headers alone."""
    servers = [replace(server, headers=dict.fromkeys(server.headers)) for server in profile.servers]
    return replace(profile, servers=servers)


def changed(profile: Profile, command: ProfileCommand) -> Profile:
    """Returns ``profile`` after ``command``."""
    return _CHANGES[type(command)](profile, command)


def _save_server(profile: Profile, command: SaveMcpServer) -> Profile:
    check_server(command.server)
    known = {server.name: server for server in profile.servers}
    before = known.get(command.server.name)
    headers = {
        name: _kept(before, command.server, name) if value is None else value
        for name, value in command.server.headers.items()
    }
    if before is None and len(known) >= MOST_SERVERS:
        raise invalid(f"there are {MOST_SERVERS} MCP servers already; remove one first")
    # A client on another machine opens no way to hosts that this machine alone reaches, and closes none.
    stayed = before is not None and before.private and _origin(before.url) == _origin(command.server.url)
    private = stayed or not command.remote
    tools = {} if before is None else before.tools
    known[command.server.name] = replace(command.server, headers=headers, private=private, tools=tools)
    return replace(profile, servers=list(known.values()))


def _kept(before: McpServer | None, server: McpServer, name: str) -> str:
    """Returns the value that a header has. It was given for one host, and no other is told it."""
    value = None if before is None else next((v for n, v in before.headers.items() if n.lower() == name.lower()), None)
    if before is None or value is None:
        raise invalid(f"`headers`: {name} needs a value", "headers")
    if _origin(before.url) != _origin(server.url):
        raise invalid(f"the address is another one, so give the value of {name} again", "headers")
    return value


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    """Returns whom an address leads to; None for one that was kept when others were allowed, and leads nowhere."""
    try:
        parts = URL(url)
        return parts.scheme, parts.host, parts.port
    except ValueError:
        return None


def _delete_server(profile: Profile, command: DeleteMcpServer) -> Profile:
    gone = server_of(profile, command.name)
    return replace(profile, servers=[server for server in profile.servers if server is not gone])


def _set_mode(profile: Profile, command: SetToolMode) -> Profile:
    check_tool(command.tool)
    if not command.server:
        return replace(profile, built_in=_with_mode(profile.built_in, command))
    server = server_of(profile, command.server)
    fresh = replace(server, tools=_with_mode(server.tools, command))
    return replace(profile, servers=[fresh if each is server else each for each in profile.servers])


def _with_mode(modes: dict[str, ToolMode], command: SetToolMode) -> dict[str, ToolMode]:
    if command.tool not in modes and len(modes) >= MOST_MODES:
        raise invalid(f"{MOST_MODES} tools have a mode of their own already", "tool")
    return {**modes, command.tool: command.mode}


def _set_private_fetch(profile: Profile, command: SetPrivateFetch) -> Profile:
    if command.remote and command.allowed:
        raise invalid("pages of private addresses can be allowed from the server's own machine alone", "private_fetch")
    return replace(profile, private_fetch=command.allowed)


_CHANGES: dict[type[ProfileCommand], Callable[[Profile, Any], Profile]] = {
    SaveMcpServer: _save_server,
    DeleteMcpServer: _delete_server,
    SetToolMode: _set_mode,
    SetPrivateFetch: _set_private_fetch,
}
