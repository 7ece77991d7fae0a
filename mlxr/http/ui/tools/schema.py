"""Requests and answers about tools. No answer holds the value of a header."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from mlxr.http.fields import Fields
from mlxr.runtime.messages.profile import Approval, Profile, ToolMode

Name = Annotated[str, Meta(max_length=256)]


class ShownServer(Struct, frozen=True, kw_only=True):
    """An MCP server as everybody may see it. ``headers``: their names alone."""

    name: str
    url: str
    headers: list[str]
    enabled: bool
    tools: dict[str, ToolMode]


class ToolSettings(Struct, frozen=True, kw_only=True):
    """``built_in``: modes of the application's own tools, where they are not their defaults."""

    servers: list[ShownServer]
    built_in: dict[str, ToolMode]
    private_fetch: bool

    @classmethod
    def of(cls, profile: Profile) -> ToolSettings:
        servers = [
            ShownServer(name=each.name, url=each.url, headers=[*each.headers], enabled=each.enabled, tools=each.tools)
            for each in profile.servers
        ]
        return cls(servers=servers, built_in=profile.built_in, private_fetch=profile.private_fetch)


class SaveServerRequest(Fields, frozen=True, kw_only=True):
    """``headers``: sent with every request to the server; null keeps the value that one has."""

    name: Name
    url: Annotated[str, Meta(max_length=4096)]
    headers: dict[str, str | None] = {}
    enabled: bool = True


class ToolModeRequest(Fields, frozen=True, kw_only=True):
    """``server``: empty for a tool of the application's own."""

    tool: Name
    server: Name = ""
    enabled: bool = True
    approval: Approval = "ask"


class PrivateFetchRequest(Fields, frozen=True, kw_only=True):
    allowed: bool
