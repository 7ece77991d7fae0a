"""A client that costs next to nothing: raw sockets, and the time of every event of every stream.

``run`` starts it as ``python -m bench.client`` in a process of its own, with a ``Load`` as JSON on stdin.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from typing import Any, cast

import msgspec
import uvloop
from msgspec import Struct

from bench.server import ROOT

EVENT = b"data: {"
END = b"data: [DONE]"
GOOD = b"HTTP/1.1 200"
SECONDS = 120.0
RETRY_SECONDS = 0.005


class Load(Struct, frozen=True):
    """Streams to open on ``/v1/completions``: one ``body`` for each. ``in_turn``: open the next one only when the one
    before has its first token, so that the server numbers them in this order. ``patience``: seconds to go on trying
    while nobody listens on the port yet."""

    port: int
    bodies: list[dict[str, Any]]
    in_turn: bool = False
    patience: float = 0.0


class Streamed(Struct, frozen=True):
    """One stream: when it was sent, and for every event (one token each) when it came, as ``time.monotonic_ns``."""

    sent: int
    events: list[int]


class Reader(asyncio.Protocol):
    """Sends one request and notes when events come. Events are counted, not parsed."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._tail = b""
        self._head = b""
        self.sent = 0
        self.events: list[int] = []
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.sent = time.monotonic_ns()
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        if not self.events:
            self._head += data[:2000]
            if not self._head.startswith(GOOD[: len(self._head)]):
                self.connection_lost(None)
        data = self._tail + data
        count = data.count(EVENT)
        self.events.extend([now] * count)
        # What may be the beginning of an event is looked at again, whole ones are not.
        keep = data[data.rfind(EVENT) + len(EVENT) :] if count else data
        self._tail = keep[-(len(END) - 1) :]
        if count:
            self.begun.set()
        if END in data:
            self.ended.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.begun.set()
        self.ended.set()

    def result(self) -> Streamed:
        if not self.events:
            raise RuntimeError(f"no token came: {self._head.decode()}")
        return Streamed(self.sent, self.events)


async def drive(load: Load) -> list[Streamed]:
    """Open every stream and read all to their end."""
    readers: list[Reader] = []
    for body in load.bodies:
        reader = Reader(_request(body))
        readers.append(reader)
        await connect(reader, load)
        if load.in_turn:
            await reader.begun.wait()
    for reader in readers:
        await reader.ended.wait()
    return [reader.result() for reader in readers]


async def connect(reader: Reader, load: Load) -> None:
    """Raises ``OSError`` when nobody listens within the load's patience."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + load.patience
    while True:
        try:
            await loop.create_connection(lambda: reader, "127.0.0.1", load.port)
            return
        except OSError:
            if loop.time() > deadline:
                raise
        await asyncio.sleep(RETRY_SECONDS)


def run(load: Load) -> list[Streamed]:
    """Drive ``load`` from another process."""
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "-m", "bench.client"]
        subprocess.run(command, input=msgspec.json.encode(load), stdout=output, cwd=ROOT, check=True, timeout=SECONDS)
        output.seek(0)
        return msgspec.json.decode(output.read(), type=list[Streamed])


def _request(body: dict[str, Any]) -> bytes:
    content = json.dumps({**body, "stream": True}).encode()
    lines = [
        "POST /v1/completions HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + content


def main() -> None:
    load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(drive(load))))


if __name__ == "__main__":
    main()
