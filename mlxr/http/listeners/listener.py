"""One listening socket: takes connections as long as there are places for them.

The loop's own servers accept whatever comes, until there are no descriptors left: then uvloop's closes itself.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

from mlxr.http.listeners.connection_slots import ConnectionSlots

log = logging.getLogger("mlxr.frontend")

AT_ONCE = 32
"""Connections taken in one turn of the loop."""

HANDSHAKE_SECONDS = 10.0
"""What a client gets to greet by TLS."""

FULL_SECONDS = 0.05
"""Between two looks for a connection that has become idle, when there is no place for another."""

PAUSE_SECONDS = 0.2
"""Between two tries, when the system has nothing left for another connection."""

SEND_BUFFER = 128 << 10
"""Bytes that the kernel keeps for a client that does not read; it would go up to megabytes, the text of hours."""


class Listener:
    """Listens on one socket. ``make`` makes the protocol of a connection, which gives its slot back when it has lost
    it."""

    def __init__(
        self,
        listener: socket.socket,
        make: Callable[[], asyncio.Protocol],
        slots: ConnectionSlots,
        context: ssl.SSLContext | None,
    ) -> None:
        self._listener = listener
        self._make = make
        self._slots = slots
        self._context = context
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: socket.socket | None = None
        self._open = True
        listener.setblocking(False)
        self._timer: asyncio.Handle = self._loop.call_soon(self._resume)

    def close(self) -> None:
        """Takes no more connections; those open go on."""
        if self._open:
            self._loop.remove_reader(self._listener.fileno())
            self._open = False
            self._timer.cancel()
            self._listener.close()
        if self._held is not None:
            self._held.close()
            self._held = None

    def _resume(self) -> None:
        self._timer.cancel()
        if self._open:
            self._loop.add_reader(self._listener.fileno(), self._take)
            self._timer = self._loop.call_soon(self._take)

    def _pause(self, seconds: float) -> None:
        """Takes nothing for a while: until then, or until a place is free."""
        self._loop.remove_reader(self._listener.fileno())
        self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._resume)

    def _take(self) -> None:
        """Takes connections, until nobody waits or there is no place for the next, which is held."""
        for _ in range(AT_ONCE):
            if self._held is None:
                self._held = self._accept()
            if self._held is None:
                return
            if not self._slots.take(self._resume):
                self._pause(FULL_SECONDS)
                return
            task = self._loop.create_task(self._serve(self._held))
            self._held = None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _accept(self) -> socket.socket | None:
        try:
            return self._listener.accept()[0] if self._open else None
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return None
        except OSError as error:
            # No descriptors or buffers left: neither the server nor those who wait are to suffer for it.
            log.warning("can't take a connection (%s)", error.strerror)
            self._slots.make_room()
            self._pause(PAUSE_SECONDS)
            return None

    async def _serve(self, client: socket.socket) -> None:
        try:
            client.setblocking(False)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            await self._loop.connect_accepted_socket(
                self._make,
                client,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS if self._context else None,
            )
        except (OSError, asyncio.CancelledError) as error:
            # It left, or spoke no TLS; ``ssl.SSLError`` and timeouts are of this kind too.
            log.debug("a connection came to nothing: %s", error)
            client.close()
            self._slots.release()
