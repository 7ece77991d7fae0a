"""How long a connection may keep the server waiting, and how many there may be."""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from mlxr.http.listeners.connection_slots import most_connections
from mlxr.runtime import descriptors
from mlxr.runtime.messages.common import FinishReason
from mlxr.runtime.messages.frontend import Delta, Deltas, Finished, Started
from mlxr.runtime.messages.tokenizer import Cancel, Generate
from tests.http.rig import USAGE, Rig, embedded, hello, rig
from tests.http.wire import connect, exchange, reply_of, rest

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
STREAMS = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hi"}]},
    "/v1/completions": {"prompt": "Hi"},
    "/v1/responses": {"input": "Hi"},
    "/v1/messages": {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9},
    "/api/generate": {"prompt": "Hi"},
    "/api/chat": {"messages": [{"role": "user", "content": "Hi"}]},
}


def request(path: str, *, stream: bool = True, version: str = "1.1", headers: bytes = b"") -> bytes:
    body = json.dumps({"model": "tiny", "stream": stream, **STREAMS[path]}).encode()
    head = f"POST {path} HTTP/{version}\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n".encode()
    return head + headers + b"\r\n" + body


# Half-sent and idle ones.


@pytest.mark.parametrize("sent", [b"G", b"GET /health HTTP/1.1\r\nHost: local", HEALTH[:-2]])
async def test_a_header_that_never_ends_is_given_up(tmp_path: Path, sent: bytes) -> None:
    async with rig(tmp_path, header_seconds=0.1) as r, await connect(r) as stream:
        await stream.send(sent)
        await rest(stream)


async def test_a_header_that_trickles_is_given_up_though_it_goes_on(tmp_path: Path) -> None:
    async with rig(tmp_path, header_seconds=0.2) as r, await connect(r) as stream:

        async def trickle() -> None:
            while True:
                await stream.send(b"a")
                await anyio.sleep(0.02)

        with pytest.raises((anyio.BrokenResourceError, anyio.EndOfStream)), anyio.fail_after(10):
            await trickle()


@pytest.mark.parametrize("sent", [b"", HEALTH, HEALTH + b"GET /"])
async def test_an_idle_connection_is_closed(tmp_path: Path, sent: bytes) -> None:
    async with rig(tmp_path, idle_seconds=0.1) as r, await connect(r) as stream:
        if sent:
            await stream.send(sent)
        await rest(stream)


async def test_a_long_answer_is_no_idleness(tmp_path: Path) -> None:
    async with rig(tmp_path, idle_seconds=0.1, header_seconds=0.1, unread_seconds=0.1) as r:
        r.on_generate = lambda command: [Started(command.request, 5)]
        async with await connect(r) as stream:
            await stream.send(request("/v1/chat/completions"))
            await r.until(lambda: r.got(Generate))
            await anyio.sleep(0.4)
            number = r.got(Generate)[0].request
            r.tell(Deltas([Delta(number, 0, "late", finish=FinishReason.STOP)]), Finished(number, USAGE))
            assert b"late" in await rest(stream)


async def test_pipelined_requests_are_answered_in_their_order(tmp_path: Path) -> None:
    async with rig(tmp_path, idle_seconds=0.3) as r:
        ask = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
        answer = await exchange(r, (HEALTH + ask) * 20)
        assert answer.count(b"HTTP/1.1 200 OK") == 40


# Who does not read.


async def test_a_client_that_does_not_read_loses_its_stream(tmp_path: Path) -> None:
    async with rig(tmp_path, unread_seconds=0.2) as r:
        r.on_generate = lambda command: [Started(command.request, 5)]
        with socket.create_connection(("127.0.0.1", int(r.url.rpartition(":")[2]))) as client:
            client.sendall(request("/v1/chat/completions"))
            await r.until(lambda: r.got(Generate))
            number = r.got(Generate)[0].request
            with anyio.fail_after(20):
                while not r.got(Cancel):
                    r.tell(Deltas([Delta(number, 0, "word " * 2000)]))
                    await anyio.sleep(0.002)
            assert r.got(Cancel)[0].request == number


async def test_an_answer_that_nobody_reads_does_not_keep_its_connection(tmp_path: Path) -> None:
    async with rig(tmp_path, unread_seconds=0.1, idle_seconds=0.2) as r:
        r.on_other = embedded
        with socket.create_connection(("127.0.0.1", int(r.url.rpartition(":")[2]))) as client:
            client.setblocking(False)
            body = json.dumps({"model": "tiny", "input": "x", "dimensions": 3}).encode()
            ask = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            # Answers that stay unread, until the server stops reading too.
            waiting = b""
            with anyio.fail_after(20):
                while open_connections(r):
                    waiting = waiting or ask * 50
                    try:
                        waiting = waiting[client.send(waiting) :]
                    except BlockingIOError:
                        pass
                    except ConnectionError:
                        break
                    await anyio.sleep(0.002)
            await r.until(lambda: not open_connections(r))


def open_connections(r: Rig) -> int:
    return r.server._slots._taken


async def test_a_client_that_reads_slowly_keeps_its_stream(tmp_path: Path) -> None:
    async with rig(tmp_path, unread_seconds=0.3) as r:
        r.on_generate = lambda command: [Started(command.request, 5)]
        async with await connect(r) as stream:
            await stream.send(request("/v1/chat/completions"))
            await r.until(lambda: r.got(Generate))
            number = r.got(Generate)[0].request
            for _ in range(200):
                r.tell(Deltas([Delta(number, 0, "word " * 2000)]))
            r.tell(Deltas([Delta(number, 0, "", finish=FinishReason.STOP)]), Finished(number, USAGE))
            seen = b""
            with anyio.fail_after(20):
                while b"[DONE]" not in seen:
                    seen += await stream.receive(30_000)
                    await anyio.sleep(0.01)
            assert not r.got(Cancel)


# Who sends no more, and who has gone.


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_sends_no_more_gets_its_answer(tmp_path: Path, path: str, stream: bool) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: []
        async with await connect(r) as client:
            await client.send(request(path, stream=stream))
            await client.send_eof()
            await r.until(lambda: r.got(Generate))
            await anyio.sleep(0.1)
            number = r.got(Generate)[0].request
            r.tell(Started(number, 5), Deltas([Delta(number, 0, "still ", tokens=1)]))
            await anyio.sleep(0.02)
            r.tell(Deltas([Delta(number, 0, "here", finish=FinishReason.STOP)]), Finished(number, USAGE, [1]))
            answer = await rest(client)
        status, _, body = reply_of(answer)
        assert status == 200
        assert b"still " in body
        assert b"here" in body
        assert not r.got(Cancel)
        assert not open_connections(r)


async def test_a_client_that_sends_no_more_in_mid_stream_gets_the_rest(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: [Started(command.request, 5), Deltas([Delta(command.request, 0, "half")])]
        async with await connect(r) as client:
            await client.send(request("/api/chat"))
            seen = await client.receive()
            await client.send_eof()
            await anyio.sleep(0.2)
            number = r.got(Generate)[0].request
            r.tell(Deltas([Delta(number, 0, "whole", finish=FinishReason.STOP)]), Finished(number, USAGE))
            seen += await rest(client)
        sizes = [int(line, 16) for line in seen.partition(b"\r\n\r\n")[2].split(b"\r\n")[0:-2:2]]
        assert sizes[-1] == 0
        assert min(sizes[:-1]) > 0
        assert b"whole" in seen
        assert not r.got(Cancel)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEALTH, 200),
        (request("/v1/completions", stream=False), 200),
        (request("/api/chat"), 200),
        (request("/v1/completions")[:-5], 400),
    ],
)
async def test_an_answer_that_the_clients_end_meets_under_way_comes_whole(
    tmp_path: Path, sent: bytes, status: int
) -> None:
    async with rig(tmp_path) as r:
        for _ in range(10):
            # In one go, by a socket that lets no turn of the loop pass in between.
            with socket.create_connection(("127.0.0.1", int(r.url.rpartition(":")[2]))) as client:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                answer = b""
                while data := await loop.sock_recv(client, 1 << 16):
                    answer += data
            assert reply_of(answer)[0] == status
        await r.until(lambda: not open_connections(r))


async def test_a_client_that_asks_and_is_gone_at_once_gets_no_answer_made(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: []
        with socket.create_connection(("127.0.0.1", int(r.url.rpartition(":")[2]))) as client:
            client.sendall(request("/v1/completions", stream=False))
        server = r.server._runner.server
        assert server is not None
        await r.until(lambda: server.requests_count == 1 and not open_connections(r))
        await r.until(lambda: len(r.got(Cancel)) == len(r.got(Generate)))


async def test_an_end_that_is_seen_twice_begins_one_answer(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: []
        async with await connect(r) as client:
            await client.send(request("/v1/completions", stream=False))
            await client.send_eof()
            await r.until(lambda: r.got(Generate))
            await anyio.sleep(0.1)
            # As aiohttp does whenever some of a body is read, which may be after its end.
            server = r.server._runner.server
            assert server is not None
            (connection,) = server.connections
            connection.resume_reading()
            await anyio.sleep(0.1)
            r.tell(*hello(r.got(Generate)[0]))
            answer = await rest(client)
        assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_requests_sent_together_before_the_end_are_all_answered(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        answer = await exchange(r, request("/v1/completions", stream=False) * 3 + HEALTH, half_close=True)
        assert answer.count(b"HTTP/1.1 200 OK") == 4


async def test_who_sends_no_more_and_leaves_after_a_first_answer_gets_no_second_one_made(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: hello(command) if len(r.got(Generate)) == 1 else []
        async with await connect(r) as client:
            await client.send(request("/v1/completions", stream=False) * 2)
            await client.send_eof()
            seen = b""
            while not seen.partition(b"\r\n\r\n")[2].rstrip(b"H").endswith(b"}"):
                seen += await client.receive()
            await r.until(lambda: len(r.got(Generate)) == 2)
        await r.until(lambda: r.got(Cancel))
        await r.until(lambda: not open_connections(r))


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_cancels_its_request(tmp_path: Path, path: str, stream: bool) -> None:
    async with rig(tmp_path) as r:
        r.on_generate = lambda command: []
        async with await connect(r) as client:
            await client.send(request(path, stream=stream))
            await r.until(lambda: r.got(Generate))
        await r.until(lambda: r.got(Cancel))
        await r.until(lambda: not open_connections(r))


async def test_a_body_that_ends_before_its_length_is_a_400(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        answer = await exchange(r, request("/v1/completions")[:-5], half_close=True)
        assert reply_of(answer)[0] == 400


# HTTP/1.0.


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize(
    "headers", [b"", b"Connection: keep-alive\r\n", b"Connection: Keep-Alive\r\nKeep-Alive: 30\r\n"]
)
async def test_a_stream_to_http_1_0_ends_with_its_connection(tmp_path: Path, path: str, headers: bytes) -> None:
    async with rig(tmp_path) as r:
        status, got, body = reply_of(await exchange(r, request(path, version="1.0", headers=headers)))
        assert status == 200
        assert "transfer-encoding" not in got
        assert got.get("connection", "close") == "close"
        assert b"w\xc3\xb6rld" in body or b"w\\u00f6rld" in body


async def test_an_answer_with_a_length_keeps_an_http_1_0_connection(tmp_path: Path) -> None:
    async with rig(tmp_path) as r, await connect(r) as stream:
        for _ in range(2):
            await stream.send(
                request("/v1/completions", stream=False, version="1.0", headers=b"Connection: keep-alive\r\n")
            )
            with anyio.fail_after(5):
                answer = b""
                while not answer.endswith(b"}"):
                    answer += await stream.receive()
            assert reply_of(answer)[1]["connection"] == "keep-alive"


# How many there may be.


async def test_the_longest_idle_connection_makes_room_for_a_new_one(tmp_path: Path) -> None:
    async with rig(tmp_path, max_connections=3) as r:
        streams = [await connect(r) for _ in range(3)]
        for stream in (streams[1], streams[0], streams[2]):
            await stream.send(HEALTH)
            assert b"200 OK" in await stream.receive()
        async with await connect(r) as another:
            await another.send(HEALTH)
            with anyio.fail_after(5):
                assert b"200 OK" in await another.receive()
        await rest(streams[1])
        await streams[1].aclose()
        for stream in (streams[0], streams[2]):
            await stream.send(HEALTH)
            assert b"200 OK" in await stream.receive()
            await stream.aclose()


async def test_running_answers_are_not_given_up_for_new_connections(tmp_path: Path) -> None:
    async with rig(tmp_path, max_connections=2) as r:
        r.on_generate = lambda command: [Started(command.request, 5)]
        streams = [await connect(r) for _ in range(2)]
        for stream in streams:
            await stream.send(request("/v1/completions"))
        await r.until(lambda: len(r.got(Generate)) == 2)
        async with await connect(r) as waiting:
            await waiting.send(HEALTH)
            await anyio.sleep(0.1)
            assert not r.got(Cancel)
            await streams[0].aclose()
            with anyio.fail_after(5):
                assert b"200 OK" in await waiting.receive()
        await streams[1].aclose()


async def test_four_hundred_connections_are_taken_in_by_few_places(tmp_path: Path) -> None:
    async with rig(tmp_path, max_connections=20) as r:
        streams = await asyncio.gather(*(connect(r) for _ in range(400)))
        assert open_connections(r) <= 20
        async with await connect(r) as stream:
            await stream.send(HEALTH)
            with anyio.fail_after(5):
                assert b"200 OK" in await stream.receive()
        for stream in streams:
            await stream.aclose()
        await r.until(lambda: not open_connections(r))


@contextmanager
def no_descriptors() -> Iterator[None]:
    """Nothing more can be opened meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [socket.socket()]
    resource.setrlimit(resource.RLIMIT_NOFILE, (taken[0].fileno() + 1, hard))
    try:
        while True:
            try:
                taken.append(socket.socket())
            except OSError:
                break
        yield
    finally:
        for each in taken:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_listener_outlives_the_lack_of_descriptors(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        gc.collect()
        client = socket.socket()
        port = int(r.url.rpartition(":")[2])
        with no_descriptors():
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            client.send(HEALTH)
            await anyio.sleep(0.3)
        with anyio.fail_after(5):
            assert b"200 OK" in await asyncio.get_running_loop().sock_recv(client, 1000)
        client.close()


@pytest.mark.parametrize("limit", [64, 256, 1024, 4096, 65_536])
def test_descriptors_are_kept_for_the_runtime(limit: int) -> None:
    most = most_connections(limit)
    assert 16 <= most <= limit - min(128, limit // 2)


def test_the_limit_on_descriptors_is_raised_as_far_as_it_goes() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        descriptors.raise_limit()
        assert descriptors.limit() == min(hard, descriptors.MOST)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
