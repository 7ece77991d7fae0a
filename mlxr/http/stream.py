"""Streaming responses: one loop for every surface, one write for all that arrived together."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from aiohttp import web

from mlxr.http.client import Stream
from mlxr.http.errors import OUR_MISTAKE, Problem, problem_of
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.frontend import Delta, Started

_log = logging.getLogger("mlxr.http")

SSE = "text/event-stream"
NDJSON = "application/x-ndjson"


class Encoder(Protocol):
    """A surface's stream, as bytes. One encoder serves one request; ``content_type`` is that of the response."""

    content_type: str

    def start(self, started: Started) -> bytes:
        """What goes out before the first token."""
        ...

    def deltas(self, batch: Iterable[Delta]) -> bytes: ...

    def end(self, stream: Stream) -> bytes:
        """What follows the last delta of a request that went well."""
        ...

    def failed(self, problem: Problem) -> bytes:
        """What tells a client, in mid-stream, that the rest will not come."""
        ...


async def open_response(request: web.Request, content_type: str) -> web.StreamResponse:
    """Send the headers of a streaming response."""
    response = web.StreamResponse()
    response.content_type = content_type
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    await response.prepare(request)
    return response


async def pump(stream: Stream, encoder: Encoder, response: web.StreamResponse) -> bool:
    """Write a request's deltas as they come, and its end or failure; False after a failure.

    ``write`` waits only while the client's socket is full: what comes meanwhile goes out as one piece.
    """
    try:
        first = encoder.start(await stream.started())
        if first:
            await response.write(first)
        async for batch in stream:
            data = encoder.deltas(batch)
            if data:
                await response.write(data)
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


async def respond(request: web.Request, stream: Stream, encoder: Encoder) -> web.StreamResponse:
    """The whole streaming response of a request that has one prompt. A prompt that is refused raises
    ``RequestError`` before anything is sent, so that it gets a status of its own."""
    await stream.started()
    response = await open_response(request, encoder.content_type)
    await pump(stream, encoder, response)
    await response.write_eof()
    return response
