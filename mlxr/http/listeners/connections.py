"""Connections: how long they may take to ask and to read, how they end, and that what is no HTTP is answered like every
other error, where aiohttp has plain text and a traceback in the log."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo
from msgspec import Struct

from mlxr.http.app import answer
from mlxr.http.errors import OUR_MISTAKE
from mlxr.http.ids import name_request, request_name
from mlxr.http.listeners.connection_slots import ConnectionSlots
from mlxr.http.listeners.half_closed import HalfClosedProbe
from mlxr.http.listeners.malformed import HEADER_BYTES, problem_with, reason_of, unspoken
from mlxr.runtime.logs import REQUEST_ID

log = logging.getLogger("mlxr.frontend")

LINGERING_SECONDS = 2.0
"""How long the rest of a body is read and thrown away, so that its sender sees the answer."""

LEAST_RATE = 256
"""Bytes a second that a client must take of what waits for it."""


class ConnectionTimeouts(Struct, frozen=True):
    """How long a connection may keep the server waiting.

    header_seconds: for the rest of a header that has begun.
    idle_seconds: for a request.
    unread_seconds: for a client to read some of what was written.
    """

    header_seconds: float
    idle_seconds: float
    unread_seconds: float


class Connection(web.RequestHandler):
    """One client's connection. It holds a slot from its beginning to its end."""

    __slots__ = (
        "_answered",
        "_header_timer",
        "_probe",
        "_reader_gone",
        "_slots",
        "_stall_timer",
        "_timeouts",
        "_unsent",
    )

    def __init__(self, *arguments: Any, slots: ConnectionSlots, timeouts: ConnectionTimeouts, **options: Any) -> None:
        super().__init__(*arguments, keepalive_timeout=timeouts.idle_seconds, **options)
        self._slots = slots
        self._timeouts = timeouts
        self._header_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None
        self._answered = 0
        self._unsent = 0
        self._reader_gone = False
        self._probe: HalfClosedProbe | None = None

    @property
    def idle(self) -> bool:
        """Returns whether no request is being answered; one whose header has not come whole is none yet."""
        return self._waiter is not None and not self._waiter.done() and not self._messages

    def evict(self) -> None:
        """Closes at once, even if the client has not read all."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._slots.entered(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        for timer in (self._header_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        if self._probe is not None:
            self._probe.stop()
        if self._manager is not None:
            self._slots.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_header()
        # aiohttp takes what it can't parse for a next request; a handler that waits for the rest of its body would
        # wait for ever.
        if self._messages and self._current_request is not None:
            error = getattr(self._messages[-1][0], "exc", None)
            if isinstance(error, HttpProcessingError):
                self._current_request.content.set_exception(web.RequestPayloadError(reason_of(error)))
        self._refuse_unspoken()

    def _refuse_unspoken(self) -> None:
        """Takes for malformed what would else be answered as nobody can read: requests of other versions than 1.x (0.9
        has no status line, 2 is binary), and those that expect what aiohttp refuses in words of its own."""
        for at, (message, _) in enumerate(self._messages):
            if not isinstance(message, _ErrInfo) and (error := unspoken(message)) is not None:
                self._messages[at] = _ErrInfo(status=error.code, exc=error, message=error.message), EMPTY_PAYLOAD

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more. It may still read, and then gets what it asked for; if it has gone altogether, that
        shows when something is written to it."""
        # A request that aiohttp has just taken up is neither queued nor current for a turn of the loop.
        asked = self._request_count > self._answered
        if self.transport is None or self.transport.get_extra_info("sslcontext") is not None:
            return False
        if not asked:
            # Not at once: uvloop writes at the end of a turn, and would drop the answer that was given in this one.
            asyncio.get_running_loop().call_soon(self.transport.close)
            return True
        self._reader_gone = True
        self._look_for_reader()
        return True

    def _look_for_reader(self) -> None:
        """Begins to find out whether the client, which sends no more, still reads the answer to its request."""
        request = self._current_request
        if request is None or self.transport is None:
            return
        if not request.content.is_eof():
            request.content.set_exception(web.RequestPayloadError("it ends before its end"))
        # aiohttp reads on after every body, and then sees the same end again.
        elif self._probe is None and (request.writer.output_size == 0 or getattr(request.writer, "chunked", False)):
            self._probe = HalfClosedProbe(self, under_way=request.writer.output_size > 0)

    async def _handle_request(self, request: web.BaseRequest, *arguments: Any) -> tuple[web.StreamResponse, bool]:
        if self._reader_gone:
            self._loop.call_soon(self._look_for_reader)
        return await super()._handle_request(request, *arguments)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        self._answered += 1
        found = await super().finish_response(request, resp, start_time)
        self._slots.rested(self)
        self._probe = None  # Who reads the answer to a request behind this one is found out anew.
        if self._reader_gone and not self._messages:
            self.close()
        return found

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unsent = self._buffered()
        self._stall_timer = self._loop.call_later(self._timeouts.unread_seconds, self._look_stalled)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def force_close(self) -> None:
        transport = self.transport
        super().force_close()
        if transport is not None and transport.get_write_buffer_size():
            # What a client does not read it need not have.
            self._loop.call_later(self._timeouts.unread_seconds, transport.abort)

    def _buffered(self) -> int:
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def _look_stalled(self) -> None:
        """Drops a client that takes nothing, or next to nothing, of what waits for it."""
        waits = self._buffered()
        self._stall_timer = None
        if self.transport is None:
            return
        if waits > self._unsent - LEAST_RATE * self._timeouts.unread_seconds:
            log.info("%s does not read; its connection is closed", self._peer())
            self.transport.abort()
            return
        self._unsent = waits
        self._stall_timer = self._loop.call_later(self._timeouts.unread_seconds, self._look_stalled)

    def _watch_header(self) -> None:
        """Time a header from its first byte on. One that has come is handled, or waits its turn."""
        if self.idle and self._header_timer is None:
            self._header_timer = self._loop.call_later(self._timeouts.header_seconds, self._header_late)
        elif not self.idle and self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _header_late(self) -> None:
        self._header_timer = None
        if self.idle:
            log.debug("%s was too slow to ask", self._peer())
            self.evict()

    def _peer(self) -> str:
        peer = self.peername
        return peer[0] if isinstance(peer, tuple) else "a local client"

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Returns the answer to a request that never became one, or whose handler failed outside of our middleware."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        REQUEST_ID.set(request_name(request))
        if isinstance(exc, HttpProcessingError):
            log.debug("%s sent what is no HTTP request: %r", request.remote, exc.message)
            problem = problem_with(exc)
        else:
            log.error("a request failed", exc_info=exc)
            problem = OUR_MISTAKE
        response = answer(request, problem)
        name_request(request, response)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **options: Any) -> None:
        # The rest of a malformed body is read once more after the answer.
        if isinstance(options.get("exc_info"), web.RequestPayloadError):
            log.debug(*args)
        else:
            log.error(*args, **options)


class Connections(web.Server):
    """Makes a ``Connection`` of every connection."""

    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs an application behind ``Connections``."""

    def __init__(
        self, app: web.Application, slots: ConnectionSlots, timeouts: ConnectionTimeouts, shutdown_timeout: float
    ) -> None:
        super().__init__(app, shutdown_timeout=shutdown_timeout, handle_signals=False)
        self._slots = slots
        self._timeouts = timeouts

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        return Connections(
            server.request_handler,
            request_factory=server.request_factory,
            # Without this a handler would go on after its client has left.
            handler_cancellation=True,
            access_log=None,
            # Bodies are unpacked where they are decoded, within bounds; uploads are not.
            auto_decompress=False,
            max_line_size=HEADER_BYTES,
            max_field_size=HEADER_BYTES,
            lingering_time=LINGERING_SECONDS,
            slots=self._slots,
            timeouts=self._timeouts,
        )
