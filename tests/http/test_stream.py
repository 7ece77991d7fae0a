"""Streams on real sockets."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from pathlib import Path

import anyio

from mlxr.runtime.messages.frontend import Delta, Deltas, Started
from mlxr.runtime.messages.tokenizer import Generate
from tests.http.rig import Rig, rig, words

PIECE = "x" * 1000
PIECES = 4000


def request(version: str) -> bytes:
    body = json.dumps({"model": "tiny", "prompt": "a", "stream": True}).encode()
    head = f"POST /v1/completions HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


async def answer(r: Rig, version: str) -> tuple[str, bytes]:
    """Head and body of a stream that is read only once all of it was made."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", int(r.url.rpartition(":")[2])))
        connection.sendall(request(version))
        stream = await anyio.abc.SocketStream.from_socket(connection.dup())
    async with stream:
        await r.until(
            lambda: r.got(Generate) and all(stream.outcome for stream in r.actor.gateway.table.streams.values())
        )
        data = b"".join([piece async for piece in stream])
    head, _, body = data.partition(b"\r\n\r\n")
    return head.decode().lower(), body


def unframed(body: bytes) -> bytes:
    """What the chunks of HTTP/1.1's transfer coding hold."""
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        if not int(size, 16):
            assert body == b"\r\n"
            return whole
        whole += body[: int(size, 16)]
        assert body[int(size, 16) :].startswith(b"\r\n")
        body = body[int(size, 16) + 2 :]


def text(body: bytes) -> str:
    events = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    assert events.pop() == "[DONE]"
    return "".join(json.loads(event)["choices"][0]["text"] for event in events)


async def test_a_client_that_reads_late_gets_all_of_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: words(command, *[PIECE] * PIECES)
        head, body = await answer(r, "1.1")
    assert "transfer-encoding: chunked" in head
    assert text(unframed(body)) == PIECE * PIECES


async def test_a_token_is_at_its_client_before_anybody_else_has_a_turn(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: [Started(command.request, 5), Deltas([Delta(command.request, text="first")])]
        with socket.create_connection(("127.0.0.1", int(r.url.rpartition(":")[2]))) as client:
            client.sendall(request("1.1"))
            client.setblocking(False)
            loop, data = asyncio.get_running_loop(), b""
            with anyio.fail_after(30):
                while b"first" not in data:
                    data += await loop.sock_recv(client, 1 << 16)
            (number,) = r.actor.gateway.table.streams
            r.actor.gateway.table.on_deltas(Deltas([Delta(number, text="second")]))
            readable, _, _ = select.select([client], [], [], 30)
            assert readable
            assert b"second" in client.recv(1 << 16)


async def test_a_client_of_http_1_0_gets_a_stream_without_chunks(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: words(command, *[PIECE] * PIECES)
        head, body = await answer(r, "1.0")
    assert "transfer-encoding" not in head
    assert text(body) == PIECE * PIECES
