"""A web server on a loopback port that serves files by ranges, and does so wrongly where a test asks for it."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from mlxr.actors.registry.sources.transfer.limits import TransferLimits

Fault = Callable[[web.Request, int], Awaitable[web.StreamResponse | None]]
"""Answers a request in place of the server, by the number of requests before it; None where all is well."""

HASTY = TransferLimits(connect_seconds=5, stall_seconds=0.5, first_wait=0.01, longest_wait=0.05)
"""Limits of a pull that nobody waits for."""


@dataclass
class Web:
    """Files by their path, and what is wrong with the server.

    url: where it is.
    sent: bytes of files that went out.
    asked: path and Range of each request for a file.
    etags: in place of those that follow from the content.
    fault: is asked before each answer.
    ranges: whether it heeds Range.
    before: runs before each piece of a file is sent.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    url: str = ""
    sent: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    etags: dict[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    ranges: bool = True
    before: Callable[[web.Request], Awaitable[None]] | None = None
    piece: int = 64 << 10

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("Range", "")))
        self.headers.append(dict(request.headers))
        if self.fault and (response := await self.fault(request, len(self.asked) - 1)):
            return response
        return await self.serve(request)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The file as it should be served."""
        content = self.files.get(request.path)
        if content is None:
            return web.Response(status=404, text="no such file")
        return await self.send(request, content)

    async def send(self, request: web.Request, content: bytes, most: int | None = None) -> web.StreamResponse:
        """``content`` by the request's range; ``most``: bytes after which the connection is cut."""
        start, end, status = 0, len(content), 200
        if self.ranges and (match := re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("Range", ""))):
            start, end, status = int(match[1]), min(int(match[2] or end) + 1, end), 206
        etag = self.etags.get(request.path) or hashlib.md5(content).hexdigest()
        headers = {"ETag": f'"{etag}"', "Content-Length": str(end - start)}
        if status == 206:
            if start >= len(content):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(content)}"
        response = web.StreamResponse(status=status, headers=headers)
        await response.prepare(request)
        stop = end if most is None else min(end, start + most)
        for at in range(start, stop, self.piece):
            if self.before is not None:
                await self.before(request)
            piece = content[at : min(at + self.piece, stop)]
            await response.write(piece)
            self.sent += len(piece)
        if stop < end:
            cut(request)
        return response


def cut(request: web.Request) -> None:
    """End the connection in the middle of an answer."""
    if request.transport is not None:
        request.transport.abort()


def only(numbers: set[int], fault: Fault) -> Fault:
    """``fault`` for requests with these numbers."""

    async def answer(request: web.Request, number: int) -> web.StreamResponse | None:
        return await fault(request, number) if number in numbers else None

    return answer


def status(code: int, **headers: str) -> Fault:
    """Answers with ``code``."""

    async def answer(request: web.Request, number: int) -> web.StreamResponse | None:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


async def hang(request: web.Request) -> None:
    """Never comes back."""
    await asyncio.Event().wait()


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Serve every path with ``handler``; the server's address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def file_server(files: dict[str, bytes] | None = None) -> AsyncIterator[Web]:
    server = Web(files or {})
    async with serving(server.answer) as url:
        server.url = url
        yield server
