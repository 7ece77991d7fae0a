"""Pulls over the network, as the registry's clients see them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import msgspec
import pytest
from aiohttp import web

from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.registry import CancelCommand, CreateModel, EstimateModel, LoadModel, PullModel
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_gguf
from tests.actors.registry.rig import Rig
from tests.actors.registry.sources.huggingface.fake_hub import sha256
from tests.actors.registry.sources.web import Web, file_server


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Web]:
    async with file_server({"/new.gguf": tiny_gguf(tmp_path / "new.gguf", "new") + bytes(3_000_000)}) as server:
        yield server


async def test_clients_hear_status_digest_total_and_completed(rig: Rig, server: Web) -> None:
    url, content = f"{server.url}/new.gguf#sha256={sha256(server.files['/new.gguf'])}", server.files["/new.gguf"]
    number = rig.send(PullModel, url)
    assert (await rig.outcome(number)).error is None
    replies = rig.replies[number]
    statuses = [reply.status for reply in replies]
    counted = [reply for reply in replies if reply.total]
    assert statuses[0] == "pulling manifest"
    assert statuses[-3:] == ["verifying sha256 digest", "writing manifest", "success"]
    assert {reply.status for reply in counted} == {f"pulling {sha256(content)[:12]}"}
    assert {(reply.digest, reply.total) for reply in counted} == {(f"sha256:{sha256(content)}", len(content))}
    assert counted[-1].completed == len(content)
    assert "new" in rig.models()


async def test_clients_that_want_the_same_share_a_pull_which_the_last_to_leave_ends(
    rig: Rig, server: Web, home: Home
) -> None:
    halfway = anyio.Event()

    async def hold(request: web.Request) -> None:
        if server.sent > 1_000_000:
            halfway.set()
            await asyncio.sleep(0.05)

    server.before = hold
    numbers = [rig.send(PullModel, f"{server.url}/new.gguf") for _ in range(2)]
    await halfway.wait()
    for number in numbers:
        rig.tell(CancelCommand(number))
    # A pull that ended lets the next one have its place at once.
    server.before = None
    assert (await rig.ask(PullModel, f"{server.url}/new.gguf")).error is None
    assert not any(reply.last for number in numbers for reply in rig.replies[number])
    assert server.sent < 2 * 3_000_000
    assert not [path for path in files_under(home.models) if path.startswith("partial")]


async def test_clients_on_other_machines_do_not_have_hosts_of_this_network_asked(rig: Rig, server: Web) -> None:
    url = f"{server.url}/new.gguf"
    for command in ((PullModel, url), (CreateModel, "x", msgspec.json.encode({"from": url}))):
        error = (await rig.ask(*command, remote=True)).error
        assert error is not None
        assert (error.code, "is no host of the public Internet" in error.message) == (ErrorCode.PULL_FAILED, True)
    assert server.asked == []
    assert (await rig.ask(PullModel, url)).error is None
    # What is here already is theirs to use by any of its names.
    assert (await rig.ask(LoadModel, url, remote=True)).error is None


async def test_clients_on_other_machines_do_not_have_registries_of_this_network_asked(rig: Rig, server: Web) -> None:
    name = f"{server.url.removeprefix('http://')}/ns/model"
    for command in ((EstimateModel, name, 0, True), (PullModel, name, True), (CreateModel, "x", _from(name))):
        error = (await rig.ask(*command, remote=True)).error
        assert error is not None
        assert "is no host of the public Internet" in error.message
    assert server.asked == []
    error = (await rig.ask(EstimateModel, name, 0, True)).error
    assert error is not None
    assert server.asked


def _from(name: str) -> bytes:
    return msgspec.json.encode({"from": name})
