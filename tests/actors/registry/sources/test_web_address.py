from __future__ import annotations

import errno
import hashlib
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import anyio
import pytest
from aiohttp import web

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.files import DigestMismatch, OutOfSpace
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.catalogue.tables import Tables
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources import early_look
from mlxr.actors.registry.sources.find import find_source
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.transfer import partial_file
from mlxr.actors.registry.sources.web_address import WebSource
from mlxr.models.errors import UnsupportedModelError
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_gguf, unheard
from tests.actors.registry.sources.web import HASTY, Web, file_server


@pytest.fixture
async def server(model: bytes) -> AsyncIterator[Web]:
    async with file_server({"/models/tiny.gguf": model}) as server:
        yield server


def in_parts(folder: Path, server: Web) -> list[str]:
    """Serve a model of several files; their names."""
    folder.mkdir()
    tiny_gguf(folder / "big.gguf", split=4)
    for path in folder.glob("*.gguf"):
        server.files[f"/models/{path.name}"] = path.read_bytes()
    return sorted(path.name for path in folder.glob("*.gguf"))


async def test_a_file_at_an_address_becomes_a_model(server: Web, home: Home, model: bytes) -> None:
    heard = list[Progress]()
    entry = await pull_model(home, f"{server.url}/models/tiny.gguf", heard.append, limits=HASTY)
    assert entry.blob.path.read_bytes() == model
    assert (entry.name, entry.source) == ("tiny", f"{server.url}/models/tiny.gguf")
    assert [progress.status for progress in heard if not progress.total] == [
        "pulling manifest",
        "verifying sha256 digest",
        "writing manifest",
    ]
    assert files_under(home.models) == [f"blobs/sha256-{hashlib.sha256(model).hexdigest()}"]


async def test_any_part_of_a_model_in_several_files_means_all_of_them(server: Web, home: Home, tmp_path: Path) -> None:
    parts = in_parts(tmp_path / "split", server)
    assert len(parts) > 2
    entry = await pull_model(home, f"{server.url}/models/{parts[1]}?download=true", unheard, limits=HASTY)
    assert entry.name == "big"
    assert files_under(entry.blob.path) == parts


async def test_a_part_that_is_missing_is_named_before_any_is_fetched(server: Web, home: Home, tmp_path: Path) -> None:
    parts = in_parts(tmp_path / "split", server)
    del server.files[f"/models/{parts[-1]}"]
    with pytest.raises(ModelNotFound, match=f"there is nothing at {server.url}/models/{parts[-1]}"):
        await pull_model(home, f"{server.url}/models/{parts[0]}", unheard, limits=HASTY)
    assert files_under(home.models) == []


async def test_a_digest_behind_an_address_is_held_to(server: Web, home: Home, model: bytes) -> None:
    url = f"{server.url}/models/tiny.gguf"
    with pytest.raises(DigestMismatch, match=r"tiny\.gguf came with SHA-256 .*, but should have a{64}"):
        await pull_model(home, f"{url}#sha256={'a' * 64}", unheard, limits=HASTY)
    assert files_under(home.models) == []
    named = f"{url}#sha256={hashlib.sha256(model).hexdigest()}"
    await pull_model(home, named, unheard, limits=HASTY)
    server.sent = 0
    await pull_model(home, named, unheard, limits=HASTY)
    assert server.sent == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\n<!DOCTYPE html><html>", "is a web page and no file; give the address that its download link leads to"),
        (b"PK\x03\x04 and more", "is a pickle, which mlxr never reads"),
        (b"\x80\x04 and more", "is a pickle, which mlxr never reads"),
        (b"anything else", "is no GGUF file; mlxr pulls folders from"),
        (b"", "is no GGUF file"),
    ],
)
async def test_what_is_no_gguf_file_is_refused_by_its_first_bytes(
    server: Web, home: Home, content: bytes, says: str
) -> None:
    server.files["/models/x.gguf"] = content + bytes(1_000_000) if content else b""
    with pytest.raises(PullError, match=re.escape(says)):
        await pull_model(home, f"{server.url}/models/x.gguf", unheard, limits=HASTY)
    assert server.sent < 200_000
    assert files_under(home.models) == []


async def test_a_damaged_file_names_its_address_and_is_not_kept(server: Web, home: Home, model: bytes) -> None:
    server.files["/models/x.gguf"] = model[: len(model) // 2]
    with pytest.raises(PullError, match=rf"{server.url}/models/x\.gguf holds a model that can't be used"):
        await pull_model(home, f"{server.url}/models/x.gguf", unheard, limits=HASTY)
    assert [path for path in files_under(home.models) if "resumable" not in path] == []


async def test_a_large_model_that_cannot_run_here_is_refused_by_its_header(
    server: Web, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_look, "LARGE", 10_000_000)
    large = tiny_gguf(tmp_path / "odd.gguf", architecture="rwkv7") + bytes(20_000_000)
    server.files["/models/odd.gguf"] = large
    with pytest.raises(UnsupportedModelError, match=r"'rwkv7', which mlxr lacks.*no more than its header was fetched"):
        await pull_model(home, f"{server.url}/models/odd.gguf", unheard, limits=HASTY)
    assert server.sent < 3_000_000
    assert files_under(home.models) == []


async def test_a_large_model_that_runs_here_is_fetched_after_the_look(
    server: Web, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_look, "LARGE", 0)
    entry = await pull_model(home, f"{server.url}/models/tiny.gguf", unheard, limits=HASTY)
    assert entry.blob.path.read_bytes() == model


async def test_two_pulls_of_one_address_at_once_fetch_it_once(server: Web, home: Home, model: bytes) -> None:
    heard = list[str]()

    async def pull() -> None:
        await pull_model(
            home, f"{server.url}/models/tiny.gguf", lambda progress: heard.append(progress.status), limits=HASTY
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pull)
        tasks.start_soon(pull)
    assert "waiting for another mlxr to pull the same model" in heard
    assert heard.count("verifying sha256 digest") == 1


async def test_an_address_pulled_again_brings_what_is_there_now(server: Web, home: Home, tmp_path: Path) -> None:
    url = f"{server.url}/models/tiny.gguf"
    await pull_model(home, url, unheard, limits=HASTY)
    server.files["/models/tiny.gguf"] = newer = tiny_gguf(tmp_path / "newer.gguf", "newer")
    entry = await pull_model(home, "tiny", unheard, limits=HASTY)
    assert entry.blob.path.read_bytes() == newer
    assert files_under(home.models) == [f"blobs/sha256-{entry.blob.digest}"]


async def dripping(request: web.Request, number: int) -> web.StreamResponse:
    """An answer that never pauses, and never ends."""
    response = web.StreamResponse(headers={"Content-Length": str(10**6)})
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await anyio.sleep(0.01)


@pytest.mark.parametrize("path", ["/models/tiny.gguf", "/library/tiny:latest"])
async def test_a_server_that_never_ends_a_short_answer_is_left(server: Web, home: Home, path: str) -> None:
    server.fault = dripping
    with pytest.raises(
        PullError, match=r"^127\.0\.0\.1 did not finish a short answer in 0 s; try again when it has less"
    ):
        await pull_model(home, f"{server.url}{path}", unheard, limits=replace(HASTY, answer_seconds=0.3))
    assert files_under(home.models) == []


async def test_a_model_too_large_for_the_disk_is_refused_before_its_header_is_read(server: Web, home: Home) -> None:
    async def huge(request: web.Request, number: int) -> web.StreamResponse:
        said = {"Content-Range": f"bytes 0-511/{10**17}", "ETag": "x"}
        return web.Response(status=206, body=b"GGUF".ljust(512), headers=said)

    server.fault = huge
    with pytest.raises(OutOfSpace, match=r"100000\.\d TB needed"):
        await pull_model(home, f"{server.url}/models/tiny.gguf", unheard, limits=HASTY)
    assert len(server.asked) == 1
    assert files_under(home.models) == []


async def test_another_model_is_no_suggestion_for_an_address(server: Web, home: Home) -> None:
    await pull_model(home, f"{server.url}/models/tiny.gguf", unheard, limits=HASTY)
    with pytest.raises(ModelNotFound) as raised:
        await pull_model(home, f"{server.url}/models/tinny.gguf", unheard, limits=HASTY)
    assert "did you mean" not in str(raised.value)


async def test_a_server_without_tls_is_named_as_such(server: Web, home: Home) -> None:
    with pytest.raises(
        PullError, match=r"127\.0\.0\.1:\d+ does not speak TLS \(.+\); where it needs none, put http://"
    ):
        await pull_model(home, f"{server.url}/models/tiny.gguf".replace("http://", "https://"), unheard, limits=HASTY)


async def test_a_file_can_be_looked_into_without_being_fetched(server: Web, model: bytes) -> None:
    async with find_source(f"{server.url}/models/tiny.gguf").remote(HASTY) as remote:
        assert remote is not None
        assert [(file.name, file.size) for file in remote.files] == [("tiny.gguf", len(model))]
        assert await remote.files[0].read(4, 4) == (3).to_bytes(4, "little")


async def test_a_server_that_sends_a_page_with_an_error_is_named(server: Web, home: Home) -> None:
    async def page(request: web.Request, number: int) -> web.StreamResponse | None:
        return web.Response(status=500, text="<html>oops</html>", content_type="text/html")

    server.fault = page
    with pytest.raises(PullError, match=r"127\.0\.0\.1 answers 500 Internal Server Error"):
        await pull_model(home, f"{server.url}/models/tiny.gguf", unheard, limits=HASTY)


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


async def full_catalogue(*_: object) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


@pytest.mark.parametrize(
    ("owner", "step"),
    [
        (partial_file.os, "open"),
        (partial_file.os, "ftruncate"),
        (partial_file.os, "pwrite"),
        (partial_file.os, "fsync"),
        (partial_file.PartialFile, "move"),
        (files, "place"),
        (Tables, "put_model"),
    ],
    ids=["open", "ftruncate", "pwrite", "fsync", "move", "place", "catalogue"],
)
async def test_a_disk_that_is_full_at_any_step_is_named_and_nothing_is_left(
    server: Web, home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch, owner: object, step: str
) -> None:
    url = f"{server.url}/models/tiny.gguf"
    store = await Store.open(home)
    try:
        with monkeypatch.context() as patch:
            if step == "open":
                real = os.open

                def refuse(path: object, flags: int, *rest: Any, **options: Any) -> int:
                    made = flags & os.O_CREAT and "resumable" in str(path)
                    return full() if made else real(path, flags, *rest, **options)  # type: ignore[arg-type]

                patch.setattr(os, "open", refuse)
            else:
                patch.setattr(owner, step, full_catalogue if owner is Tables else full)
            with pytest.raises(
                OutOfSpace, match=rf"no space left in {home.root}(/models)?: .*free; make room, or set M"
            ):
                await pull_model(home, url, unheard, store, limits=HASTY)
        assert files_under(home.models) == []
        assert await store.models() == []
        assert (await pull_model(home, url, unheard, store, limits=HASTY)).blob.path.read_bytes() == model
    finally:
        await store.close()


@pytest.mark.parametrize(
    "name", ["https://", "http:///x.gguf", "https://host/x y.gguf", "https://h/x.gguf#md5=1", "https://h/\x1b.gguf"]
)
def test_what_is_no_address_is_refused(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"is no address of a file; give https://HOST/PATH\.gguf"):
        find_source(name)


def test_a_model_is_called_as_its_file() -> None:
    assert WebSource("https://h/a/My%20Model-Q4.gguf?x=1").name == "My-Model-Q4"
    assert WebSource("https://h/a/big-00001-of-00003.gguf").name == "big"
    assert WebSource("https://h/download?id=3").name == "download"
    assert WebSource("https://h/").name == "model"
