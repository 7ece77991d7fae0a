"""Pulls from registries of Ollama's kind, over sockets."""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import sys
from pathlib import Path
from subprocess import Popen
from typing import Any

import anyio
import pytest
from aiohttp import web

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.entry import CatalogueEntry
from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.metadata.reader import MetadataReader
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.find import find_source
from mlxr.actors.registry.sources.ollama_registry import RegistrySource
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.actors.registry.sources.shared_pulls import SharedPulls
from mlxr.actors.registry.tool_stores.importing import ToolStores
from mlxr.runtime.errors import ModelNotFound, PullError
from mlxr.runtime.paths import Home
from tests.actors.registry.ollama.registry_server import Registry, registry_server
from tests.actors.registry.packages import files_under, tiny_gguf, unheard
from tests.actors.registry.sources.web import HASTY, cut, file_server, only, status
from tests.actors.registry.test_adapters import tiny_adapter
from tests.actors.registry.tool_stores.stores import ollama_model, placed

LAYERS = [
    ("system", b"Be brief."),
    ("params", b'{"temperature": 0.5, "stop": ["<end>"]}'),
    ("license", b"MIT"),
    ("messages", b'[{"role": "user", "content": "Hi"}]'),
]


async def pull(home: Home, registry: Registry, name: str, report: Any = unheard) -> CatalogueEntry:
    return await pull_model(home, name, report, limits=HASTY, registry=RegistryAt(registry.url))


def large(tmp_path: Path, megabytes: int = 3) -> bytes:
    """A model that is followed by what makes it take a while."""
    return tiny_gguf(tmp_path / "large.gguf") + bytes(megabytes << 20)


@pytest.mark.parametrize(
    ("typed", "name"),
    [("tiny", "library/tiny:latest"), ("tiny:1b", "library/tiny:1b"), ("me/mine:v1", "me/mine:v1")],
)
async def test_a_model_comes_by_the_name_that_people_type(home: Home, model: bytes, typed: str, name: str) -> None:
    async with registry_server() as registry:
        registry.add(name, model, LAYERS)
        entry = await pull(home, registry, typed)
    assert (entry.name, entry.blob.path.read_bytes()) == (typed, model)
    laid = entry.overrides
    assert (laid.system, laid.license, laid.options["temperature"]) == ("Be brief.", "MIT", 0.5)
    assert laid.messages == [{"role": "user", "content": "Hi"}]


async def test_a_host_in_the_name_is_where_it_is_asked_for(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        registry.add("me/mine:v1", model)
        spelled = f"http://{registry.host}/me/mine:v1"
        entry = await pull_model(home, spelled, unheard, limits=HASTY)
        assert (entry.name, entry.source) == (f"{registry.host}/me/mine:v1", spelled)
        allowed = RegistryAt(insecure=True)
        again = await pull_model(home, f"{registry.host}/me/mine:v1", unheard, limits=HASTY, registry=allowed)
        assert again.blob == entry.blob


def test_addresses_of_files_and_of_models_are_told_apart() -> None:
    assert isinstance(find_source("http://127.0.0.1:5000/me/mine:v1"), RegistrySource)
    assert not isinstance(find_source("http://127.0.0.1:5000/me/mine.gguf"), RegistrySource)
    assert not isinstance(find_source("https://example.com/me/mine"), RegistrySource)


async def test_progress_is_told_in_ollamas_words(home: Home, model: bytes) -> None:
    heard: list[Progress] = []
    async with registry_server() as registry:
        registry.add("library/tiny:1b", model, [("projector", b"x")])
        entry = await pull(home, registry, "tiny:1b", heard.append)
    said = [progress.status for progress in heard]
    assert (said[0], said[-1]) == ("pulling manifest", "writing manifest")
    assert "verifying sha256 digest" in said
    assert "leaving out a projector, which reads images or sound" in said
    last = next(progress for progress in reversed(heard) if progress.total)
    assert (last.digest, last.completed) == (f"sha256:{entry.blob.digest}", len(model))


async def test_adapters_come_with_the_model(home: Home, model: bytes, tmp_path: Path) -> None:
    adapter = tiny_adapter(tmp_path / "adapter.gguf")
    async with registry_server() as registry:
        registry.add("library/tiny:1b", model, [("adapter", adapter)])
        entry = await pull(home, registry, "tiny:1b")
    (applied,) = entry.adapters
    assert files.hash_file(Path(applied.path)) == hashlib.sha256(adapter).hexdigest()
    assert applied.path.startswith(f"{home.models}/")


async def test_a_token_is_got_where_the_registry_asks_for_one(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        registry.realm = ""
        registry.add("me/mine:v1", model, LAYERS)
        await pull(home, registry, "me/mine:v1")
        assert registry.scopes == [["repository:me/mine:pull"]]


async def test_a_token_that_runs_out_in_the_middle_is_got_anew(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlxr.actors.registry.ollama.access._FRESH_SECONDS", 0.0)
    async with registry_server() as registry:
        registry.realm = ""
        data = large(tmp_path)
        registry.add("me/mine:v1", data)

        async def expire(request: web.Request, number: int) -> web.StreamResponse | None:
            if number == 4:
                registry.tokens.clear()
            return None

        registry.fault = expire
        entry = await pull(home, registry, "me/mine:v1")
        assert entry.blob.size == len(data)
        assert len(registry.scopes) > 1


async def test_a_realm_at_another_host_is_refused_and_not_asked(home: Home, model: bytes) -> None:
    async with registry_server() as registry, file_server() as other:
        registry.realm = f"{other.url}/token"
        registry.add("me/mine:v1", model)
        with pytest.raises(PullError, match="none but the registry's own host"):
            await pull(home, registry, "me/mine:v1")
        assert other.asked == []
    assert files_under(home.models) == []


async def test_a_login_that_docker_noted_is_used_for_the_token(
    home: Home, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with registry_server() as registry:
        registry.realm = ""
        registry.login = "me:secret"
        registry.add("me/mine:v1", model)
        with pytest.raises(PullError, match="docker login"):
            await pull(home, registry, "me/mine:v1")
        auths = {registry.host: {"auth": "bWU6c2VjcmV0"}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
        assert (await pull(home, registry, "me/mine:v1")).name == "me/mine:v1"


async def test_what_proves_who_asks_does_not_go_to_where_blobs_are_sent_from(home: Home, model: bytes) -> None:
    async with registry_server() as registry, file_server() as elsewhere:
        registry.realm = ""
        registry.elsewhere = elsewhere.url
        registry.add("me/mine:v1", model, LAYERS)
        elsewhere.files = {f"/{digest}": data for digest, data in registry.blobs.items()}
        assert (await pull(home, registry, "me/mine:v1")).blob.size == len(model)
        assert elsewhere.asked
        assert not [headers for headers in elsewhere.headers if "Authorization" in headers]
        assert [headers for headers in registry.headers if "Authorization" in headers]


async def test_a_login_does_not_go_to_where_tokens_are_sent_on_to(
    home: Home, model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with registry_server() as registry, file_server() as elsewhere:
        registry.realm = ""
        registry.add("me/mine:v1", model)
        elsewhere.files = {"/token": b'{"token":"theirs"}'}
        auths = {registry.host: {"auth": "bWU6c2VjcmV0"}}
        (tmp_path / "config.json").write_text(json.dumps({"auths": auths}))
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

        async def send_on(request: web.Request, number: int) -> web.StreamResponse | None:
            there = {"Location": f"{elsewhere.url}/token"}
            return web.Response(status=307, headers=there) if request.path == "/token" else None

        registry.fault = send_on
        with pytest.raises(PullError, match="for a token"):
            await pull(home, registry, "me/mine:v1")
        assert [headers for headers in registry.headers if "Authorization" in headers]
        assert not [headers for headers in elsewhere.headers if "Authorization" in headers]


async def test_a_token_that_comes_in_pieces_is_a_token(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        registry.realm = ""
        registry.add("me/mine:v1", model)

        async def in_pieces(request: web.Request, number: int) -> web.StreamResponse | None:
            if request.path != "/token":
                return None
            registry.tokens["abc"] = "pull"
            response = web.StreamResponse()
            await response.prepare(request)
            for piece in (b'{"tok', b'en":"abc"}'):
                await response.write(piece)
                await asyncio.sleep(0.1)
            return response

        registry.fault = in_pieces
        assert (await pull(home, registry, "me/mine:v1")).blob.size == len(model)


async def test_a_manifest_that_is_cut_is_asked_for_again(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        registry.add("me/mine:v1", model)

        async def cut_short(request: web.Request, number: int) -> web.StreamResponse | None:
            response = web.StreamResponse(headers={"Content-Length": "500"})
            await response.prepare(request)
            await response.write(b"{")
            await asyncio.sleep(0.1)
            cut(request)
            return response

        registry.fault = only({0}, cut_short)
        assert (await pull(home, registry, "me/mine:v1")).blob.size == len(model)


@pytest.mark.parametrize("location", ["http://h:99999999/", f"http://{'a' * 70}/"])
async def test_a_redirect_to_no_host_is_named(home: Home, location: str) -> None:
    async with registry_server() as registry:

        async def send_on(request: web.Request, number: int) -> web.StreamResponse | None:
            return web.Response(status=302, headers={"Location": location})

        registry.fault = send_on
        assert "is no address of the web" in await refused(registry, home)


async def refused(registry: Registry, home: Home, name: str = "tiny:1b") -> str:
    """What a pull that can't succeed says; nothing of it is left."""
    with pytest.raises((PullError, ModelNotFound)) as caught:
        await pull(home, registry, name)
    assert "\n" not in str(caught.value)
    assert [path for path in files_under(home.models) if "resumable" not in path.parts] == []
    return str(caught.value)


async def test_a_model_that_is_not_there_is_said_to_be_misspelled(home: Home) -> None:
    async with registry_server() as registry:
        assert "there is no model 'tiny:1b'" in await refused(registry, home)


async def test_a_password_in_the_registrys_address_is_not_told(home: Home) -> None:
    async with registry_server() as registry:
        at = RegistryAt(registry.url.replace("://", "://me:secret@"))
        with pytest.raises(ModelNotFound, match="there is no model") as caught:
            await pull_model(home, "tiny:1b", unheard, limits=HASTY, registry=at)
        assert registry.host in str(caught.value)
        assert "secret" not in str(caught.value)


async def test_a_refusal_for_ever_ends_after_one_token(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        registry.realm, registry.forever = "", True
        registry.add("library/tiny:1b", model)
        assert "private or not there" in await refused(registry, home)
        assert len(registry.scopes) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>Sign in</html>", "a web page"),
        (b"{}", "lists no layers"),
        (b'{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json"}', "list.v2"),
        (b'{"schemaVersion":1}', "version 1"),
        (b'{"schemaVersion":2,"x":' + b"[" * 100_000, "nested too deep"),
        (b"x" * (9 << 20), "more than 8 MiB"),
    ],
)
async def test_what_is_no_manifest_is_named_as_such(home: Home, body: bytes, said: str) -> None:
    async with registry_server() as registry:
        registry.manifests["library/tiny:1b"] = body
        assert said in await refused(registry, home)


async def test_a_token_service_that_answers_html_is_named(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        registry.realm = ""
        registry.add("library/tiny:1b", model)

        async def page(request: web.Request, number: int) -> web.StreamResponse | None:
            return web.Response(text="<html>") if request.path == "/token" else None

        registry.fault = page
        assert "asks for a token and gives none" in await refused(registry, home)


async def test_a_blob_that_is_missing_is_the_registrys_fault(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        manifest = registry.add("library/tiny:1b", model, LAYERS)
        for layer in manifest["layers"][:2]:
            data = registry.blobs.pop(layer["digest"])
            assert "does not have it" in await refused(registry, home)
            registry.blobs[layer["digest"]] = data


async def test_other_bytes_than_were_announced_are_not_kept(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        manifest = registry.add("library/tiny:1b", model, LAYERS)
        for layer in manifest["layers"][:2]:
            data = registry.blobs[layer["digest"]]
            registry.blobs[layer["digest"]] = bytes(len(data))
            with pytest.raises(files.DigestMismatch):
                await pull(home, registry, "tiny:1b")
            registry.blobs[layer["digest"]] = data
        assert files_under(home.models) == []
        assert (await pull(home, registry, "tiny:1b")).blob.size == len(model)


async def test_a_registry_that_is_asked_too_often_is_asked_again(home: Home, model: bytes) -> None:
    async with registry_server() as registry:
        registry.add("library/tiny:1b", model, LAYERS)
        registry.fault = only({0, 3, 5}, status(429, Retry_After="0"))
        assert (await pull(home, registry, "tiny:1b")).blob.size == len(model)


async def test_ranges_that_are_not_heeded_and_cut_connections_do_no_harm(home: Home, tmp_path: Path) -> None:
    data = large(tmp_path)
    async with registry_server() as registry:
        registry.add("library/tiny:1b", data)

        async def cut_once(request: web.Request, number: int) -> web.StreamResponse | None:
            return await registry.send(request, data, 1 << 20) if number == 2 else None

        registry.fault = cut_once
        assert (await pull(home, registry, "tiny:1b")).blob.size == len(data)
    async with registry_server() as registry:
        registry.ranges = False
        registry.add("library/tiny:2b", data + b"x")
        assert (await pull(home, registry, "tiny:2b")).blob.size == len(data) + 1


async def test_a_pull_that_is_cut_short_goes_on_where_it_was(home: Home, tmp_path: Path) -> None:
    data = large(tmp_path, 40)
    async with registry_server() as registry:
        registry.add("library/tiny:1b", data)

        async def gone(request: web.Request) -> None:
            if registry.sent > 20 << 20:
                cut(request)
                raise ConnectionResetError

        registry.before = gone
        with pytest.raises(PullError, match="goes on from what is there"):
            await pull(home, registry, "tiny:1b")
        registry.before, before = None, registry.sent
        await pull(home, registry, "tiny:1b")
        assert registry.sent - before < len(data) - (20 << 20) + (16 << 20)


async def test_a_full_disk_is_said_before_anything_is_fetched(
    home: Home, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 10_000

    async with registry_server() as registry:
        manifest = registry.add("library/tiny:1b", model)
        monkeypatch.setattr("shutil.disk_usage", lambda path: Usage)
        with pytest.raises(files.OutOfSpace, match="needed"):
            await pull(home, registry, "tiny:1b")
        assert not [path for path, _ in registry.asked if path.endswith(manifest["layers"][0]["digest"])]


async def test_pulls_of_one_model_at_once_are_one_pull(home: Home, model: bytes) -> None:
    async with registry_server() as registry, anyio.create_task_group() as tasks:
        registry.add("library/tiny:1b", model)
        shared = SharedPulls(lambda name, report: pull(home, registry, name, report), tasks.start_soon)
        async with anyio.create_task_group() as both:
            for name in ("tiny:1b", "TINY:1b"):
                both.start_soon(shared.pull, name, lambda progress: None)
        assert len([path for path, _ in registry.asked if "/manifests/" in path]) == 1


async def test_a_new_template_costs_no_gigabytes(home: Home, tmp_path: Path) -> None:
    data = large(tmp_path)
    async with registry_server() as registry:
        registry.add("library/tiny:1b", data, [("system", b"one")])
        await pull(home, registry, "tiny:1b")
        sent = registry.sent
        registry.add("library/tiny:1b", data, [("system", b"two")])
        assert (await pull(home, registry, "tiny:1b")).overrides.system == "two"
        assert registry.sent - sent < 1 << 20


async def test_what_ollama_has_here_is_not_fetched_again(home: Home, tmp_path: Path) -> None:
    data = large(tmp_path)
    ollama_model(tmp_path / "ollama", model=data)
    store = await Store.open(home)
    stores = ToolStores(store, MetadataReader(), lambda: placed(ollama=tmp_path / "ollama"))
    await stores.import_models([], "ollama", unheard)
    await store.close()
    async with registry_server() as registry:
        registry.add("library/tiny:1b", data, LAYERS)
        entry = await pull(home, registry, "tiny:1b")
        assert (entry.blob.tool, entry.overrides.system) == ("ollama", "Be brief.")
        entry.blob.path.unlink()
        entry = await pull(home, registry, "tiny:1b")
        assert (entry.blob.tool, entry.blob.path.is_relative_to(home.models)) == ("", True)


async def test_a_template_that_cannot_be_used_is_left_out_and_said(home: Home, model: bytes) -> None:
    heard: list[Progress] = []
    async with registry_server() as registry:
        registry.add("library/tiny:1b", model, [("template", b"{{ if")])
        entry = await pull(home, registry, "tiny:1b", heard.append)
    assert entry.overrides.template == ""
    assert any(progress.status.startswith("leaving out the chat template") for progress in heard)


@pytest.mark.parametrize("name", ["a//b", "../../x", "a:b:c", "x" * 5000, "a\nb", "http://", "http:///a/b:c", "é/x:y"])
async def test_absurd_names_are_refused_in_a_line(home: Home, name: str) -> None:
    with pytest.raises((ModelNotFound, PullError)) as caught:
        await pull_model(home, name, unheard, limits=HASTY)
    assert "\n" not in str(caught.value)
    assert files_under(home.models) == []


KILLED = """
import sys, anyio
from pathlib import Path
from mlxr.actors.registry.ollama.address import RegistryAt
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.runtime.paths import Home
anyio.run(lambda: pull_model(Home(Path(sys.argv[1])), "tiny:1b", lambda p: None, registry=RegistryAt(sys.argv[2])))
"""


async def test_a_process_that_is_killed_loses_less_than_16_mb(home: Home, tmp_path: Path) -> None:
    data = large(tmp_path, 60)
    async with registry_server() as registry:
        registry.add("library/tiny:1b", data)
        reached = anyio.Event()

        async def watch(request: web.Request) -> None:
            if registry.sent > 40 << 20:
                reached.set()
                await anyio.sleep(30)

        registry.before = watch
        process = await anyio.to_thread.run_sync(Popen, [sys.executable, "-c", KILLED, str(home.root), registry.url])
        try:
            with anyio.fail_after(120):
                await reached.wait()
                await anyio.sleep(1.0)
        finally:
            process.send_signal(signal.SIGKILL)
            await anyio.to_thread.run_sync(process.wait)
        registry.before, before = None, registry.sent
        await pull(home, registry, "tiny:1b")
        assert registry.sent - before < len(data) - before + (16 << 20)


async def test_a_header_is_read_without_the_rest(tmp_path: Path) -> None:
    data = large(tmp_path)
    async with registry_server() as registry:
        registry.add("library/tiny:1b", data, LAYERS)
        source = find_source("tiny:1b", RegistryAt(registry.url))
        async with source.remote(HASTY) as remote:
            assert remote is not None
            assert await remote.files[0].read(0, 4) == b"GGUF"
            assert remote.size == len(data)
        assert registry.sent < 1 << 20
