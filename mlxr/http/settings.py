"""What the HTTP side can be told: where it listens, whom it lets in, and how much it takes."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct, field

from mlxr.runtime.config import about
from mlxr.runtime.durations import Duration
from mlxr.runtime.errors import ConfigError

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[Duration, Meta(gt=0)]

LOCAL_ORIGINS = (
    "http://localhost",
    "http://localhost:*",
    "https://localhost",
    "https://localhost:*",
    "http://127.0.0.1",
    "http://127.0.0.1:*",
    "https://127.0.0.1",
    "https://127.0.0.1:*",
    "http://[::1]",
    "http://[::1]:*",
    "https://[::1]",
    "https://[::1]:*",
    "app://*",
    "file://*",
    "tauri://*",
    "vscode-webview://*",
    "vscode-file://*",
)
"""Pages of this machine, and of applications on it that show pages."""


class ServerSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The ``[server]`` section of the configuration: each key with its meaning and default."""

    host: Annotated[str, about("an address that other machines reach needs api_keys, or allow_anonymous")] = "127.0.0.1"
    port: Annotated[Port, about("0 takes a free one")] = 11435
    ollama_port: Annotated[Port, about("listen here as well, where Ollama's clients look (11434); 0 for not")] = 0
    unix_socket: Annotated[str, about("listen on this Unix socket as well, readable by you alone")] = ""
    tls_certificate: Annotated[str, about("PEM files; both or neither")] = ""
    tls_key: str = ""
    api_keys: Annotated[list[str], about("keys that let clients in; none are asked for on loopback without any")] = []
    allow_anonymous: Annotated[bool, about("no keys even where other machines can connect")] = False
    allowed_hosts: Annotated[
        list[str], about("names that a Host header may have besides local ones: host.docker.internal, box.local")
    ] = []
    cors_origins: Annotated[list[str], about("pages that may ask; * at the end is any port or path")] = field(
        default_factory=lambda: list(LOCAL_ORIGINS)
    )
    requests_per_minute: Annotated[
        Annotated[float, Meta(ge=0)], about("of each key, or each address where there are none; 0 for no limit")
    ] = 0
    max_body_bytes: Annotated[Positive, about("as sent, and when unpacked")] = 64 << 20
    max_body_values: Annotated[Positive, about("JSON values in one body, some hundred bytes of memory each")] = 1 << 20
    body_seconds: Annotated[
        Seconds, about("what a body may take to begin, or pause, before its connection is closed")
    ] = 30.0
    header_seconds: Annotated[Seconds, about("what a header may take from its first byte on")] = 30.0
    idle_seconds: Annotated[Seconds, about("how long a connection may wait before its next request")] = 75.0
    unread_seconds: Annotated[Seconds, about("how long a client may read nothing of what waits for it")] = 30.0
    max_connections: Annotated[
        Annotated[int, Meta(ge=0)],
        about("0: as many as the limit on open files allows; the longest idle one makes room"),
    ] = 0
    max_prompts: Annotated[Positive, about("prompts or inputs in one request")] = 2048
    max_choices: Annotated[Annotated[int, Meta(ge=1, le=128)], about("choices of one request (n)")] = 128
    max_stop: Annotated[Positive, about("stop strings in one request")] = 64
    max_messages: Annotated[Positive, about("messages in one conversation")] = 4096
    drain_seconds: Annotated[
        Annotated[Duration, Meta(ge=0)], about("what requests in flight get after the first SIGTERM")
    ] = 3.0
    unread_deltas: Annotated[
        Positive, about("pieces of text a client may leave unread before its request is cancelled")
    ] = 50_000


def check(settings: ServerSettings) -> None:
    """Refuses what would open the server by accident; raises ``ConfigError`` naming the setting to change."""
    if not is_loopback(settings.host) and not settings.api_keys and not settings.allow_anonymous:
        raise ConfigError(
            f"server.host {settings.host!r} can be reached from other machines: set server.api_keys "
            "(--api-key, MLXR_SERVER_API_KEYS), or waive keys with server.allow_anonymous = true"
        )
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        missing = "tls_key" if settings.tls_certificate else "tls_certificate"
        raise ConfigError(f"TLS needs both server.tls_certificate and server.tls_key; server.{missing} is empty")
    if any(not key for key in settings.api_keys):
        raise ConfigError("server.api_keys holds an empty key")


@lru_cache(64)
def is_loopback(host: str) -> bool:
    """Returns whether ``host`` (a name or an address) can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
