"""What was tried in attacks and held: keys on every route, and requests hidden in others."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import anyio
import pytest

from mlxr.http.routes import ROUTES
from tests.http.rig import Rig, rig

PARAMETER = re.compile(r"\{\w+(?::[^}]*)?\}")
HIDDEN = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"x-api-key": ""}, {"Cookie": "key=right"}])
async def test_every_route_but_the_public_asks_for_the_key(tmp_path: Path, headers: dict[str, str]) -> None:
    guarded = [route for route in ROUTES if not route.public]
    assert len(guarded) > 35
    # A few at a time, since wrong keys are counted and soon answered by 429 alone.
    for some in (guarded[at : at + 8] for at in range(0, len(guarded), 8)):
        async with rig(tmp_path, api_keys=["right"]) as r, aiohttp.ClientSession() as session:
            for route in some:
                url = r.url + PARAMETER.sub("x", route.path)
                async with session.request(route.method, url, data=b"{}", headers=headers) as response:
                    assert response.status == 401, (route.method, route.path)


async def test_no_spelling_of_a_path_goes_around_the_key(tmp_path: Path) -> None:
    spellings = (
        "/V1/models", "//v1/models", "/v1/./models", "/health/../v1/models", "/v1%2Fmodels", "/health%2f..%2fapi/tags",
        "/v1/models/", "/v1/models;x", "/v1/models?/health", "/docs/../api/tags", "/\\v1/models",
    )  # fmt: skip
    async with rig(tmp_path, api_keys=["right"]) as r:
        for path in spellings:
            answer = await sent(r, b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode())
            assert int(answer.split()[1]) in (400, 401), (path, answer[:80])


@pytest.mark.parametrize(
    "request_",
    [
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n0\r\n\r\n" % (5 + len(HIDDEN)) + HIDDEN,
        POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        POST + b"Content-Length: 0, %d\r\n\r\n" % len(HIDDEN) + HIDDEN,
        POST + b"Content-Length: +0\r\n\r\n" + HIDDEN,
        POST + b"Content-Length : 0\r\n\r\n" + HIDDEN,
        POST + b"Content-Length: 0x0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + HIDDEN,
        POST + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + HIDDEN,
        POST + b"X: a\r\n Content-Length: 0\r\n\r\n" + HIDDEN[:-2] + b"\0\r\n\r\n",
    ],
)
async def test_no_request_hides_in_another_whose_length_is_unclear(tmp_path: Path, request_: bytes) -> None:
    async with rig(tmp_path) as r:
        answer = await sent(r, request_)
    assert answer.split()[1] == b"400"
    assert answer.count(b"HTTP/1.") == 1
    assert b'"tiny"' not in answer


async def sent(r: Rig, data: bytes) -> bytes:
    """All that answers ``data``, of which nothing more comes."""
    stream = await anyio.connect_tcp("127.0.0.1", int(r.url.rpartition(":")[2]))
    async with stream:
        await stream.send(data)
        await stream.send_eof()
        with anyio.fail_after(10):
            return b"".join([part async for part in stream])
