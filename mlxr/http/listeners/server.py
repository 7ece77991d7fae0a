"""The listeners: aiohttp on TCP, a Unix-domain socket, and Ollama's port, as the settings say."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
from pathlib import Path

import msgspec
from aiohttp import web

from mlxr.api.gateway import Blobs, Gateway
from mlxr.api.metrics import Metrics
from mlxr.http.app import make_app
from mlxr.http.listeners.connection_slots import ConnectionSlots, most_connections
from mlxr.http.listeners.connections import ConnectionTimeouts, Runner
from mlxr.http.listeners.listener import Listener
from mlxr.http.settings import ServerSettings, check
from mlxr.runtime import descriptors
from mlxr.runtime.errors import StartError

STOP_SECONDS = 0.2
"""What connections get to close by themselves when the server stops."""

BACKLOG = 1024
"""Connections that may wait to be taken, which cost no descriptors."""


def make_transport(settings: str, gateway: Gateway, metrics: Metrics, blobs: Blobs) -> HttpServer:
    """Returns the ``TransportFactory`` of HTTP; ``settings``: a ``ServerSettings`` as JSON."""
    given = msgspec.json.decode(settings, type=ServerSettings)
    check(given)
    return HttpServer(make_app(gateway, given, metrics, blobs), given)


class HttpServer:
    """Implements ``mlxr.api.transport.Transport``: one application behind all listeners."""

    def __init__(self, app: web.Application, settings: ServerSettings) -> None:
        slots = ConnectionSlots(settings.max_connections or most_connections(descriptors.limit()))
        timeouts = ConnectionTimeouts(settings.header_seconds, settings.idle_seconds, settings.unread_seconds)
        self._runner = Runner(app, slots, timeouts, STOP_SECONDS)
        self._slots = slots
        self._listeners: list[Listener] = []
        self._settings = settings
        self._unix_socket: Path | None = None
        self.addresses: list[str] = []

    async def start(self) -> None:
        """Raises ``StartError`` naming the setting when an address can't be had."""
        settings = self._settings
        await self._runner.setup()
        context = _tls(settings)
        await self._listen_tcp(settings.port, context, "server.port", "--port", "MLXR_SERVER_PORT")
        if settings.ollama_port:
            await self._listen_tcp(
                settings.ollama_port, context, "server.ollama_port", "--ollama-port", "MLXR_SERVER_OLLAMA_PORT"
            )
        if settings.unix_socket:
            await self._listen_unix(settings.unix_socket)

    async def close_listeners(self) -> None:
        """Takes no new connections; those open go on."""
        for listener in self._listeners:
            listener.close()
        self._remove_socket()

    async def stop(self) -> None:
        await self.close_listeners()
        await self._runner.cleanup()

    async def _listen_tcp(
        self, port: int, context: ssl.SSLContext | None, setting: str, flag: str, variable: str
    ) -> None:
        host = self._settings.host
        try:
            listeners = await _tcp_listeners(host, port)
        except OSError as error:
            raise StartError(_why(error, host, port, setting, flag, variable)) from error
        scheme = "https" if context else "http"
        for listener in listeners:
            bound = listener.getsockname()
            self._listen(listener, context)
            name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
            self.addresses.append(f"{scheme}://{name}:{bound[1]}")

    async def _listen_unix(self, setting: str) -> None:
        listener = _unix_listener(setting)
        self._unix_socket = path = Path(listener.getsockname())
        self._listen(listener, None)
        self.addresses.append(f"unix:{path}")

    def _listen(self, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        make = self._runner.server
        assert make is not None
        listener.listen(BACKLOG)
        self._listeners.append(Listener(listener, make, self._slots, context))

    def _remove_socket(self) -> None:
        if self._unix_socket is not None:
            self._unix_socket.unlink(missing_ok=True)
            self._unix_socket = None


async def _tcp_listeners(host: str, port: int) -> list[socket.socket]:
    """A bound socket for each address of ``host``, all at one port; raises ``OSError``."""
    found = await asyncio.get_running_loop().getaddrinfo(
        host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    made: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                listener = socket.socket(family, kind, protocol)
            except OSError:
                continue  # a family that this system lacks
            made.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((address[0], port, *address[2:]))
            port = listener.getsockname()[1]
    except OSError:
        for listener in made:
            listener.close()
        raise
    return made


def _unix_listener(setting: str) -> socket.socket:
    """A stale socket file is replaced, one in use is not; the new one is its owner's alone from the moment it is."""
    path = Path(setting).expanduser().absolute()
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        if path.is_socket() and not _answers(path):
            path.unlink()
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise StartError(
            f"can't listen on the socket {path} ({error.strerror or error}): choose another by "
            "server.unix_socket (--unix-socket, MLXR_SERVER_UNIX_SOCKET)"
        ) from error
    finally:
        os.umask(mask)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _tls(settings: ServerSettings) -> ssl.SSLContext | None:
    if not settings.tls_certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(settings.tls_certificate, settings.tls_key)
    except (OSError, ssl.SSLError) as error:
        raise StartError(
            f"can't use server.tls_certificate {settings.tls_certificate!r} with server.tls_key "
            f"{settings.tls_key!r}: {error}"
        ) from error
    return context


def _why(error: OSError, host: str, port: int, setting: str, flag: str, variable: str) -> str:
    way_out = f"choose another by {setting} ({flag}, {variable})"
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken: stop what listens there, or {way_out}"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs rights this user lacks: {way_out}"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror | UnicodeError):
        why = "" if error.errno == errno.EADDRNOTAVAIL else f" ({error.strerror or error})"
        return f"{host} is no address of this machine{why}: change server.host (--host, MLXR_SERVER_HOST)"
    return f"can't listen on port {port} of {host} ({error.strerror or error}): {way_out}"
