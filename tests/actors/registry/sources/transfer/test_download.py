from __future__ import annotations

import asyncio
import hashlib
import json
import random
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.catalogue.files import DigestMismatch, OutOfSpace
from mlxr.actors.registry.progress import Progress
from mlxr.actors.registry.sources.transfer import segments
from mlxr.actors.registry.sources.transfer.download import download_model, listing_digest
from mlxr.actors.registry.sources.transfer.http_client import HttpClient
from mlxr.actors.registry.sources.transfer.http_file import HttpFile
from mlxr.actors.registry.sources.transfer.limits import KIB, TransferLimits
from mlxr.actors.registry.sources.transfer.remote_file import LocalFile, RemoteModel
from mlxr.runtime.errors import ModelNotFound, PullError
from tests.actors.registry.packages import files_under, unheard
from tests.actors.registry.sources.web import HASTY, Web, cut, file_server, hang, only, serving, status

CONTENT = random.Random(1).randbytes(1_000_003)
LIMITS = replace(HASTY, checkpoint=64 * KIB, unsaved=128 * KIB, piece=16 * KIB)


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of a megabyte has the segments of a large one."""
    monkeypatch.setattr(segments, "SMALLEST", 100_000)
    monkeypatch.setattr(segments, "MIB", 1)


@pytest.fixture
async def server() -> AsyncIterator[Web]:
    async with file_server({"/x.gguf": CONTENT}) as server:
        yield server


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging"


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


async def fetch(
    server: Web, staging: Path, limits: TransferLimits = LIMITS, digest: str = sha256(CONTENT), report: object = unheard
) -> Path:
    async with HttpClient.open(limits) as client:
        file = HttpFile(client, f"{server.url}/x.gguf", "x.gguf", len(CONTENT), "one", digest)
        path, digests = await download_model(RemoteModel((file,), "x", limits=limits), staging, report)  # type: ignore[arg-type]
    assert digests == {"x.gguf": sha256(CONTENT).removeprefix("sha256:")}
    assert path.read_bytes() == CONTENT
    return path


async def test_a_file_comes_over_several_connections_each_byte_once(server: Web, staging: Path) -> None:
    await fetch(server, staging)
    assert server.sent == len(CONTENT)
    assert len({asked for _, asked in server.asked}) == 11
    assert files_under(staging) == ["model"]


async def test_progress_ends_at_the_whole_and_names_the_digest(server: Web, staging: Path) -> None:
    heard = list[Progress]()
    await fetch(server, staging, report=heard.append)
    counts = [progress.completed for progress in heard if progress.total]
    assert counts == sorted(counts)
    assert counts[-1] == len(CONTENT)
    assert {progress.digest for progress in heard if progress.total} == {sha256(CONTENT)}
    assert heard[-1].status == "verifying sha256 digest"


async def test_a_cut_connection_is_gone_on_with_where_it_was_cut(server: Web, staging: Path) -> None:
    server.piece = 10_000

    async def cut_short(request: web.Request, number: int) -> web.StreamResponse | None:
        return await server.send(request, CONTENT, most=70_000) if number < 8 else None

    server.fault = cut_short
    await fetch(server, staging)
    # What was on its way when a connection was reset may be lost.
    assert server.sent < len(CONTENT) + 8 * 70_000


async def test_a_server_that_always_cuts_is_given_up_and_what_came_is_kept(server: Web, staging: Path) -> None:
    async def cut_at_once(request: web.Request, number: int) -> web.StreamResponse | None:
        cut(request)
        return web.Response()

    sends = server.fault
    server.fault = only(set(range(3, 1000)), cut_at_once)
    with pytest.raises(PullError, match=r"can't fetch x\.gguf: 127\.0\.0\.1 cut the connection; pull again, which"):
        await fetch(server, staging)
    came, server.sent, server.fault = server.sent, 0, sends
    assert came > 0
    await fetch(server, staging)
    assert server.sent < len(CONTENT)


async def test_other_bytes_than_were_announced_are_refused_and_not_kept(server: Web, staging: Path) -> None:
    with pytest.raises(DigestMismatch, match=r"x\.gguf came with SHA-256 [0-9a-f]{64}, but should have a{64}"):
        await fetch(server, staging, digest="sha256:" + "a" * 64)
    assert files_under(staging) == []


async def test_a_small_file_of_git_is_checked_by_its_name_there(server: Web, staging: Path) -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    await fetch(server, staging, digest=f"git:{blob}")
    with pytest.raises(DigestMismatch, match="git's SHA-1"):
        await fetch(server, staging, digest=f"git:{blob[::-1]}")


async def test_a_server_that_is_asked_too_often_is_waited_for(server: Web, staging: Path) -> None:
    server.fault = only({0, 1, 2, 3}, status(429, Retry_After="0"))
    await fetch(server, staging)


async def test_a_wait_that_a_user_notices_is_said(server: Web, staging: Path) -> None:
    heard = list[str]()
    server.fault = only({0}, status(429, Retry_After="2"))
    limits = replace(LIMITS, connections=1)
    await fetch(server, staging, limits, report=lambda progress: heard.append(progress.status))
    assert any(said.endswith("asked too often; trying again in 2 s") for said in heard)


async def test_a_server_in_trouble_is_asked_again_and_then_named(server: Web, staging: Path) -> None:
    server.fault = only({0, 1, 4}, status(503))
    await fetch(server, staging)
    server.fault = status(502)
    with pytest.raises(PullError, match=r"can't fetch x\.gguf: 127\.0\.0\.1 answers 502 Bad Gateway"):
        await fetch(server, staging)


@pytest.mark.parametrize(
    ("code", "error", "says"),
    [
        (404, ModelNotFound, "there is nothing at http"),
        (403, PullError, "need a login"),
        (405, PullError, "405 Method"),
    ],
)
async def test_a_refusal_is_not_tried_again(
    server: Web, staging: Path, code: int, error: type[Exception], says: str
) -> None:
    server.fault = status(code)
    with pytest.raises(error, match=says):
        await fetch(server, staging, replace(LIMITS, connections=1))
    assert len(server.asked) == 1


async def test_a_server_without_ranges_gives_the_file_in_one(server: Web, staging: Path) -> None:
    server.ranges = False
    await fetch(server, staging)
    await fetch(server, staging)


async def test_without_ranges_a_cut_connection_begins_again(server: Web, staging: Path) -> None:
    server.ranges = False

    async def cut_short(request: web.Request, number: int) -> web.StreamResponse | None:
        return await server.send(request, CONTENT, most=600_000) if number < 6 else None

    server.fault = cut_short
    await fetch(server, staging)


async def test_a_connection_that_says_nothing_is_given_up_for_another(server: Web, staging: Path) -> None:
    hung = list[str]()

    async def stall(request: web.Request) -> None:
        if not hung:
            hung.append(request.path)
            await hang(request)

    server.before = stall
    await fetch(server, staging)
    assert hung


async def test_a_slow_connection_is_replaced_by_another(server: Web, staging: Path) -> None:
    slow = list[web.Request]()
    server.piece = 1000

    async def crawl(request: web.Request) -> None:
        if not slow:
            slow.append(request)
        if request is slow[0]:
            await asyncio.sleep(0.2)

    server.before = crawl
    limits = replace(LIMITS, slow_seconds=0.4, stall_seconds=30)
    await fetch(server, staging, limits)
    assert len(server.asked) > 11  # one for each segment, and one that goes on with the slow one's


async def test_a_file_that_changes_meanwhile_is_not_put_together_of_two(server: Web, staging: Path) -> None:
    async def change(request: web.Request, number: int) -> web.StreamResponse | None:
        if number == 5:
            server.etags["/x.gguf"] = "another"
        return None

    server.fault = change
    with pytest.raises(PullError, match=r"x\.gguf changed while it was fetched \(its etag is another one\); pull"):
        await fetch(server, staging)
    assert files_under(staging) == []


@pytest.mark.parametrize("difference", [-1, 1])
async def test_a_file_of_another_length_than_was_said_is_refused(server: Web, staging: Path, difference: int) -> None:
    server.files["/x.gguf"] = CONTENT[:-1] if difference < 0 else CONTENT + b"x"
    with pytest.raises(PullError, match=rf"it has {len(CONTENT) + difference} bytes now, after {len(CONTENT)}"):
        await fetch(server, staging)
    assert files_under(staging) == []


async def test_more_bytes_than_were_asked_for_are_an_error(server: Web, staging: Path) -> None:
    async def more(request: web.Request, number: int) -> web.StreamResponse | None:
        headers = {"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}
        return web.Response(status=206, body=CONTENT, headers=headers)

    server.fault = only({0}, more)
    with pytest.raises(PullError, match=r"127\.0\.0\.1 sends more of x\.gguf than it has said"):
        await fetch(server, staging, replace(LIMITS, connections=1))


async def test_other_bytes_of_a_file_than_were_asked_for_are_an_error(server: Web, staging: Path) -> None:
    async def other(request: web.Request, number: int) -> web.StreamResponse | None:
        headers = {"Content-Range": f"bytes 5-9/{len(CONTENT)}"}
        return web.Response(status=206, body=CONTENT[5:10], headers=headers)

    server.fault = other
    with pytest.raises(PullError, match=r"answers with other bytes of x\.gguf than it was asked for"):
        await fetch(server, staging)


async def test_a_range_that_comes_short_is_asked_for_again(server: Web, staging: Path) -> None:
    async def short(request: web.Request, number: int) -> web.StreamResponse | None:
        headers = {"Content-Range": f"bytes 0-4999/{len(CONTENT)}"}
        return web.Response(status=206, body=CONTENT[:5000], headers=headers)

    server.fault = only({0}, short)
    await fetch(server, staging, replace(LIMITS, connections=1))


async def test_redirects_without_an_end_are_an_error(server: Web, staging: Path) -> None:
    server.fault = status(302, Location="/x.gguf")
    with pytest.raises(PullError, match="sends from one address to the next without an end"):
        await fetch(server, staging)


@pytest.mark.parametrize("to", ["file:///etc/passwd", "ftp://host/x", "data:,x"])
async def test_a_redirect_to_what_is_not_the_web_is_an_error(server: Web, staging: Path, to: str) -> None:
    server.fault = status(302, Location=to)
    with pytest.raises(PullError, match="which is no address of the web"):
        await fetch(server, staging)


async def test_what_a_redirect_led_to_is_asked_again_at_the_origin_when_it_is_stale(server: Web, staging: Path) -> None:
    """As of a CDN's addresses that are signed for some minutes."""
    signatures = list[str]()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/x.gguf":
            signatures.append(f"s{len(signatures)}%2F+")
            return web.Response(status=302, headers={"Location": f"/cdn?signature={signatures[-1]}"})
        if not request.raw_path.endswith(f"={signatures[-1]}") or (server.asked and len(server.asked) == 5):
            server.asked.append(("stale", ""))
            return web.Response(status=403)
        server.asked.append((request.raw_path, ""))
        return await server.send(request, CONTENT)

    async with serving(answer) as url:
        server.url = url
        await fetch(server, staging, replace(LIMITS, connections=1))
    assert len(signatures) == 2
    assert ("stale", "") in server.asked


async def test_a_pull_goes_on_where_a_cancelled_one_stopped(server: Web, staging: Path) -> None:
    async def stop(request: web.Request) -> None:
        if server.sent > len(CONTENT) // 2:
            tasks.cancel_scope.cancel()

    server.before = stop
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch, server, staging)
    assert all(path.startswith("resumable/") for path in files_under(staging))
    server.before, server.sent = None, 0
    await fetch(server, staging)
    assert server.sent < len(CONTENT) * 3 // 4


async def test_a_file_that_is_checked_is_not_fetched_again(server: Web, staging: Path) -> None:
    """Of a model of several files, where a later one failed."""
    server.files["/y.gguf"] = b"y"
    async with HttpClient.open(LIMITS) as client:
        first = HttpFile(client, f"{server.url}/x.gguf", "x.gguf", len(CONTENT), "one", sha256(CONTENT))
        second = HttpFile(client, f"{server.url}/none", "y.gguf", 1, "two")
        with pytest.raises(ModelNotFound):
            await download_model(RemoteModel((first, second), "x", folder=True, limits=LIMITS), staging, unheard)
        server.sent = 0
        second = HttpFile(client, f"{server.url}/y.gguf", "y.gguf", 1, "two")
        path, digests = await download_model(
            RemoteModel((first, second), "x", folder=True, limits=LIMITS), staging, unheard
        )
    assert server.sent == 1
    assert files_under(staging) == ["folder/x.gguf", "folder/y.gguf"]
    assert listing_digest(digests) == files.hash_folder(path)


async def test_what_came_of_another_version_is_not_gone_on_with(server: Web, staging: Path) -> None:
    folder = staging / "resumable"
    folder.mkdir()
    (folder / "old").write_bytes(b"x")
    (folder / "old.json").write_text(json.dumps({"of": "zero", "size": 1, "have": [1]}))
    await fetch(server, staging)
    assert files_under(staging) == ["model"]


async def test_a_note_without_its_bytes_counts_for_nothing(server: Web, staging: Path) -> None:
    async def stop(request: web.Request) -> None:
        if server.sent > len(CONTENT) // 2:
            tasks.cancel_scope.cancel()

    server.before = stop
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fetch, server, staging)
    (data,) = [path for path in (staging / "resumable").iterdir() if not path.suffix]
    data.write_bytes(b"cut")
    server.before = None
    await fetch(server, staging)


async def test_no_room_is_found_out_before_a_byte_is_asked_for(
    server: Web, staging: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage
    monkeypatch.setattr("shutil.disk_usage", lambda path: real(path)._replace(free=1_000_000))
    with pytest.raises(OutOfSpace, match=r"no space left in .*staging: 34\.6 MB needed, 1\.0 MB free; make room"):
        await fetch(server, staging)
    assert server.asked == []


async def test_an_empty_file_is_whole_at_once(server: Web, staging: Path) -> None:
    async with HttpClient.open(LIMITS) as client:
        file = HttpFile(client, f"{server.url}/none", "empty", 0, "e", sha256(b""))
        path, _ = await download_model(RemoteModel((file,), "x", limits=LIMITS), staging, unheard)
    assert path.read_bytes() == b""


async def test_a_local_file_is_fetched_by_the_same_path(tmp_path: Path, staging: Path) -> None:
    (tmp_path / "x").write_bytes(CONTENT)
    file = LocalFile.of("x.gguf", tmp_path / "x", sha256(CONTENT))
    path, _ = await download_model(RemoteModel((file,), "x", limits=LIMITS), staging, unheard)
    assert path.read_bytes() == CONTENT
    assert await file.read(len(CONTENT) - 3, 10) == CONTENT[-3:]
