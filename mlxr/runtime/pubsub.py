"""Telemetry's sockets: one side publishes, others subscribe and miss what they are too slow for."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import zmq

from mlxr.runtime.errors import ConfigError, StartError

BURST = 64
"""Events that are read before other tasks of the loop get their turn."""

SEND_SECONDS = 0.02
"""For so long events gather on a loop: each by itself wakes two threads and the subscriber, and a request has six."""

_MORE = zmq.NOBLOCK | zmq.SNDMORE

_CHANGES = {b"\x01": 1, b"\x00": -1}
"""What a subscriber's message does to the number of those who read its topic, by its first byte."""

LOOK_SECONDS = 0.02
"""How often the socket is asked for new subscribers: asking costs more than an event nobody reads may."""


class Publisher:
    """Telemetry's PUB side: knows who subscribes to what, so that events nobody reads are never built."""

    def __init__(self, context: zmq.Context[Any]) -> None:
        self._socket = context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_VERBOSER, 1)
        self._socket.setsockopt(zmq.SNDHWM, 10_000)
        self._prefixes: dict[bytes, int] = {}
        self._wanted: dict[str, bool] = {}
        self._look_next = 0.0
        self._bound: list[Path] = []
        self._unsent: list[tuple[str, bytes]] = []

    def bind(self, endpoint: str) -> str:
        """Listens on ``endpoint``, and say where that is (a port of ``*`` is a number by then). Raises ``StartError``
        naming the setting when it can't be had."""
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            raise StartError(
                f"can't publish telemetry at {endpoint} ({error.strerror}): choose another place by telemetry.endpoint "
                "(MLXR_TELEMETRY_ENDPOINT), such as tcp://127.0.0.1:5557"
            ) from error
        if endpoint.startswith("ipc://"):
            self._bound.append(Path(endpoint.removeprefix("ipc://")))
        return bytes(self._socket.getsockopt(zmq.LAST_ENDPOINT)).rstrip(b"\0").decode()

    def wants(self, topic: str) -> bool:
        """Tells whether anybody reads ``topic``; also takes in new subscriptions, after at most ``LOOK_SECONDS``."""
        now = time.monotonic()
        if now >= self._look_next:
            self._look_next = now + LOOK_SECONDS
            while self._socket.poll(0):
                self._note(self._socket.recv())
        if (wanted := self._wanted.get(topic)) is None:
            name = topic.encode()
            wanted = self._wanted[topic] = any(name.startswith(prefix) for prefix in self._prefixes)
        return wanted

    def publish(self, topic: str, body: bytes) -> None:
        """Sends an event: soon, where a loop runs, and behind those before it."""
        self._unsent.append((topic, body))
        if len(self._unsent) > 1:
            return
        try:
            asyncio.get_running_loop().call_later(SEND_SECONDS, self._send)
        except RuntimeError:
            self._send()

    def _send(self) -> None:
        unsent, self._unsent = self._unsent, []
        for topic, body in unsent:
            self._socket.send(topic.encode(), _MORE)
            self._socket.send(body, zmq.NOBLOCK)

    def close(self) -> None:
        self._send()
        self._socket.close(linger=100)
        for path in self._bound:
            path.unlink(missing_ok=True)

    def _note(self, frame: bytes) -> None:
        change = _CHANGES.get(frame[:1])
        if change is None:
            return  # Somebody else's.
        self._wanted.clear()
        prefix = frame[1:]
        count = self._prefixes.get(prefix, 0) + change
        if count > 0:
            self._prefixes[prefix] = count
        else:
            self._prefixes.pop(prefix, None)


class Subscriber:
    """The reading side of telemetry. ``pending``: how many messages may wait to be read, before others are missed.
    Raises ``ConfigError`` where ``endpoint`` is no address that can be read at."""

    def __init__(self, endpoint: str, topics: list[str], pending: int = 1000) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, pending)
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self._context.destroy()
            why = os.strerror(error.errno or 0)
            wanted = "telemetry is at ipc://PATH or tcp://HOST:PORT, as `mlxr telemetry --show-endpoint` says"
            raise ConfigError(f"{endpoint!r} is no place to read at ({why}); {wanted}") from error
        for topic in topics or [""]:
            self._socket.setsockopt(zmq.SUBSCRIBE, topic.encode())

    def want(self, topic: str, wanted: bool) -> None:
        """Begins or ends to read a topic; each beginning needs one end."""
        self._socket.setsockopt(zmq.SUBSCRIBE if wanted else zmq.UNSUBSCRIBE, topic.encode())

    async def follow(self, take: Callable[[bytes], None]) -> None:
        """Calls ``take`` with each event's JSON, on the loop that awaits this, until cancelled; what it raises ends
        this call."""
        loop = asyncio.get_running_loop()
        failed: asyncio.Future[None] = loop.create_future()

        def drain() -> None:
            try:
                for _ in range(BURST):
                    if (event := _event(self._socket.recv_multipart(zmq.NOBLOCK))) is not None:
                        take(event[1])
                loop.call_soon(drain)
            except zmq.Again:
                pass
            except Exception as error:
                if not failed.done():
                    failed.set_exception(error)

        fd = int(self._socket.getsockopt(zmq.FD))
        loop.add_reader(fd, drain)
        # The descriptor only signals what arrives from now on; look once at what is there already.
        loop.call_soon(drain)
        try:
            await failed
        finally:
            failed.cancel()
            loop.remove_reader(fd)

    def receive(self, timeout: float | None = None) -> tuple[str, bytes] | None:
        """Returns the next (topic, JSON) pair, or None after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if end is None else max(0, int((end - time.monotonic()) * 1000))
            if not self._socket.poll(left):
                return None
            if (event := _event(self._socket.recv_multipart())) is not None:
                return event

    def close(self) -> None:
        self._socket.close(linger=0)
        self._context.term()


def _event(parts: list[bytes]) -> tuple[str, bytes] | None:
    """Returns a message as its topic and its JSON; None for one that is no event of ours."""
    return (parts[0].decode(errors="replace"), parts[1]) if len(parts) == 2 else None
