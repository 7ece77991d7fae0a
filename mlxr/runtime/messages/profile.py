"""The profile's inbox: what a person has set up for the web application, read and changed.

The values are kept in a file as they stand here, so that what is added later needs a default.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from mlxr.runtime.messages.common import Message

Approval = Literal["ask", "always", "never"]
"""Whether a call of a tool runs once a person has agreed, at once, or not at all."""


class ToolMode(Struct, frozen=True):
    """How one tool may be used.

    enabled: models are told of it.
    """

    enabled: bool = True
    approval: Approval = "ask"


class McpServer(Struct, frozen=True, kw_only=True):
    """A server of tools that speaks the Model Context Protocol over HTTP.

    name: what people and URLs call it.
    url: its endpoint.
    headers: sent with every request, as a rule with a secret; None as a value, in a command, keeps what there is.
    enabled: models are told of its tools.
    tools: those whose mode is not that of ``ToolMode()``.
    private: it may lie at an address that the public Internet does not reach, such as one of this machine.
    """

    name: str
    url: str
    headers: dict[str, str | None] = {}
    enabled: bool = True
    tools: dict[str, ToolMode] = {}
    private: bool = False


class Profile(Struct, frozen=True, kw_only=True):
    """All of it.

    version: of the file's form.
    built_in: modes of the tools that the application brings, where they are not their defaults.
    private_fetch: the tool that fetches pages may ask hosts that the public Internet does not reach.
    """

    version: int = 1
    servers: list[McpServer] = []
    built_in: dict[str, ToolMode] = {}
    private_fetch: bool = False


class ProfileCommand(Message, frozen=True, kw_only=True):
    """Base of what the frontend asks of the profile. Each is answered by a ``ProfileReply``.

    request: the number that the reply carries.
    remote: whether the client is on another machine, and may open no way into this one's network.
    """

    request: int = 0
    remote: bool = False


class ReadProfile(ProfileCommand, frozen=True):
    """Command: the whole ``Profile``, with null for the value of each header."""


class ReadMcpServer(ProfileCommand, frozen=True):
    """Command: one ``McpServer`` with its headers. For who speaks to it; no client gets these."""

    name: str


class SaveMcpServer(ProfileCommand, frozen=True):
    """Command: add a server, or change the one of that name. Modes of tools stay as they are."""

    server: McpServer


class DeleteMcpServer(ProfileCommand, frozen=True):
    """Command: forget a server, its headers and its modes."""

    name: str


class SetToolMode(ProfileCommand, frozen=True):
    """Command: how a tool may be used. ``server``: empty for the tools that the application brings."""

    server: str
    tool: str
    mode: ToolMode


class SetPrivateFetch(ProfileCommand, frozen=True):
    """Command: whether pages of private addresses may be fetched."""

    allowed: bool


ProfileInbox = ReadProfile | ReadMcpServer | SaveMcpServer | DeleteMcpServer | SetToolMode | SetPrivateFetch
