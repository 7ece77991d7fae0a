from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest
from aiohttp import web

from mlxr.actors.registry.sources.transfer.http_client import HttpClient
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.runtime.errors import ModelError, ModelNotFound, PullError
from tests.actors.registry.sources.web import HASTY, Web, file_server, only, serving, status

CONTENT = bytes(range(256)) * 300


@pytest.fixture
async def server() -> AsyncIterator[Web]:
    async with file_server({"/x.gguf": CONTENT, "/empty": b""}) as server:
        yield server


async def test_a_server_says_how_long_a_file_is_and_what_changes_with_it(server: Web) -> None:
    async with HttpClient.open(HASTY) as client:
        file, begin = await HttpFile.ask(client, f"{server.url}/x.gguf", "x.gguf")
        assert (file.size, begin) == (len(CONTENT), CONTENT[:512])
        server.etags["/x.gguf"] = "other"
        other, _ = await HttpFile.ask(client, f"{server.url}/x.gguf", "x.gguf")
        assert other.identity != file.identity
        assert (await HttpFile.ask(client, f"{server.url}/empty", "empty"))[0].size == 0


async def test_a_file_is_read_anywhere_without_the_rest_of_it(server: Web) -> None:
    async with HttpClient.open(HASTY) as client:
        file = HttpFile(client, f"{server.url}/x.gguf", "x.gguf", len(CONTENT), "")
        assert await file.read(1000, 50) == CONTENT[1000:1050]
        assert await file.read(len(CONTENT) - 5, 50) == CONTENT[-5:]
        assert await file.read(len(CONTENT), 50) == b""
    assert server.sent == 55


async def test_a_read_survives_what_a_pull_does(server: Web) -> None:
    server.fault = only({0, 1}, status(503))
    async with HttpClient.open(HASTY) as client:
        file = HttpFile(client, f"{server.url}/x.gguf", "x.gguf", len(CONTENT), "")
        assert await file.read(7, 9) == CONTENT[7:16]


async def test_a_server_without_ranges_is_read_from_the_beginning(server: Web) -> None:
    server.ranges = False
    async with HttpClient.open(HASTY) as client:
        file = HttpFile(client, f"{server.url}/x.gguf", "x.gguf", len(CONTENT), "")
        assert await file.read(1000, 50) == CONTENT[1000:1050]
        assert await file.read(70_000, 50) == CONTENT[70_000:70_050]


async def test_a_length_that_is_not_said_is_an_error(server: Web) -> None:
    async def chunked(request: web.Request, number: int) -> web.StreamResponse | None:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(CONTENT)
        return response

    server.fault = chunked
    async with HttpClient.open(HASTY) as client:
        with pytest.raises(PullError, match=r"does not say how long x\.gguf is; fetch it with a browser or curl"):
            await HttpFile.ask(client, f"{server.url}/x.gguf", "x.gguf")


async def test_a_host_that_is_not_there_is_named_soon() -> None:
    async with HttpClient.open(HASTY) as client:
        with pytest.raises(PullError, match=r"can't connect to 127\.0\.0\.1:1 \(Connection refused\)"):
            await HttpFile.ask(client, "http://127.0.0.1:1/x.gguf", "x.gguf")


async def test_what_is_not_there_is_not_found(server: Web) -> None:
    async with HttpClient.open(HASTY) as client:
        with pytest.raises(ModelNotFound, match=r"there is nothing at http://127\.0\.0\.1:\d+/none \(404\)"):
            await HttpFile.ask(client, f"{server.url}/none?token=secret", "none")


class Key:
    """Access by a key that has to be made anew once."""

    def __init__(self) -> None:
        self.key = "old"

    async def headers(self, url: str) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def renew(self, url: str, headers: Mapping[str, str]) -> bool:
        self.key = headers["WWW-Authenticate"]
        return True

    def refusal(self, status: int, headers: Mapping[str, str]) -> ModelError | None:
        return PullError("the door is shut") if status == 401 else None


async def test_a_host_that_wants_to_know_who_asks_is_told_and_nobody_else_is(server: Web) -> None:
    async def door(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != "Bearer new":
            return web.Response(status=401, headers={"WWW-Authenticate": "new"})
        return web.Response(status=302, headers={"Location": f"{server.url}/x.gguf"})

    async with serving(door) as url, HttpClient.open(HASTY) as client:
        file = HttpFile(client, f"{url}/x", "x.gguf", len(CONTENT), "", access=Key())
        assert await file.read(0, 9) == CONTENT[:9]
        assert await file.read(9, 9) == CONTENT[9:18]
    assert len(server.headers) == 2
    assert not any("Authorization" in headers for headers in server.headers)


async def test_a_host_that_is_not_content_is_asked_no_third_time(server: Web) -> None:
    server.fault = status(401, WWW_Authenticate="new")
    async with HttpClient.open(HASTY) as client:
        file = HttpFile(client, f"{server.url}/x.gguf", "x.gguf", len(CONTENT), "", access=Key())
        with pytest.raises(PullError, match="the door is shut"):
            await file.read(0, 9)
    assert len(server.asked) == 2
