"""Bodies on their way in: what is too much, too slow, or keeps others waiting."""

from __future__ import annotations

import asyncio
import codecs
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import pytest
from msgspec.structs import replace

from mlxr.runtime.messages.frontend import Catalog
from tests.http.rig import ENGINE, ENTRY, ask, rig
from tests.http.wire import connect, exchange, reply_of

CHAT = {"model": "tiny", "messages": [{"role": "user", "content": "Hi"}]}


async def post(url: str, body: Any, **headers: str) -> tuple[int, Any]:
    data = io.BytesIO(json.dumps(body).encode())
    headers = {"Content-Type": "application/json", **headers}
    async with aiohttp.ClientSession(headers=headers) as session, session.post(url, data=data) as response:
        return response.status, await response.json()


async def test_others_are_answered_while_a_body_of_tiny_members_is_decoded(tmp_path: Path) -> None:
    tiny = json.dumps({**CHAT, **{f"a{index}": 1 for index in range(200_000)}}).encode()
    middling = {**CHAT, "messages": [{"role": "user", "content": "word " * 10_000}]}
    async with rig(tmp_path, api_keys=["a", "b"]) as r, aiohttp.ClientSession() as session:
        ended: list[str] = []

        async def flood() -> None:
            sent = [send(session, "a", tiny) for _ in range(4)]
            assert await asyncio.gather(*sent) == [200] * 4
            ended.append("flood")

        async def send(session: aiohttp.ClientSession, key: str, data: bytes) -> int:
            headers = {"x-api-key": key, "Content-Type": "application/json"}
            async with session.post(r.url + "/v1/chat/completions", data=io.BytesIO(data), headers=headers) as response:
                await response.read()
                return response.status

        flooding = asyncio.create_task(flood())
        await asyncio.sleep(0.05)
        assert await send(session, "b", json.dumps(middling).encode()) == 200
        assert not ended
        await flooding


@pytest.mark.parametrize(
    "value", [[[]] * 700_000, [{}] * 700_000, {str(index): 0 for index in range(700_000)}, [[[[1]]]] * 200_000]
)
async def test_more_values_than_memory_is_meant_for_are_refused_before_they_are_made(
    tmp_path: Path, value: Any
) -> None:
    data = json.dumps({**CHAT, "chat_template_kwargs": {"a": value}}, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json"}
    async with rig(tmp_path, max_body_values=500_000) as r, aiohttp.ClientSession(headers=headers) as session:
        tracemalloc.start()
        try:
            async with session.post(r.url + "/v1/chat/completions", data=io.BytesIO(data)) as response:
                status, body = response.status, await response.json()
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert status == 413
    assert "server.max_body_values" in body["error"]["message"]
    assert most < 4 * len(data) + (8 << 20)


async def test_a_text_full_of_commas_and_brackets_is_one_value(tmp_path: Path) -> None:
    body = {**CHAT, "messages": [{"role": "user", "content": '[{"a": "\\\\", ' * 300_000}]}
    wide = Catalog([replace(ENTRY, info=replace(ENTRY.info, context_length=131_072))], [ENGINE])
    async with rig(tmp_path, wide, max_body_values=100) as r:
        status, answer = await post(r.url + "/v1/chat/completions", body)
        assert status == 200, answer


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/blobs/sha256:" + "a" * 64])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_trickles_is_given_up(tmp_path: Path, path: str, chunked: bool) -> None:
    length = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 100000"
    head = b"POST " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n\r\n"
    drop = b"1\r\n \r\n" if chunked else b" "
    async with rig(tmp_path, body_seconds=0.2) as r:
        async with await anyio.connect_tcp("127.0.0.1", int(r.url.rpartition(":")[2])) as stream:
            await stream.send(head)
            answer = b""

            async def trickle() -> None:
                with anyio.move_on_after(5):
                    while not answer:
                        await stream.send(drop)
                        await anyio.sleep(0.05)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(trickle)
                with anyio.fail_after(10):
                    answer = await stream.receive()
                tasks.cancel_scope.cancel()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"server.body_seconds" in answer


async def test_a_body_that_comes_slowly_but_steadily_is_taken(tmp_path: Path) -> None:
    data = json.dumps({**CHAT, "user": "a" * 4000}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(data)
    async with rig(tmp_path, body_seconds=0.3) as r:
        parts = [data[at : at + 400] for at in range(0, len(data), 400)]
        answer = await exchange(r, head, *parts, pause=0.06)
    assert reply_of(answer)[0] == 200


async def test_one_clients_half_sent_bodies_leave_room_for_others(tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["a", "b"], max_body_bytes=10_000) as r:

        async def whole(key: str) -> int:
            body = {**CHAT, "user": "a" * 9000}
            return (await post(r.url + "/v1/chat/completions", body, **{"x-api-key": key}))[0]

        head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nx-api-key: a\r\nContent-Length: 10000\r\n\r\n"
        streams = [await connect(r) for _ in range(9)]
        answers = b""
        for stream in streams:
            await stream.send(head + b" " * 9000)
        for stream in streams:
            with anyio.move_on_after(0.1):
                answers += await stream.receive()
        assert answers.count(b"HTTP/1.1 503 ") == 9 - 4
        assert b"Retry-After" in answers
        assert await whole("b") == 200
        for stream in streams:
            await stream.aclose()
        with anyio.fail_after(5):
            while await whole("a") != 200:  # noqa: ASYNC110  (it is asked for over the network)
                await anyio.sleep(0.02)


@pytest.mark.parametrize("content", ["Hi", "word " * 20_000])
async def test_a_byte_order_mark_before_a_body_is_left_out(tmp_path: Path, content: str) -> None:
    body = codecs.BOM_UTF8 + json.dumps({**CHAT, "messages": [{"role": "user", "content": content}]}).encode()
    async with rig(tmp_path) as r:
        assert (await ask(r, "POST", "/v1/chat/completions", data=body))[0] == 200


@pytest.mark.parametrize("data", [b"", codecs.BOM_UTF8])
async def test_a_body_that_is_empty_is_said_to_be(tmp_path: Path, data: bytes) -> None:
    async with rig(tmp_path) as r:
        status, answer, _ = await ask(r, "POST", "/api/chat", data=data)
    assert (status, "body is empty" in answer["error"]) == (400, True)


async def test_a_wrong_member_of_a_map_is_told_of_by_the_map(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, answer = await post(r.url + "/v1/chat/completions", {**CHAT, "logit_bias": {"5": 500}})
    assert (status, answer["error"]["param"]) == (400, "logit_bias")
