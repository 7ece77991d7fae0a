"""Pages that are fetched for models, over real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mlxr.http.ui.fetch import handlers
from mlxr.http.ui.fetch.handlers import fetched
from tests.http.rig import ask, rig
from tests.http.ui.upstream import upstream


async def page(request: web.Request) -> web.Response:
    return web.Response(text="<p>Grüße</p>", content_type="text/html", charset="iso-8859-1")


async def test_a_page_comes_as_text_once_private_addresses_are_allowed(tmp_path: Path) -> None:
    async with upstream(page) as url, rig(tmp_path) as r:
        _, before, _ = await ask(r, "POST", "/api/ui/fetch", json={"url": url})
        await ask(r, "POST", "/api/ui/tools/private-fetch", json={"allowed": True})
        _, after, _ = await ask(r, "POST", "/api/ui/fetch", json={"url": url})
    assert before["text"] == ""
    assert "no host of the public Internet" in before["error"]
    assert (after["status"], after["type"], after["text"]) == (200, "text/html", "<p>Grüße</p>")
    assert after["error"] == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433"])
async def test_addresses_of_this_machine_are_refused_however_they_are_written(host: str) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response()

    async with upstream(answer) as url:
        got = await fetched(url.replace("127.0.0.1", host), private=False)
    assert got.error
    assert asked == []


@pytest.mark.parametrize("host", ["169.254.169.254", "10.0.0.1", "192.168.1.1", "[fe80::1]", "[64:ff9b::7f00:1]"])
async def test_addresses_of_networks_around_are_refused_before_they_are_asked(host: str) -> None:
    got = await fetched(f"http://{host}/", private=False)
    assert "no host of the public Internet" in got.error


async def test_a_redirect_to_a_private_address_is_refused_where_it_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first host counts as public here, the second as what it is."""
    asked: list[str] = []

    async def second(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text="secret")

    async with upstream(second) as hidden:

        async def first(request: web.Request) -> web.Response:
            raise web.HTTPFound(hidden.replace("127.0.0.1", "127.0.0.2"))

        from mlxr.http.ui import outbound

        monkeypatch.setattr(outbound, "is_public", lambda address: address == "127.0.0.1")
        async with upstream(first) as url:
            got = await fetched(url, private=False)
    assert "no host of the public Internet" in got.error
    assert asked == []


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "no address of a page"),
        ("ftp://example.org/", "no address of a page"),
        ("javascript:alert(1)", "no address of a page"),
        ("http://", "no address of a page"),
        ("http://a:b@example.org/", "password"),
        ("http://[::1", "no address of a page"),
        ("http://127.0.0.1:9/", "can't connect"),
        ("http://2130706433/", "2130706433 is no host"),
    ],
)
async def test_what_is_no_page_is_told_in_words(url: str, words: str) -> None:
    assert words in (await fetched(url, private=True)).error


async def test_a_long_page_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "MOST_BYTES", 1000)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="x" * 5000)

    async with upstream(answer) as url:
        got = await fetched(url, private=True)
    assert (len(got.text), got.truncated) == (1000, True)


async def test_a_page_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "READ_SECONDS", 0.2)

    async def answer(request: web.Request) -> web.StreamResponse:
        import asyncio

        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.sleep(30)
        return response

    async with upstream(answer) as url:
        assert "took too long" in (await fetched(url, private=True)).error


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"body": b"\x89PNG", "content_type": "image/png"}, {"error": "it is image/png, which is no text"}),
        ({"body": b"{}", "content_type": "application/ld+json"}, {"text": "{}", "error": ""}),
        ({"text": "gone", "status": 404}, {"text": "gone", "error": "127.0.0.1 answers 404 Not Found"}),
        ({"body": "ä".encode("utf-16"), "content_type": "text/plain"}, {"text": "ä"}),
        ({"body": b"a", "headers": {"Content-Type": "text/plain; charset=nonsense"}}, {"text": "a"}),
        ({"body": b"a", "headers": {"Content-Type": "text/plain; charset=zlib"}}, {"text": "a"}),
    ],
)
async def test_what_comes_is_text_or_told(answer: dict[str, Any], expected: dict[str, str]) -> None:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(**answer)

    async with upstream(handle) as url:
        got = await fetched(url, private=True)
    assert {name: getattr(got, name) for name in expected} == expected
