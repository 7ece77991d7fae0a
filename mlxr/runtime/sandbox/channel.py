"""Frames over a socket of the loop's."""

from __future__ import annotations

import asyncio
import socket

from mlxr.runtime.sandbox.protocol import LENGTH_BYTES, frame

_CLOSED = (OSError, ValueError)
"""What a socket raises whose end is closed: the loop has another error for one that was closed on this side."""


class Gone(Exception):  # noqa: N818  (reads as what happened)
    """The worker's end of a socket is closed."""


class Channel:
    """Frames over a socket, without blocking the loop."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._loop = asyncio.get_running_loop()

    async def send(self, body: bytes) -> None:
        await self.send_raw(frame(body))

    async def send_raw(self, data: bytes) -> None:
        try:
            await self._loop.sock_sendall(self._end, data)
        except _CLOSED as error:
            raise Gone from error

    def pass_descriptor(self, order: bytes, descriptor: int) -> None:
        """Sends one byte and a descriptor, at once. Raises ``OSError``."""
        socket.send_fds(self._end, [order], [descriptor])

    async def receive(self) -> bytes:
        return await self._read(int.from_bytes(await self._read(LENGTH_BYTES), "big"))

    async def _read(self, size: int) -> bytes:
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            try:
                count = await self._loop.sock_recv_into(self._end, view)
            except _CLOSED as error:
                raise Gone from error
            if not count:
                raise Gone
            view = view[count:]
        return bytes(buffer)

    @property
    def open(self) -> bool:
        return self._end.fileno() >= 0

    def close(self) -> None:
        self._end.close()
