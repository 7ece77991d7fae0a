"""Frames over a socket of the loop's."""

from __future__ import annotations

import asyncio
import socket

from mlxr.runtime.sandbox.protocol import LENGTH_BYTES, frame

_CLOSED = (OSError, ValueError)
"""What a socket raises whose end is closed: the loop has another error for one that was closed on this side."""

READ_BYTES, MOST_BYTES = 1 << 14, 1 << 16
"""Read at once, at least and at most: there is memory for it before it comes, and how much comes the other side says,
which looks at what strangers wrote. Between two pieces the loop does what else there is: a vocabulary of megabytes
takes 10 ms where the system gives memory slowly, and streams would wait."""


class Gone(Exception):  # noqa: N818  (reads as what happened)
    """The worker's end of a socket is closed."""


class Channel:
    """Frames over a socket, without blocking the loop."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._unread = bytearray()
        self._loop = asyncio.get_running_loop()

    async def send(self, body: bytes) -> None:
        await self.send_raw(frame(body))

    async def send_raw(self, data: bytes | bytearray) -> None:
        try:
            sent = self._send_now(data)
            if sent < len(data):
                await self._loop.sock_sendall(self._end, memoryview(data)[sent:])
        except _CLOSED as error:
            raise Gone from error

    def _send_now(self, data: bytes | bytearray) -> int:
        """Returns how many bytes the socket took at once: nearly always all, and the loop need not be asked."""
        try:
            return self._end.send(data)
        except BlockingIOError:
            return 0

    def pass_descriptor(self, order: bytes, descriptor: int) -> None:
        """Sends one byte and a descriptor, at once. Raises ``OSError``."""
        socket.send_fds(self._end, [order], [descriptor])

    async def receive(self) -> bytes | memoryview:
        """Returns one frame. A long one is not copied: what is decoded from it may refer to it."""
        await self._read(LENGTH_BYTES)
        end = LENGTH_BYTES + int.from_bytes(self._unread[:LENGTH_BYTES], "big")
        await self._read(end)
        if len(self._unread) == end > MOST_BYTES:
            frame, self._unread = self._unread, bytearray()
            return memoryview(frame)[LENGTH_BYTES:]
        with memoryview(self._unread) as unread:
            body = bytes(unread[LENGTH_BYTES:end])
        del self._unread[:end]
        return body

    async def _read(self, size: int) -> None:
        """Returns once so many bytes are unread. Most frames are there as a whole after one look at the socket."""
        while (missing := size - len(self._unread)) > 0:
            try:
                data = await self._loop.sock_recv(self._end, min(max(missing, READ_BYTES), MOST_BYTES))
            except _CLOSED as error:
                raise Gone from error
            if not data:
                raise Gone
            self._unread += data
            if len(data) == MOST_BYTES:
                await asyncio.sleep(0)

    @property
    def open(self) -> bool:
        return self._end.fileno() >= 0

    def close(self) -> None:
        self._end.close()
