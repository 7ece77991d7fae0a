"""Pushes to a registry, over sockets; and pulls of what was pushed."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import anyio
import pytest
from aiohttp import web
from msgspec import structs

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import CatalogueEntry, Overrides
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.ollama import upload
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.ollama.push import push_model
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.errors import PullError, RequestError
from mlxr.runtime.paths import Home
from tests.actors.registry.ollama.registry_server import Registry, registry_server
from tests.actors.registry.packages import files_under, tiny_bert, tiny_gguf, unheard
from tests.actors.registry.sources.web import HASTY, cut, file_server, only, status

LAID_OVER = Overrides(
    system="Be brief.",
    options={"temperature": 0.5, "stop": ["<end>"]},
    messages=[{"role": "user", "content": "Hi"}],
    license="MIT",
    template="{{ if .System }}{{ .System }} {{ end }}{{ .Prompt }} {{ .Response }}",
    capabilities=["completion"],
    parser="qwen3",
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with registry_server() as server:
        yield server


async def made(home: Home, tmp_path: Path, megabytes: int = 0, overrides: Overrides = LAID_OVER) -> CatalogueEntry:
    """A model of one's own, ``mine``, of so many megabytes."""
    data = tiny_gguf(tmp_path / "made.gguf")
    with (tmp_path / "made.gguf").open("ab") as file:
        file.truncate(len(data) + (megabytes << 20))
    pulled = await pull_model(home, str(tmp_path / "made.gguf"), unheard)
    store = await Store.open(home)
    try:
        return await store.add("mine", pulled.blob, overrides=overrides)
    finally:
        await store.close()


async def push(home: Home, entry: CatalogueEntry, registry: Registry, report: Any = unheard) -> None:
    await push_model(home, entry, "me/mine:v1", report, RegistryAt(registry.url), HASTY)


async def test_a_pull_of_what_was_pushed_gives_the_same_bytes_and_overrides(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    entry = await made(home, tmp_path)
    await push(home, entry, registry)
    again = await pull_model(
        Home(tmp_path / "other"), "me/mine:v1", unheard, limits=HASTY, registry=RegistryAt(registry.url)
    )
    assert (again.blob.digest, again.blob.size) == (entry.blob.digest, entry.blob.size)
    assert again.overrides == entry.overrides
    assert again.digest == entry.digest


async def test_its_manifest_is_one_that_ollama_reads(home: Home, registry: Registry, tmp_path: Path) -> None:
    entry = await made(home, tmp_path)
    await push(home, entry, registry)
    manifest = json.loads(registry.manifests["me/mine:v1"])
    assert manifest["schemaVersion"] == 2
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert [layer["mediaType"].rpartition(".")[2] for layer in manifest["layers"]] == [
        "model",
        "template",
        "system",
        "license",
        "params",
        "messages",
    ]
    config = json.loads(registry.blobs[manifest["config"]["digest"]])
    assert (config["model_format"], config["model_family"]) == ("gguf", "llama")
    assert config["rootfs"]["diff_ids"] == [layer["digest"] for layer in manifest["layers"]]


async def test_progress_is_told_in_ollamas_words(home: Home, registry: Registry, tmp_path: Path) -> None:
    heard: list[Progress] = []
    entry = await made(home, tmp_path)
    await push(home, entry, registry, heard.append)
    said = [progress.status for progress in heard]
    assert (said[0], said[-1]) == ("retrieving manifest", "pushing manifest")
    of_model = [progress for progress in heard if progress.status == f"pushing {entry.blob.digest[:12]}"]
    assert of_model[-1] == Progress(
        f"pushing {entry.blob.digest[:12]}", f"sha256:{entry.blob.digest}", entry.blob.size, entry.blob.size
    )


async def test_what_the_registry_has_is_not_sent_again(home: Home, registry: Registry, tmp_path: Path) -> None:
    entry = await made(home, tmp_path, 20)
    await push(home, entry, registry)
    sent = registry.received
    await push(home, structs.replace(entry, overrides=Overrides(system="Other.")), registry)
    assert registry.received - sent < 1000


async def test_a_token_to_push_is_got_where_the_registry_asks_for_one(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    registry.realm = ""
    await push(home, await made(home, tmp_path), registry)
    assert "me/mine:v1" in registry.manifests
    assert any("push" in scope for scopes in registry.scopes for scope in scopes)


async def test_a_realm_at_another_host_is_refused_and_not_asked(home: Home, registry: Registry, tmp_path: Path) -> None:
    async with file_server() as other:
        registry.realm = f"{other.url}/token"
        with pytest.raises(PullError, match="none but the registry's own host"):
            await push(home, await made(home, tmp_path), registry)
        assert other.asked == []


async def test_a_refusal_for_ever_is_one_line(home: Home, registry: Registry, tmp_path: Path) -> None:
    registry.realm, registry.forever = "", True
    with pytest.raises(PullError, match=r"does not take 'me/mine:v1' \(401\)"):
        await push(home, await made(home, tmp_path), registry)


async def test_no_other_host_is_sent_who_asks(home: Home, registry: Registry, tmp_path: Path) -> None:
    async with registry_server() as other:
        registry.realm = ""
        real = Registry._location

        def elsewhere(self: Registry, repository: str, number: str, code: int) -> web.Response:
            answer = real(self, repository, number, code)
            other.uploads = registry.uploads
            answer.headers["Location"] = f"{other.url}{answer.headers['Location']}"
            return answer

        registry._location = elsewhere.__get__(registry)  # type: ignore[method-assign]
        other.blobs = registry.blobs
        await push(home, await made(home, tmp_path), registry)
        assert other.asked
        assert not [headers for headers in other.headers if "Authorization" in headers]


async def test_a_push_survives_cut_connections_busy_answers_and_a_forgotten_upload(
    home: Home, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CHUNK", 1 << 20)
    entry = await made(home, tmp_path, 6)
    patches = 0

    async def faults(request: web.Request, number: int) -> web.StreamResponse | None:
        nonlocal patches
        if request.method != "PATCH":
            return None
        patches += 1
        match patches:
            case 2:
                return web.Response(status=429, headers={"Retry-After": "0"})
            case 3:  # came, but nobody hears that it did
                await registry.serve(request)
                cut(request)
            case 5:
                registry.uploads.clear()
        return None

    registry.fault = faults
    await push(home, entry, registry)
    assert registry.blobs[f"sha256:{entry.blob.digest}"] == entry.blob.path.read_bytes()


async def test_a_push_that_failed_goes_on_where_the_registry_has_it(
    home: Home, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CHUNK", 1 << 20)
    entry = await made(home, tmp_path, 8)

    async def gone(request: web.Request, number: int) -> web.StreamResponse | None:
        if registry.received > 5 << 20:
            return await status(503)(request, number)
        return None

    registry.fault = gone
    with pytest.raises(PullError, match="503"):
        await push(home, entry, registry)
    assert "me/mine:v1" not in registry.manifests
    registry.fault, before = None, registry.received
    await push(home, entry, registry)
    assert registry.received - before < (8 << 20) - (5 << 20) + (2 << 20)
    assert [path for path in files_under(home.models) if "uploads" in path] == []


async def test_a_registry_that_gives_up_every_upload_is_not_tried_for_ever(
    home: Home, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "CHUNK", 1 << 20)
    entry = await made(home, tmp_path, 3)

    async def forgetful(request: web.Request, number: int) -> web.StreamResponse | None:
        if request.method == "PATCH" and request.headers["Content-Range"].startswith("2097152-"):
            registry.uploads.clear()
            cut(request)
        return None

    registry.fault = forgetful
    with pytest.raises(PullError, match=r"gave up sha256:.* 8 times"):
        await push(home, entry, registry)


async def test_an_upload_that_comes_with_other_bytes_is_said(home: Home, registry: Registry, tmp_path: Path) -> None:
    entry = await made(home, tmp_path)
    registry.fault = only({2}, status(202, Location="/v2/me/mine/blobs/uploads/x", Range="0-3"))
    registry.uploads["x"] = bytearray()
    with pytest.raises(PullError):
        await push(home, entry, registry)
    assert "me/mine:v1" not in registry.manifests


async def test_a_registry_that_answers_html_or_sends_elsewhere_is_named(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    entry = await made(home, tmp_path)

    async def page(request: web.Request, number: int) -> web.StreamResponse | None:
        return web.Response(status=202, text="<html>") if request.method == "POST" else None

    registry.fault = page
    with pytest.raises(PullError, match="no address to send them to"):
        await push(home, entry, registry)


async def test_a_manifest_that_is_not_taken_is_said_with_the_registrys_words(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    entry = await made(home, tmp_path)

    async def refuse(request: web.Request, number: int) -> web.StreamResponse | None:
        if request.method == "PUT" and "/manifests/" in request.path:
            return web.json_response({"errors": [{"code": "MANIFEST_INVALID"}]}, status=400)
        return None

    registry.fault = refuse
    with pytest.raises(PullError, match=r"does not take the manifest \(400\).*MANIFEST_INVALID"):
        await push(home, entry, registry)


async def test_a_server_that_is_no_registry_is_named(home: Home, registry: Registry, tmp_path: Path) -> None:
    entry = await made(home, tmp_path)
    registry.fault = status(404)
    with pytest.raises(PullError, match=r"has no place for 'me/mine:v1' \(404\)"):
        await push(home, entry, registry)


async def test_what_cannot_be_pushed_is_refused_by_name(home: Home, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "bert").mkdir()
    for name, data in tiny_bert().items():
        (tmp_path / "bert" / name).write_bytes(data)
    (tmp_path / "parts").mkdir()
    tiny_gguf(tmp_path / "parts" / "tiny.gguf", split=3)
    folder = await pull_model(home, str(tmp_path / "bert"), unheard)
    parts = await pull_model(home, str(tmp_path / "parts"), unheard)
    for entry, said in ((folder, "'bert' is a folder of safetensors"), (parts, "'parts' is in several GGUF files")):
        with pytest.raises(RequestError, match=said):
            await push(home, entry, registry)
    assert registry.asked == []


@pytest.mark.parametrize("target", ["", "a b", "../x", "/x.gguf", "a:b:c", "ollama:x/y", "x" * 600])
async def test_an_absurd_target_is_refused(home: Home, registry: Registry, tmp_path: Path, target: str) -> None:
    entry = await made(home, tmp_path)
    with pytest.raises(ValueError, match="is no name at a registry"):
        await push_model(home, entry, target, unheard, RegistryAt(registry.url), HASTY)


async def test_a_file_that_shrinks_on_its_way_is_named(home: Home, registry: Registry, tmp_path: Path) -> None:
    entry = await made(home, tmp_path)
    with entry.blob.path.open("r+b") as file:
        file.truncate(100)
    with pytest.raises(PullError, match="became shorter"):
        await push(home, entry, registry)


KILLED = """
import sys, anyio
from pathlib import Path
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.ollama.push import push_model
from mlxr.runtime.paths import Home
async def main():
    home = Home(Path(sys.argv[1]))
    store = await Store.open(home)
    await push_model(home, await store.get("mine"), "me/mine:v1", lambda p: None, RegistryAt(sys.argv[2]))
anyio.run(main)
"""


async def test_a_process_that_is_killed_sends_less_than_16_mb_again(
    home: Home, registry: Registry, tmp_path: Path
) -> None:
    entry = await made(home, tmp_path, 50)
    reached = anyio.Event()

    async def watch(request: web.Request, number: int) -> web.StreamResponse | None:
        if registry.received > 30 << 20:
            reached.set()
            await anyio.sleep(60)
        return None

    registry.fault = watch
    process = await anyio.to_thread.run_sync(Popen, [sys.executable, "-c", KILLED, str(home.root), registry.url])
    try:
        with anyio.fail_after(120):
            await reached.wait()
    finally:
        process.send_signal(signal.SIGKILL)
        await anyio.to_thread.run_sync(process.wait)
    registry.fault, before = None, registry.received
    await push(home, entry, registry)
    assert registry.received - before < entry.blob.size - before + (16 << 20)
    assert files.hash_file(entry.blob.path) == entry.blob.digest
