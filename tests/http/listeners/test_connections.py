"""What comes over a raw socket and is no HTTP."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import anyio
import pytest

from tests.http.rig import Rig, rig

POST = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


async def send(r: Rig, *pieces: bytes) -> tuple[int, str]:
    """Status and message of what answers ``pieces``, each sent by itself; the server closes the connection."""
    stream = await anyio.connect_tcp("127.0.0.1", int(r.url.rpartition(":")[2]))
    answer = b""
    async with stream:
        with anyio.fail_after(5):
            for piece in pieces:
                await stream.send(piece)
                await anyio.sleep(0.02)
            async for data in stream:
                answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/json" in head.lower()
    assert b"\r\nx-request-id: req_" in head.lower()
    assert head.startswith(b"HTTP/1.")
    return int(head.split()[1]), json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    ("pieces", "status", "says"),
    [
        ([b"HELLO\r\n\r\n"], 400, "HELLO"),
        ([b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"], 400, "version"),
        ([b"GET /health HTTP/0.9\r\nHost: localhost\r\n\r\n"], 505, "HTTP/0.9"),
        ([b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n"], 505, "HTTP/2.0"),
        ([POST.replace(b"/1.1", b"/0.9") + b"Content-Length: 2\r\n\r\n", b"{}"], 505, "HTTP/0.9"),
        ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], 400, "HTTPS"),
        ([b"GET /health HTTP/1.1\r\nHost: localhost\r\nBad Header\r\n\r\n"], 400, "Bad Header"),
        ([b"GET /health HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n"], 431, "8190"),
        ([b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n"], 431, "8190"),
        ([POST + b"Content-Length: many\r\n\r\n"], 400, "Content-Length"),
        ([CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n"], 400, "chunk size"),
        ([CHUNKED + b"5\r\nhello\r\n", b"zz\r\n"], 400, "chunk size"),
        ([POST + b"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"], 400, "gzip"),
    ],
)
async def test_malformed_http_is_answered_in_our_shape_and_leaves_no_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, pieces: list[bytes], status: int, says: str
) -> None:
    async with rig(tmp_path) as r:
        got, message = await send(r, *pieces)
    assert got == status
    assert says in message
    assert "\n" not in message
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


@pytest.mark.parametrize("asked", [POST, POST.replace(b"/v1/", b"/nothing/")])
async def test_an_expectation_that_cant_be_met_is_named(tmp_path: Path, asked: bytes) -> None:
    async with rig(tmp_path) as r:
        pieces = asked + b"Connection: close\r\nExpect: tea\r\nContent-Length: 3\r\n\r\nabc"
        assert await send(r, pieces) == (417, "this server can't meet Expect: tea")


async def answered(r: Rig, *pieces: bytes) -> bytes:
    """What the server sends to a client that sends no more after ``pieces``, until it closes the connection."""
    answer = b""
    async with await anyio.connect_tcp("127.0.0.1", int(r.url.rpartition(":")[2])) as stream:
        with anyio.fail_after(5):
            for piece in pieces:
                await stream.send(piece)
            await stream.send_eof()
            async for data in stream:
                answer += data
    return answer


async def test_a_client_that_ends_before_it_has_asked_keeps_no_connection(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert await answered(r) == b""
        assert await answered(r, b"GET /health HT") == b""


async def test_a_client_that_asks_and_ends_at_once_is_answered(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert (await answered(r, b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")).startswith(b"HTTP/1.1 200")
