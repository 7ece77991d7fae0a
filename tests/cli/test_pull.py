"""``mlxr pull``, as processes, from servers that speak the real protocols."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import anyio
import pytest
from aiohttp import web
from anyio import to_thread

from tests.actors.registry.packages import files_under, tiny_bert, tiny_gguf
from tests.actors.registry.sources.huggingface.fake_hub import FakeHub, hub_server, sha256
from tests.actors.registry.sources.web import Web, file_server
from tests.cli.commands import COMMAND, environment

MEGABYTE = 1_000_000
README = (Path(__file__).parents[2] / "README.md").read_text()
LOST = 16 * MEGABYTE
"""Bytes that a pull which is killed may lose."""


@pytest.fixture
async def hub() -> AsyncIterator[FakeHub]:
    async with hub_server() as hub:
        yield hub


@pytest.fixture
async def server() -> AsyncIterator[Web]:
    async with file_server() as server:
        yield server


@pytest.fixture
def model(tmp_path: Path) -> bytes:
    return tiny_gguf(tmp_path / "source.gguf")


def variables(tmp_path: Path, hub: FakeHub | None = None, **more: str) -> dict[str, str]:
    """The environment of a user with a home of their own, who is not logged in at the Hub."""
    given = environment(tmp_path / "home", HF_HOME=str(tmp_path / "hf"), HF_ENDPOINT=hub.url if hub else "", **more)
    if hub is None:
        del given["HF_ENDPOINT"]
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"):
        if name not in more:
            given.pop(name, None)
    return given


async def mlxr(given: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """``mlxr ARGUMENTS``, while the servers of the test serve."""
    with anyio.fail_after(180):
        return await anyio.run_process([str(COMMAND), *arguments], env=given, check=False)


async def test_a_model_of_the_hub_is_pulled_and_told_in_one_line(hub: FakeHub, tmp_path: Path, model: bytes) -> None:
    hub.add("Org/Tiny-GGUF", {"Tiny-Q4_K_M.gguf": model, "Tiny-Q8_0.gguf": model})
    given = variables(tmp_path, hub)
    done = await mlxr(given, "pull", "hf.co/Org/Tiny-GGUF:q8_0")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().startswith(f"hf.co/Org/Tiny-GGUF:Q8_0  {sha256(model)[:12]}  ")
    again = await mlxr(given, "pull", "Org/Tiny-GGUF", "--json")
    entry = json.loads(again.stdout)
    assert (entry["name"], entry["digest"]) == ("hf.co/Org/Tiny-GGUF:Q4_K_M", sha256(model))
    shown = await mlxr(given, "show", "huggingface.co/org/tiny-gguf", "--json")
    assert json.loads(shown.stdout)["source"].startswith("hf.co/Org/Tiny-GGUF@")


async def test_a_folder_of_the_hub_and_a_file_at_an_address_are_pulled(
    hub: FakeHub, server: Web, tmp_path: Path, model: bytes
) -> None:
    hub.add("Org/Bert", tiny_bert())
    server.files["/some.gguf"] = model
    given = variables(tmp_path, hub)
    assert (await mlxr(given, "pull", "hf:Org/Bert")).stdout.startswith(b"hf.co/Org/Bert  ")
    assert (await mlxr(given, "pull", f"{server.url}/some.gguf")).stdout.startswith(b"some  ")
    listed = json.loads((await mlxr(given, "ls", "--json")).stdout)
    assert [entry["name"] for entry in listed] == ["some", "hf.co/Org/Bert"]


async def test_what_goes_wrong_is_one_line_with_the_way_out(hub: FakeHub, tmp_path: Path, model: bytes) -> None:
    hub.add("Org/Gated", {"x-Q4_K_M.gguf": model}, gated=True)
    hub.add("Org/Old", {"config.json": b"{}", "pytorch_model.bin": b"PK"})
    hub.add("Org/Tiny", {"x-Q4_K_M.gguf": model, "x-Q8_0.gguf": model})
    given = variables(tmp_path, hub)
    for name, said in (
        ("hf.co/Org/Gated", "hf.co/Org/Gated is gated"),
        ("hf.co/Org/Old", "pytorch_model.bin is a pickle"),
        ("hf.co/Org/Tiny:Q3_K_M", "it has Q4_K_M, Q8_0"),
        ("https://127.0.0.1:1/x.gguf", "can't connect to 127.0.0.1:1"),
        ("what is this", "hf.co/ORG/REPO:QUANTIZATION"),
    ):
        done = await mlxr(given, "pull", name)
        (line,) = done.stderr.decode().splitlines()
        assert done.returncode == 1
        assert done.stdout == b""
        assert line.startswith("mlxr: ")
        assert said in line
    assert files_under(tmp_path / "home" / "models") == []


async def test_the_readmes_lines_for_pulling_work_as_printed(
    hub: FakeHub, server: Web, tmp_path: Path, model: bytes
) -> None:
    """But those for packages, which tests of that source have."""
    section = README[README.index("## Models\n") : README.index("### Adapters\n")]
    lines = re.findall(r"^mlxr (pull (?:hf\.co|https:|~/)\S+)", section, re.M)
    assert len(lines) == 3
    hub.add("bartowski/Qwen2.5-7B-Instruct-GGUF", {"Qwen2.5-7B-Instruct-Q4_K_M.gguf": model})
    server.files["/models/some.gguf"] = model
    (tmp_path / "user" / "models").mkdir(parents=True)
    (tmp_path / "user" / "models" / "some.gguf").write_bytes(model)
    given = variables(tmp_path, hub, HOME=str(tmp_path / "user"))
    for line in lines:
        # There is no such host: the test's own server has what the line asks for.
        done = await mlxr(given, *line.replace("https://example.org", server.url).split())
        assert (done.returncode, done.stderr) == (0, b""), line
    listed = json.loads((await mlxr(given, "ls", "--json")).stdout)
    assert [entry["name"] for entry in listed] == ["some", "hf.co/bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M"]


async def begin(given: dict[str, str], name: str) -> asyncio.subprocess.Process:
    """``mlxr pull NAME``, which Control-C reaches."""
    return await asyncio.create_subprocess_exec(
        str(COMMAND),
        "pull",
        name,
        env=given,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


async def sent(server: Web, count: int) -> None:
    """Return when the server has sent so many bytes."""
    with anyio.fail_after(60):
        while server.sent < count:  # noqa: ASYNC110  (the server counts, and tells nobody)
            await anyio.sleep(0.01)


async def test_a_pull_that_is_killed_loses_less_than_16_mb(hub: FakeHub, tmp_path: Path, model: bytes) -> None:
    whole = model + bytes(60 * MEGABYTE)
    hub.add("Org/Big", {"x-Q4_K_M.gguf": whole})

    async def paced(request: web.Request) -> None:
        await asyncio.sleep(0.002)  # for 64 KiB, so that little is on its way

    hub.cdn.before = paced
    given = variables(tmp_path, hub)
    kept = 0
    for _ in range(3):
        hub.cdn.sent = 0
        process = await begin(given, "hf.co/Org/Big")
        await sent(hub.cdn, 15 * MEGABYTE)
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        before, kept = kept, noted(tmp_path / "home")
        assert hub.cdn.sent - (kept - before) < LOST
    hub.cdn.sent = 0
    done = await mlxr(given, "pull", "hf.co/Org/Big")
    assert done.returncode == 0, done.stderr
    assert hub.cdn.sent < len(whole) - kept + 1000
    assert files_under(tmp_path / "home" / "models") == [f"blobs/sha256-{sha256(whole)}"]


def noted(home: Path) -> int:
    """Bytes that the next pull goes on with."""
    (note,) = home.glob("models/partial/*/resumable/*.json")
    return sum(json.loads(note.read_bytes())["have"])


async def test_a_pull_that_is_interrupted_ends_with_130_and_goes_on_later(
    server: Web, tmp_path: Path, model: bytes
) -> None:
    whole = model + bytes(40 * MEGABYTE)
    server.files["/x.gguf"] = whole

    async def paced(request: web.Request) -> None:
        await asyncio.sleep(0.002)

    server.before = paced
    given = variables(tmp_path)
    process = await begin(given, f"{server.url}/x.gguf")
    await sent(server, 20 * MEGABYTE)
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert process.returncode == 130
    assert said.decode() == "mlxr: interrupted; what the next pull can go on with was kept\n"
    assert all("/resumable/" in path or path.endswith("/lock") for path in files_under(tmp_path / "home" / "models"))
    server.sent = 0
    assert (await mlxr(given, "pull", f"{server.url}/x.gguf")).returncode == 0
    assert server.sent < 28 * MEGABYTE


async def test_processes_that_pull_the_same_fetch_it_once(hub: FakeHub, tmp_path: Path, model: bytes) -> None:
    whole = model + bytes(10 * MEGABYTE)
    hub.add("Org/Big", {"x-Q4_K_M.gguf": whole})
    given = variables(tmp_path, hub)
    results = list[subprocess.CompletedProcess[bytes]]()

    async def pull() -> None:
        results.append(await mlxr(given, "pull", "hf.co/Org/Big"))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(pull)
    assert [done.returncode for done in results] == [0, 0, 0]
    assert len({done.stdout for done in results}) == 1
    assert hub.cdn.sent < len(whole) + 1000


async def test_progress_with_rate_and_time_left_is_for_terminals_alone(
    server: Web, tmp_path: Path, model: bytes
) -> None:
    server.files["/x.gguf"] = model + bytes(20 * MEGABYTE)

    async def paced(request: web.Request) -> None:
        await asyncio.sleep(0.002)

    server.before = paced
    terminal, end = pty.openpty()
    given = variables(tmp_path, COLUMNS="120", TERM="xterm-256color")
    process = await anyio.open_process([str(COMMAND), "pull", f"{server.url}/x.gguf"], env=given, stderr=end)
    os.close(end)
    shown = await to_thread.run_sync(read_all, terminal)
    assert await process.wait() == 0
    assert process.stdout is not None
    assert b"".join([chunk async for chunk in process.stdout]).startswith(b"x  ")
    assert re.search(r"pulling x\.gguf .*\d+(\.\d+)?/20\.\d MB.*\d+(\.\d+)? MB/s.*\d:\d\d:\d\d", shown)
    assert "verifying sha256 digest" in shown


def read_all(terminal: int) -> str:
    """Everything that is written to a terminal, without its control sequences."""
    found = b""
    try:
        while piece := os.read(terminal, 65536):
            found += piece
    except OSError:  # nobody has it open any more
        pass
    os.close(terminal)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", found.decode())


async def test_a_disk_that_fills_up_is_named_and_nothing_is_left(server: Web, tmp_path: Path, model: bytes) -> None:
    server.files["/x.gguf"] = model + bytes(20 * MEGABYTE)
    # Files of more than 8 MiB can't be written: that is met as a full disk is.
    limited = f'ulimit -f 16384; exec "{COMMAND}" pull {server.url}/x.gguf'
    with anyio.fail_after(120):
        done = await anyio.run_process(["bash", "-c", limited], env=variables(tmp_path), check=False)
    home = tmp_path / "home"
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert re.match(rf"mlxr: no space left in {home}/models: .* needed, .* free; make room, or set MLXR_HOME", line)
    assert files_under(home / "models") == []
