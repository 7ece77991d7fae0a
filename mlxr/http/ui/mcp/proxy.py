"""Passes messages on to MCP servers, with the headers that are kept for them, and what they answer back.

The protocol is spoken by the page (streamable HTTP); here are bounds, and what must not go further: our own key and
the person's cookies to the MCP server, and the kept headers to the page or to another host.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from mlxr.api.errors import invalid
from mlxr.http.errors import HttpError, Problem
from mlxr.http.services import Services
from mlxr.http.ui.outbound import failure, outbound
from mlxr.runtime.messages.profile import McpServer, ReadMcpServer

MOST_SENT = 4 << 20
MOST_RECEIVED = 64 << 20
"""Bytes of one message, and of one answer or stream."""

SILENT_SECONDS, TOTAL_SECONDS = 300.0, 3600.0
"""How long a server may say nothing in an answer, and how long one may take; a page follows again after that."""

MOST_REDIRECTS = 3

_SENT = re.compile(r"accept|content-type|last-event-id|mcp-[a-z-]+", re.I)
_RECEIVED = re.compile(r"content-type|allow|retry-after|mcp-[a-z-]+", re.I)
_REFUSALS = {401: "it wants a login", 403: "it lets nobody in", 407: "a proxy wants a login"}


async def pass_on(services: Services, body: None, request: web.Request) -> web.StreamResponse:
    kept = await services.gateway.profile(ReadMcpServer(request.match_info["name"]))
    server = msgspec.json.decode(kept, type=McpServer)
    if not server.enabled:
        raise invalid(f"the MCP server {server.name} is switched off; switch it on among the tools", "name")
    address, host = _address(server)
    data = await _message(request, services.settings.body_seconds)
    headers = CIMultiDict((name, value) for name, value in request.headers.items() if _SENT.fullmatch(name))
    for name, value in server.headers.items():
        headers[name] = value or ""
    patience = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_read=None if request.method == "GET" else SILENT_SECONDS)
    answer: web.StreamResponse | None = None
    try:
        async with _asked(server, address, request.method, headers, data, patience) as response:
            if response.status in _REFUSALS:
                reason = f"{_REFUSALS[response.status]} ({response.status}); give it the right Authorization header"
                raise _trouble(server, reason, "mcp_unauthorized")
            answer = web.StreamResponse(status=response.status, reason=response.reason)
            answer.headers.update({n: v for n, v in response.headers.items() if _RECEIVED.fullmatch(n)})
            answer.headers["Cache-Control"] = "no-store"
            await answer.prepare(request)
            await _stream(response, answer)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        if answer is not None and answer.prepared:
            # What has come is no whole answer: the page sees that it broke off.
            if request.transport is not None:
                request.transport.close()
            return answer
        raise _trouble(server, failure(host, error)) from error
    return answer


def _address(server: McpServer) -> tuple[URL, str]:
    """Returns where the server is, and its host. One that was kept when others were allowed may be nowhere."""
    try:
        address = URL(server.url)
        return address, address.host or server.name
    except ValueError:
        raise _trouble(server, "its address is none that a server can have; change it among the tools") from None


@asynccontextmanager
async def _asked(
    server: McpServer,
    origin: URL,
    method: str,
    headers: CIMultiDict[str],
    data: bytes | None,
    patience: aiohttp.ClientTimeout,
) -> AsyncIterator[aiohttp.ClientResponse]:
    """The server's answer. Redirects are followed within its host alone: what is kept was given for that."""
    at = origin
    async with outbound(private=server.private, read_seconds=SILENT_SECONDS, total_seconds=TOTAL_SECONDS) as session:
        for _ in range(MOST_REDIRECTS + 1):
            async with session.request(
                method, at, headers=headers, data=data, allow_redirects=False, timeout=patience
            ) as response:
                if response.status not in (301, 302, 303, 307, 308):
                    yield response
                    return
                target = at.join(URL(response.headers.get("Location", "")))
                if target.origin() != origin.origin():
                    host = target.host or "what is no host"
                    raise _trouble(server, f"it sends on to {host}; give that address itself, if it is right")
                if response.status not in (307, 308) and method == "POST":
                    raise _trouble(server, f"it sends on to {target.path}; give that address itself")
                at = target
    raise _trouble(server, "it sends from one address to the next without an end")


async def _message(request: web.Request, seconds: float) -> bytes | None:
    """Returns the message in a request's body, all of which is here within ``seconds``."""
    if request.method != "POST":
        return None
    data = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.content.iter_any():
                data += piece
                if len(data) > MOST_SENT:
                    limit = f"a message to an MCP server takes at most {MOST_SENT} bytes"
                    raise HttpError(Problem(413, limit, "request_too_large"))
    except TimeoutError:
        late = f"the body took longer than {seconds:g} s (server.body_seconds)"
        raise HttpError(Problem(408, late, "request_timeout")) from None
    return bytes(data)


async def _stream(response: aiohttp.ClientResponse, answer: web.StreamResponse) -> None:
    """Writes what comes, as it comes. Raises ``OSError`` past the bound."""
    received = 0
    async for piece in response.content.iter_any():
        received += len(piece)
        if received > MOST_RECEIVED:
            raise OSError("the answer is too long")
        await answer.write(piece)
    await answer.write_eof()


def _trouble(server: McpServer, reason: str, code: str = "mcp_failed") -> HttpError:
    return HttpError(Problem(502, f"the MCP server {server.name} can't be used: {reason}", code, deterministic=True))
