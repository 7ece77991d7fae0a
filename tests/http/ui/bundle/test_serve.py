"""The web application's files: who gets which, under which policy."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mlxr.http.ui.bundle import serve
from mlxr.http.ui.bundle.files import Bundle
from tests.http.rig import rig

PAGE = "<!doctype html><title>mlxr</title>"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle as Vite writes it."""
    root = tmp_path / "dist"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text(PAGE)
    (root / "sw.js").write_text("self")
    (root / "assets" / "index-abc.js").write_text("run()")
    (root / "assets" / "index-abc.js.gz").write_bytes(gzip.compress(b"run()"))
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setattr(serve, "built", lambda: Bundle(root))
    return root


async def get(url: str, **headers: str) -> tuple[int, str, Any]:
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(url, headers=headers, skip_auto_headers=["Accept-Encoding"]) as response,
    ):
        return response.status, (await response.read()).decode("latin-1"), response.headers


async def test_browsers_find_the_application_where_ollamas_clients_find_its_words(built: Path, tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["k"]) as r:
        assert (await get(r.url + "/", **BROWSER))[:2] == (200, PAGE)
        assert (await get(r.url + "/", Accept="*/*"))[:2] == (200, "Ollama is running")
        assert "Accept" in (await get(r.url + "/"))[2]["Vary"]


@pytest.mark.parametrize("path", ["/ui", "/ui/", "/ui/models", "/ui/chats/0192", "/ui/index.html", "/ui/no/such/page"])
async def test_every_address_of_the_application_is_its_one_page(path: str, built: Path, tmp_path: Path) -> None:
    async with rig(tmp_path, api_keys=["k"]) as r:
        status, text, headers = await get(r.url + path)
        assert (status, text) == (200, PAGE)
        assert headers["Cache-Control"] == "no-cache"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_files_that_never_change_are_kept_and_come_compressed_to_who_can(built: Path, tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        url = r.url + "/ui/assets/index-abc.js"
        _, text, headers = await get(url)
        assert text == "run()"
        assert "immutable" in headers["Cache-Control"]
        assert headers["Content-Type"].startswith("text/javascript")
        _, packed, headers = await get(url, **{"Accept-Encoding": "deflate, gzip;q=0.5"})
        assert gzip.decompress(packed.encode("latin-1")) == b"run()"
        assert headers["Content-Encoding"] == "gzip"
        assert (await get(url, **{"Accept-Encoding": "gzip;q=0"}))[1] == "run()"
        assert (await get(url, **{"If-None-Match": headers["ETag"]}))[:2] == (304, "")


async def test_the_service_worker_may_answer_for_every_page(built: Path, tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        assert (await get(r.url + "/ui/sw.js"))[2]["Service-Worker-Allowed"] == "/"


@pytest.mark.parametrize(
    "path", ["assets/index-old.js", "..%2Fsecret.txt", "%2e%2e/secret.txt", "assets/..%5csecret.txt"]
)
async def test_what_is_not_in_the_bundle_is_not_there(path: str, built: Path, tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        status, text, _ = await get(r.url + "/ui/" + path)
        assert status in (403, 404)
        assert "secret" not in text.replace("secret.txt", "")


async def test_without_a_bundle_the_page_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "built", lambda: Bundle(tmp_path / "nothing"))
    async with rig(tmp_path) as r:
        for path in ("/", "/ui/models"):
            status, text, _ = await get(r.url + path, **BROWSER)
            assert status == 200
            assert "make setup" in text
        assert (await get(r.url + "/", Accept="*/*"))[1] == "Ollama is running"


def test_a_bundle_that_is_built_under_a_running_server_is_served(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(serve, "BUILT", built)
    assert serve.built().get("assets/index-abc.js") is not None
    (built / "assets" / "index-abc.js").rename(built / "assets" / "index-new.js")
    os.utime(built / "index.html", ns=(1, 1))
    assert serve.built().get("assets/index-abc.js") is None
    assert serve.built().get("assets/index-new.js") is not None
