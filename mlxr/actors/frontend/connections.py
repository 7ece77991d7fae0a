"""Connections whose bytes are no HTTP: answered in the shape of every other error, where aiohttp has plain text and
a traceback in the log."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from mlxr.http.app import answer
from mlxr.http.errors import OUR_MISTAKE, Problem

log = logging.getLogger("mlxr.frontend")

HEADER_BYTES = 8190
"""What the request line, and each header, may have."""


class Connection(web.RequestHandler):
    """One client's connection."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # aiohttp takes what it can't parse for a next request; a handler that waits for the rest of its body would
        # wait for ever.
        if self._messages and self._current_request is not None:
            error = getattr(self._messages[-1][0], "exc", None)
            if isinstance(error, HttpProcessingError):
                self._current_request.content.set_exception(web.RequestPayloadError(_reason(error)))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What answers a request that never became one, or a handler that failed outside of our middleware."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer is under way already")
        if isinstance(exc, HttpProcessingError):
            log.debug("%s sent what is no HTTP request: %r", request.remote, exc.message)
            problem = _what_is_wrong(exc)
        else:
            log.error("a request failed", exc_info=exc)
            problem = OUR_MISTAKE
        response = answer(request, problem)
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
        )


def _what_is_wrong(error: HttpProcessingError) -> Problem:
    if isinstance(error, LineTooLong):
        return Problem(431, f"the request line, and each header, may have {HEADER_BYTES} bytes", "header_too_large")
    return Problem(400, f"this is no HTTP request: {_reason(error)}", "malformed_http")


def _reason(error: HttpProcessingError) -> str:
    """The parser's message in one line: it goes on with a picture of the input and a mark under the wrong character."""
    reason, _, picture = error.message.strip().partition("\n\n")
    line = picture.strip().partition("\n")[0]
    return " ".join(reason.split()).rstrip(":") + (f": {line}" if line else "")
