"""What may stand in a profile: names, addresses and headers, each refused in words."""

from __future__ import annotations

import re

from yarl import URL

from mlxr.api.errors import invalid
from mlxr.models.names import quoted
from mlxr.runtime.messages.profile import McpServer

MOST_SERVERS, MOST_MODES = 64, 1_000
MOST_HEADERS, LONGEST_HEADER, LONGEST_URL = 32, 8_192, 2_048

_SERVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
_OURS = frozenset(
    {"accept", "connection", "content-length", "content-type", "cookie", "expect", "host", "keep-alive",
     "last-event-id", "mcp-protocol-version", "mcp-session-id", "origin", "proxy-authorization", "te", "trailer",
     "transfer-encoding",
     "upgrade"}
)  # fmt: skip
"""Headers that the protocol or the connection says."""


def check_server(server: McpServer) -> None:
    """Raises ``RequestError`` for a server that can't be kept."""
    if not _SERVER.fullmatch(server.name):
        raise invalid("`name` takes up to 32 letters, digits, - and _, as in github or home-assistant", "name")
    check_url(server.url)
    if len(server.headers) > MOST_HEADERS:
        raise invalid(f"`headers` takes at most {MOST_HEADERS} headers", "headers")
    for name, value in server.headers.items():
        if not _HEADER.fullmatch(name):
            raise invalid(f"`headers`: {quoted(name)} is no name of a header, such as Authorization", "headers")
        if name.lower() in _OURS:
            raise invalid(f"`headers`: {name} is said by the connection itself; leave it out", "headers")
        if value is not None and not (len(value) <= LONGEST_HEADER and _VALUE.fullmatch(value)):
            raise invalid(f"`headers`: {name} takes up to {LONGEST_HEADER} ASCII characters in one line", "headers")


def check_url(url: str) -> None:
    """Raises ``RequestError`` for what is no address of a server."""
    try:
        parts = URL(url)
        usable = parts.scheme in ("http", "https") and bool(parts.host) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or len(url) > LONGEST_URL or not url.isprintable() or " " in url:
        raise invalid("`url` takes the address of a server, as in http://127.0.0.1:3000/mcp", "url")
    if parts.raw_user is not None or parts.raw_password is not None:
        raise invalid("`url` holds a password, which everybody sees; put it into an Authorization header", "url")
    if parts.raw_fragment:
        raise invalid("`url` ends in a #fragment, which no server is sent; leave it out", "url")


def check_tool(tool: str) -> None:
    """Raises ``RequestError`` for what is no tool's name."""
    if not tool or len(tool) > 256 or not tool.isprintable():
        raise invalid("`tool` takes the name of a tool, up to 256 characters", "tool")
