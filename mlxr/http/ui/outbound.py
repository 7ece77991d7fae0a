"""Requests that the server makes because somebody at the web application wants them: to MCP servers, to pages.

Hosts that this machine alone reaches are refused unless that is allowed. The address is looked at where a socket is
made for it, so that neither a name that leads elsewhere the second time nor a redirect gets around it.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import aiohttp
import anyio

import mlxr
from mlxr.api.certificates import system_certificates
from mlxr.api.public_addresses import is_public
from mlxr.runtime.errors import system_reason

CONNECT_SECONDS = 10.0


class PrivateAddressError(OSError):
    """An address is none of the public Internet, and no other is allowed."""


def _public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Returns a socket for an address as ``getaddrinfo`` gives it."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise PrivateAddressError("it is no address of the public Internet")
    return socket.socket(family=family, type=kind, proto=protocol)


_trusted = cache(system_certificates)


@asynccontextmanager
async def outbound(*, private: bool, read_seconds: float, total_seconds: float) -> AsyncIterator[aiohttp.ClientSession]:
    """A client for one exchange. It keeps no cookies, and knows neither our key nor logins of the environment.

    private: whether addresses are reached that are none of the public Internet.
    read_seconds: how long the other side may be silent.
    total_seconds: how long the exchange may take.
    """
    timeout = aiohttp.ClientTimeout(total=total_seconds, sock_connect=CONNECT_SECONDS, sock_read=read_seconds)
    trusted = await anyio.to_thread.run_sync(_trusted)
    connector = aiohttp.TCPConnector(ssl=trusted, socket_factory=None if private else _public_socket, force_close=True)
    async with aiohttp.ClientSession(
        connector=connector,
        timeout=timeout,
        headers={"User-Agent": f"mlxr/{mlxr.__version__}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    ) as session:
        yield session


def failure(host: str, error: BaseException) -> str:
    """Returns what went wrong with a connection to ``host``, as the end of a sentence that names it."""
    if _is_private(error):
        return f"{host} is no host of the public Internet, and others are not allowed here"
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return f"{host} shows a certificate that is not trusted here ({error.certificate_error})"
        case aiohttp.ClientConnectorDNSError():
            return f"the host {host} can't be found"
        case aiohttp.ConnectionTimeoutError():
            return f"{host} does not answer"
        case TimeoutError():
            return f"{host} took too long"
        case aiohttp.ClientConnectorError():
            return f"can't connect to {host}:{error.port} ({system_reason(error.os_error)})"
        case aiohttp.TooManyRedirects():
            return f"{host} sends from one address to the next without an end"
        case aiohttp.InvalidUrlRedirectClientError() | aiohttp.NonHttpUrlRedirectClientError():
            return f"{host} sends on to what is no address of the web"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return f"{host} is no host that an address of the web can have"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError() | ConnectionError():
            return f"{host} cut the connection"
    return f"{host} does not speak HTTP as it should ({error or type(error).__name__})"


def _is_private(error: BaseException | None) -> bool:
    """Returns whether ``error`` is, or was caused by, an address that is not allowed."""
    while error is not None:
        if isinstance(error, PrivateAddressError) or isinstance(getattr(error, "os_error", None), PrivateAddressError):
            return True
        if isinstance(error, BaseExceptionGroup):
            return any(map(_is_private, error.exceptions))
        error = error.__cause__ or error.__context__
    return False
