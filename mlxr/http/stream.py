"""Streaming responses: one way for every surface, one write for all that arrived together."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Protocol

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from mlxr.api.gateway import Stream
from mlxr.http.errors import OUR_MISTAKE, Problem, problem_of
from mlxr.http.keepalive import comments, keepalive
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.frontend import Delta, Started

_log = logging.getLogger("mlxr.http")

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"

FULL_BYTES = 1 << 16
"""Unsent bytes of one connection from which on its stream waits; asyncio's own limit."""


class Encoder(Protocol):
    """Encodes one request's stream in the form of a surface.

    content_type: that of the response.
    """

    content_type: str

    def start(self, started: Started) -> bytes:
        """Returns what goes out before the first token."""
        ...

    def deltas(self, batch: Iterable[Delta]) -> bytes: ...

    def end(self, stream: Stream) -> bytes:
        """Returns what follows the last delta of a request that went well."""
        ...

    def failed(self, problem: Problem) -> bytes:
        """Returns what tells a client, in mid-stream, that the rest will not come."""
        ...


class LiveResponse(web.StreamResponse):
    """A response that can be written to without waiting, and so by whoever has something to write.

    written: when (the loop's time) that was last done.
    """

    written = 0.0

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if request.version < HttpVersion11:
            # The end of the connection is the end of an answer that has no length, whatever the client asked for.
            self.force_close()
        writer = await super().prepare(request)
        self._loop = asyncio.get_running_loop()
        self.written = self._loop.time()
        self._client = request
        self._framed = self.headers.get("Transfer-Encoding") == "chunked"
        self._plain = request.transport
        self._descriptor = _descriptor_of(request.transport)
        return writer

    def put(self, data: bytes) -> bool:
        """Writes ``data`` (some bytes); whether the client's socket takes more. What it does not take waits here.

        aiohttp's own ``write`` is a coroutine, which costs a task its turn of the loop for every token.
        """
        transport = self._client.transport
        self.written = self._loop.time()
        if transport is None or transport.is_closing():
            return True  # the handler is about to be cancelled
        if self._framed:
            # A chunk of HTTP/1.1's transfer coding (RFC 9112, 7.1).
            data = b"%x\r\n%b\r\n" % (len(data), data)
        if transport is self._plain and self._descriptor >= 0 and not transport.get_write_buffer_size():
            data = data[self._written_at_once(data) :]
            if not data:
                return True
        transport.write(data)
        return transport.get_write_buffer_size() < FULL_BYTES

    def _written_at_once(self, data: bytes) -> int:
        """Returns how many bytes the client's socket has taken. The transport writes at the end of a turn of the loop,
        when everybody's tokens of a step are encoded, and that of the first is late by all others."""
        try:
            return os.write(self._descriptor, data)
        except OSError:
            return 0  # The transport finds out why.

    async def drained(self) -> None:
        """Waits until the client has taken what waits here."""
        await self._client.writer.drain()


def _descriptor_of(transport: asyncio.Transport | None) -> int:
    """Returns the descriptor that bytes can be written to as they are; -1 where there is none."""
    if transport is None or transport.get_extra_info("sslcontext") is not None:
        return -1
    plain = transport.get_extra_info("socket")
    return int(plain.fileno()) if plain is not None else -1


async def open_response(request: web.Request, content_type: str) -> LiveResponse:
    """Sends the headers of a streaming response."""
    response = LiveResponse()
    response.content_type = content_type
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(request)
    return response


async def relay(request: web.Request, parts: AsyncGenerator[bytes], ping: bytes) -> web.StreamResponse:
    """Returns the whole response of server-sent events that come as ``parts``, until those end or the client does.
    ``ping`` is sent in silences."""
    response = await open_response(request, SSE)
    with keepalive(response, ping):
        async with aclosing(parts):
            async for part in parts:
                if not response.put(part):
                    await response.drained()
    await response.write_eof()
    return response


async def pump(stream: Stream, encoder: Encoder, response: LiveResponse) -> bool:
    """Writes a request's deltas as they come, and its end or failure; False after a failure.

    Deltas are written where they arrive. While the client's socket is full they wait, and go out as one piece.
    """

    def write(batch: list[Delta]) -> bool:
        data = encoder.deltas(batch)
        return not data or response.put(data)

    try:
        first = encoder.start(await stream.started())
        if first:
            await response.write(first)
        await stream.follow(write, response.drained)
        last = encoder.end(stream)
        if last:
            await response.write(last)
    except RequestError as error:
        await response.write(encoder.failed(problem_of(error.info)))
        return False
    except ConnectionError:
        raise
    except Exception:
        # The status is out already, so that the middleware's 500 would end up in the middle of the body.
        _log.exception("a stream of request %d failed", stream.request)
        await response.write(encoder.failed(OUR_MISTAKE))
        return False
    return True


async def respond(
    request: web.Request, stream: Stream, encoder: Encoder, *, ping: bytes = b"", interval: float | None = None
) -> web.StreamResponse:
    """Returns the whole streaming response of a request that has one prompt. A prompt that is refused raises
    ``RequestError`` before anything is sent, so that it gets a status of its own. ``ping`` is sent in silences, and
    comments where the request has an ``interval`` of its own (``PingInterval``)."""
    await stream.started()
    response = await open_response(request, encoder.content_type)
    with keepalive(response, ping), comments(response, interval):
        await pump(stream, encoder, response)
    await response.write_eof()
    return response
