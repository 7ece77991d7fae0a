"""What the HTTP side can be told: where it listens, whom it lets in, and how much it takes."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from msgspec import Meta, Struct, field

from mlxr.runtime.errors import StartError

Port = Annotated[int, Meta(ge=0, le=65535)]
Positive = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]

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
    """The ``[server]`` section of the configuration.

    ``port`` 0 takes a free one. ``ollama_port`` and ``unix_socket`` add listeners; 0 and "" mean none.
    ``api_keys`` let holders in; without any, everybody who reaches a loopback listener is let in, and another
    address is refused unless ``allow_anonymous`` waives keys. ``allowed_hosts`` are names a Host header may have
    besides the local ones. ``cors_origins`` may end in ``*``, for any port or path.
    ``requests_per_minute`` is per key (per address where keys are waived), 0 for no limit. ``drain_seconds``: what
    requests in flight get at shutdown.
    ``max_body_values``: JSON values in one body, each of which takes some hundred bytes of memory. ``body_seconds``:
    what a body has to begin with arriving, and how long it may stop. ``header_seconds`` is for the rest of a header,
    ``idle_seconds`` for the next request of a connection, ``unread_seconds`` for a client to read some of what waits
    for it. ``max_connections`` 0: as many as the limit on open files leaves room for; the one that is idle for longest
    makes room for the next.
    ``unread_deltas``: how many pieces of text a client may leave unread before its request is cancelled.
    """

    host: str = "127.0.0.1"
    port: Port = 11435
    ollama_port: Port = 0
    unix_socket: str = ""
    tls_certificate: str = ""
    tls_key: str = ""
    api_keys: list[str] = []
    allow_anonymous: bool = False
    allowed_hosts: list[str] = []
    cors_origins: list[str] = field(default_factory=lambda: list(LOCAL_ORIGINS))
    requests_per_minute: Annotated[float, Meta(ge=0)] = 0
    max_body_bytes: Positive = 64 << 20
    max_body_values: Positive = 1 << 20
    body_seconds: Seconds = 30.0
    header_seconds: Seconds = 30.0
    idle_seconds: Seconds = 75.0
    unread_seconds: Seconds = 30.0
    max_connections: Annotated[int, Meta(ge=0)] = 0
    max_prompts: Positive = 2048
    max_choices: Annotated[int, Meta(ge=1, le=128)] = 128
    max_stop: Positive = 64
    max_messages: Positive = 4096
    drain_seconds: Annotated[float, Meta(ge=0)] = 3.0
    unread_deltas: Positive = 50_000


def check(settings: ServerSettings) -> None:
    """Refuse what would open the server by accident; raises ``StartError`` naming the setting to change."""
    if not is_loopback(settings.host) and not settings.api_keys and not settings.allow_anonymous:
        raise StartError(
            f"server.host {settings.host!r} can be reached from other machines: set server.api_keys "
            "(--api-key, MLXR_SERVER_API_KEYS), or waive keys with server.allow_anonymous = true"
        )
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        missing = "tls_key" if settings.tls_certificate else "tls_certificate"
        raise StartError(f"TLS needs both server.tls_certificate and server.tls_key; server.{missing} is empty")
    if any(not key for key in settings.api_keys):
        raise StartError("server.api_keys holds an empty key")


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an address) can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
