"""Messages to MCP servers, passed on over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from mlxr.http.ui.mcp import proxy
from mlxr.runtime.paths import Home
from tests.http.rig import Rig, ask, rig
from tests.http.ui.upstream import Answer, upstream

NOTES = "/api/ui/mcp/notes"


@asynccontextmanager
async def noted(directory: Path, answer: Answer, **server: Any) -> AsyncIterator[tuple[Rig, str]]:
    """A server of ours that knows ``answer`` as the MCP server notes, and its URL."""
    async with upstream(answer) as url, rig(directory, **server.pop("settings", {})) as r:
        body = {"name": "notes", "url": f"{url}/mcp", **server}
        status, told, _ = await ask(r, "POST", "/api/ui/tools/servers", json=body)
        assert status == 200, told
        yield r, url


async def test_a_message_goes_on_with_the_kept_headers_and_without_ours(tmp_path: Path) -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.method, {k.lower(): v for k, v in request.headers.items()}, await request.read()))
        return web.json_response({"ok": 1}, headers={"Mcp-Session-Id": "s1", "Set-Cookie": "a=b"})

    settings = {"api_keys": ["ours"]}
    own = {"Authorization": "Bearer ours"}
    async with upstream(answer) as url, rig(tmp_path, **settings) as r:
        server = {"name": "notes", "url": url, "headers": {"Authorization": "Bearer theirs", "X-Team": "7"}}
        assert (await ask(r, "POST", "/api/ui/tools/servers", json=server, headers=own))[0] == 200
        sent = {**own, "Mcp-Session-Id": "s0", "MCP-Protocol-Version": "2025-06-18", "Cookie": "c=d"}
        status, body, headers = await ask(r, "POST", NOTES, json={"id": 1}, headers=sent)
    assert (status, body, headers["Mcp-Session-Id"]) == (200, {"ok": 1}, "s1")
    assert "Set-Cookie" not in headers
    ((method, got, data),) = seen
    assert (method, data) == ("POST", b'{"id": 1}')
    assert got["authorization"] == "Bearer theirs"
    assert (got["x-team"], got["mcp-session-id"], got["mcp-protocol-version"]) == ("7", "s0", "2025-06-18")
    assert "cookie" not in got
    assert "ours" not in str(got)


async def test_kept_headers_are_told_to_nobody(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response()

    async with noted(tmp_path, answer, headers={"Authorization": "Bearer secret-7"}) as (r, _):
        _, body, _ = await ask(r, "GET", "/api/ui/tools")
    assert "secret-7" not in str(body)
    assert body["servers"][0]["headers"] == ["Authorization"]


async def test_events_arrive_as_they_are_sent(tmp_path: Path) -> None:
    goes_on = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await goes_on.wait()
        await response.write(b"data: 2\n\n")
        return response

    async with (
        noted(tmp_path, answer) as (r, _),
        aiohttp.ClientSession() as session,
        session.post(r.url + NOTES, json={}) as response,
    ):
        assert response.content_type == "text/event-stream"
        assert await response.content.readuntil(b"\n\n") == b"data: 1\n\n"
        goes_on.set()
        assert await response.content.read() == b"data: 2\n\n"


async def test_a_client_that_leaves_ends_the_stream_at_the_mcp_server(tmp_path: Path) -> None:
    left = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\n\n")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            left.set()
            raise
        return response

    async with noted(tmp_path, answer) as (r, _), aiohttp.ClientSession() as session:
        async with session.get(r.url + NOTES) as response:
            await response.content.readuntil(b"\n\n")
        async with asyncio.timeout(10):
            await left.wait()


@pytest.mark.parametrize("status", [404, 405, 400, 500])
async def test_statuses_that_the_protocol_gives_a_meaning_are_passed_on(tmp_path: Path, status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text="because")

    async with noted(tmp_path, answer) as (r, _):
        assert (await ask(r, "GET", NOTES))[:2] == (status, "because")


async def test_a_server_that_wants_a_login_is_no_refusal_of_our_key(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})

    async with noted(tmp_path, answer) as (r, _):
        status, body, headers = await ask(r, "POST", NOTES, json={})
    assert (status, body["code"]) == (502, "mcp_unauthorized")
    assert "the MCP server notes can't be used: it wants a login (401)" in body["error"]
    assert "WWW-Authenticate" not in headers


async def test_a_redirect_within_the_host_is_followed_and_none_to_another(tmp_path: Path) -> None:
    elsewhere: list[str] = []

    async def other(request: web.Request) -> web.Response:
        elsewhere.append(request.headers.get("Authorization", ""))
        return web.Response()

    async with upstream(other) as far:

        async def answer(request: web.Request) -> web.Response:
            if request.path == "/mcp":
                raise web.HTTPTemporaryRedirect("/mcp/")
            if await request.read() == b"far":
                raise web.HTTPPermanentRedirect(far)
            return web.Response(text=f"{request.method} {request.path}")

        async with noted(tmp_path, answer, headers={"Authorization": "Bearer secret"}) as (r, _):
            assert (await ask(r, "POST", NOTES, data=b"near"))[:2] == (200, "POST /mcp/")
            status, body, _ = await ask(r, "POST", NOTES, data=b"far")
    assert status == 502
    assert "it sends on to 127.0.0.1; give that address itself" in body["error"]
    assert elsewhere == []


async def test_redirects_without_an_end_are_told(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/mcp")

    async with noted(tmp_path, answer) as (r, _):
        status, body, _ = await ask(r, "POST", NOTES, data=b"x")
    assert status == 502
    assert "from one address to the next" in body["error"]


async def test_a_server_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await ask(r, "POST", "/api/ui/tools/servers", json={"name": "notes", "url": "http://127.0.0.1:9/mcp"})
        status, body, _ = await ask(r, "POST", NOTES, json={})
        assert status == 502
        assert body["error"].startswith("the MCP server notes can't be used: can't connect to 127.0.0.1:9")
        status, body, _ = await ask(r, "POST", "/api/ui/mcp/other", json={})
        assert (status, body["code"]) == (404, "not_found")
        assert "there are: notes" in body["error"]


async def test_a_server_kept_with_an_address_that_is_none_is_told_of_and_can_be_changed(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        await ask(r, "POST", "/api/ui/tools/servers", json={"name": "notes", "url": "http://127.0.0.1:9/mcp"})
        profile = Home(tmp_path / "home").profile
        profile.write_text(profile.read_text().replace("127.0.0.1:9", "xn--"))
        status, body, _ = await ask(r, "POST", NOTES, json={})
        assert status == 502
        assert "notes can't be used: its address is none that a server can have; change it" in body["error"]
        mended = {"name": "notes", "url": "http://127.0.0.1:3000/mcp"}
        status, body, _ = await ask(r, "POST", "/api/ui/tools/servers", json=mended)
        assert (status, [server["url"] for server in body["servers"]]) == (200, [mended["url"]])


async def test_an_answer_that_breaks_off_is_not_taken_for_a_whole_one(tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        assert request.transport is not None
        request.transport.close()
        return response

    async with (
        noted(tmp_path, answer) as (r, _),
        aiohttp.ClientSession() as session,
        session.post(r.url + NOTES, json={}) as response,
    ):
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_messages_and_answers_have_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy, "MOST_SENT", 1000)
    monkeypatch.setattr(proxy, "MOST_RECEIVED", 1000)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="x" * 2000)

    async with noted(tmp_path, answer) as (r, _), aiohttp.ClientSession() as session:
        status, body, _ = await ask(r, "POST", NOTES, data=b"x" * 1001)
        assert (status, body["code"]) == (413, "request_too_large")
        async with session.post(r.url + NOTES, data=b"x") as response:
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()


async def test_a_server_that_is_switched_off_is_asked_nothing(tmp_path: Path) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async with noted(tmp_path, answer, enabled=False) as (r, _):
        status, body, _ = await ask(r, "POST", NOTES, json={})
    assert (status, asked) == (400, [])
    assert "switched off" in body["error"]
