"""Whether a client that sends no more is still there to read.

A connection that was closed looks like one that was closed in one direction, until something is written to it: only the
former answers with a reset. What can be written before it is known how the answer goes is how every answer begins, byte
by byte; the answer then goes on from there. Between two chunks of one (RFC 9112, 7.1) it is zeros, with which the next
chunk's size may begin.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

BEGINNING, ZEROS = b"HTTP/1.", b"0000000"
WAITS = (0.002, 0.05, 0.5, 2.0, 5.0, 30.0)
"""Seconds between its bytes. Each finds out what the one before led to."""


class HalfClosed(Protocol):
    """The connection of such a client. The probe replaces ``transport`` by its own until the answer begins."""

    transport: asyncio.Transport | None


class HalfClosedProbe:
    """Writes the beginning of an answer, or of its next chunk if it is ``under_way``, until somebody writes more."""

    def __init__(self, connection: HalfClosed, *, under_way: bool = False) -> None:
        self._text = ZEROS if under_way else BEGINNING
        assert connection.transport is not None
        self._connection = connection
        self._transport = connection.transport
        self._loop = asyncio.get_running_loop()
        self._sent = 0
        connection.transport = _Begun(self)  # type: ignore[assignment]
        self._timer: asyncio.Handle = self._loop.call_soon(self._write)

    def stop(self) -> int:
        """Writes no more; returns how many bytes of an answer were written."""
        self._timer.cancel()
        if isinstance(self._connection.transport, _Begun):
            self._connection.transport = self._transport
        return self._sent if self._text is BEGINNING else 0

    def _write(self) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(self._text[self._sent : self._sent + 1])
        if self._sent < len(WAITS):
            self._timer = self._loop.call_later(WAITS[self._sent], self._write)
        self._sent += 1

    def answer(self, data: bytes) -> None:
        """Writes the answer from where it was begun."""
        self._transport.write(memoryview(data)[self.stop() :])


class _Begun:
    """A transport to which some of the answer was written."""

    def __init__(self, probe: HalfClosedProbe) -> None:
        self._probe = probe

    def write(self, data: bytes) -> None:
        self._probe.answer(data)

    def writelines(self, parts: Iterable[bytes]) -> None:
        self._probe.answer(b"".join(parts))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._probe._transport, name)
