"""A client that costs next to nothing: blocking sockets on one poll, and the times of every event of every stream.

``run`` starts it as ``python -m bench.client`` in a process of its own, with a ``Load`` as JSON on stdin. On Linux the
kernel says when bytes arrived at a socket (``SO_TIMESTAMPNS``), however late this process gets to read them.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from bench.server import ROOT

EVENT = b"data: {"
END = b"data: [DONE]"
GOOD = b"HTTP/1.1 200"
SECONDS = 120.0
RETRY_SECONDS = 0.005
RECEIVE = 1 << 16

STAMP = 35
"""``SO_TIMESTAMPNS``, as Linux numbers it; the type of the message that carries the time, too."""
TIMESPEC = struct.Struct("@ll")


class Load(Struct, frozen=True):
    """Streams to open on ``/v1/completions``: one ``body`` for each. ``in_turn``: open the next one only when the one
    before has its first token, so that the server numbers them in this order. ``patience``: seconds to go on trying
    while nobody listens on the port yet. ``until_told``: say on stdout, by an empty line, when each stream has begun,
    and leave when a line comes on stdin. ``prompt``: read before anybody else gets the CPU, where the system lets this
    process (root's may): of what waits in a socket together, only the last arrival is known, so a client that waited
    for a CPU would find one long gap and then none."""

    port: int
    bodies: list[dict[str, Any]]
    in_turn: bool = False
    patience: float = 0.0
    until_told: bool = False
    prompt: bool = False


class Streamed(Struct, frozen=True):
    """One stream: when it was sent, and for every event (one token each) when it was read here and when it had arrived
    at the socket, as ``time.monotonic_ns``. Where the system doesn't tell, it arrived when it was read."""

    sent: int
    events: list[int]
    arrived: list[int]


class Reader:
    """One request and its stream. Pieces are kept as they come, and looked into at the end."""

    def __init__(self, load: Load, body: dict[str, Any]) -> None:
        self._pieces: list[tuple[int, int, bytes]] = []
        self.socket = _connect(load)
        if sys.platform == "linux":
            self.socket.setsockopt(socket.SOL_SOCKET, STAMP, 1)
        self.sent = time.monotonic_ns()
        self.socket.sendall(_request(body))
        self.begun = False
        self.ended = False

    def read(self) -> None:
        data, notes, _, _ = self.socket.recvmsg(RECEIVE, 64)
        now = time.monotonic_ns()
        stamp = TIMESPEC.unpack(notes[0][2]) if notes else (0, 0)
        self._pieces.append((now, stamp[0] * 10**9 + stamp[1], data))
        self.begun = self.begun or EVENT in data
        self.ended = not data or END in data

    def result(self, ahead: int) -> Streamed:
        """``ahead``: nanoseconds by which the clock of stamps is ahead of the monotonic one."""
        text = b"".join(data for _, _, data in self._pieces)
        if not text.startswith(GOOD) or EVENT not in text:
            raise RuntimeError(f"no token came: {text[:2000].decode()}")
        events: list[int] = []
        arrived: list[int] = []
        end = counted = 0
        for now, stamp, data in self._pieces:
            end += len(data)
            # An event counts where its beginning is whole.
            found = text.count(EVENT, 0, end)
            events += [now] * (found - counted)
            arrived += [stamp - ahead if stamp else now] * (found - counted)
            counted = found
        return Streamed(self.sent, events, arrived)


def drive(load: Load) -> list[Streamed]:
    """Open every stream and read all of it. Raises ``OSError`` when nobody listens within the load's patience."""
    if load.prompt and sys.platform == "linux":
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    poll = select.poll()
    readers: dict[int, Reader] = {}
    everyone: list[Reader] = []
    for body in load.bodies:
        reader = Reader(load, body)
        everyone.append(reader)
        readers[reader.socket.fileno()] = reader
        poll.register(reader.socket, select.POLLIN)
        while load.in_turn and not (reader.begun or reader.ended):
            _read_once(poll, readers)
    told = not load.until_told
    while readers:
        if not told and all(reader.begun for reader in everyone):
            told = True
            poll.register(sys.stdin.fileno(), select.POLLIN)
            print(flush=True)
        if not _read_once(poll, readers):
            break
    ahead = time.time_ns() - time.monotonic_ns()
    return [reader.result(ahead) for reader in everyone]


def _read_once(poll: select.poll, readers: dict[int, Reader]) -> bool:
    """Returns whether to go on."""
    for descriptor, _ in poll.poll():
        if descriptor not in readers:
            return False
        reader = readers[descriptor]
        reader.read()
        if reader.ended:
            poll.unregister(descriptor)
            del readers[descriptor]
            reader.socket.close()
    return True


def _connect(load: Load) -> socket.socket:
    deadline = time.monotonic() + load.patience
    while True:
        try:
            return socket.create_connection(("127.0.0.1", load.port))
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(RETRY_SECONDS)


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
    load = msgspec.json.decode(sys.stdin.buffer.readline(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(drive(load)))


if __name__ == "__main__":
    main()
