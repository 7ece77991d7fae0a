from __future__ import annotations

import os
from pathlib import Path

import anyio
import anyio.lowlevel

from mlxr.actors.registry.catalogue import files
from mlxr.actors.registry.sources.staging import clear, staging_directory, sweep
from mlxr.actors.registry.sources.transfer.partial_file import PartialFile
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under


def leave(home: Home, slug: str, *names: str) -> Path:
    """What a killed pull leaves."""
    work = files.partial(home) / slug
    work.mkdir()
    for name in names:
        (work / name).parent.mkdir(exist_ok=True)
        (work / name).write_bytes(b"x")
    return work


def unheard() -> None:
    """Nobody waits."""


async def test_one_at_a_time(tmp_path: Path) -> None:
    home, order = Home(tmp_path), list[str]()

    async def work(name: str) -> None:
        async with staging_directory(home, "same", lambda: order.append(f"{name} waits")) as path:
            order.append(f"{name} in")
            await anyio.lowlevel.checkpoint()
            clear(path, resumable=False)
            order.append(f"{name} out")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work, "a")
        tasks.start_soon(work, "b")
    assert [step for step in order if "waits" not in step] == ["a in", "a out", "b in", "b out"]
    assert "b waits" in order


async def test_who_waits_hears_how_far_the_other_process_is(tmp_path: Path) -> None:
    home, heard = Home(tmp_path), list[tuple[int, int]]()
    advanced = anyio.Event()

    def advances(completed: int, total: int) -> None:
        heard.append((completed, total))
        advanced.set()

    async def wait() -> None:
        async with staging_directory(home, "same", unheard, advances):
            pass

    async with staging_directory(home, "same", unheard) as path, anyio.create_task_group() as tasks:
        (path / "resumable").mkdir()
        part = PartialFile(path / "resumable" / "x", "one", 10)
        await part.write(0, b"abcd")
        part.segments.add(0, 4)
        await part.checkpoint()
        tasks.start_soon(wait)
        await advanced.wait()
        tasks.cancel_scope.cancel()
        part.close()
    assert heard == [(4, 10)]


async def test_different_pulls_do_not_wait_for_each_other(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with staging_directory(home, "one", unheard) as one, staging_directory(home, "two", unheard) as two:
        assert one != two


async def test_clearing_keeps_what_can_be_gone_on_with_only_where_there_are_some(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with_parts = leave(home, "a", "resumable/joined", "resumable/joined.json", "model")
    without = leave(home, "b", "model")
    clear(with_parts, resumable=True)
    clear(without, resumable=True)
    assert files_under(home.models) == ["partial/a/resumable/joined", "partial/a/resumable/joined.json"]


async def test_a_sweep_removes_what_killed_processes_left_but_not_what_runs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    leave(home, "killed", "model")
    leave(home, "cut-short", "resumable/joined", "resumable/joined.json", "model")
    for path in leave(home, "forgotten", "resumable/joined", "resumable/joined.json").glob("resumable/*"):
        os.utime(path, (0, 0))
    (files.partial(home) / "upload-new").write_bytes(b"x")
    (files.partial(home) / "upload-old").write_bytes(b"x")
    os.utime(files.partial(home) / "upload-old", (0, 0))
    async with staging_directory(home, "running", unheard) as path:
        (path / "model").write_bytes(b"x")
        sweep(home)
        left = set(files_under(files.partial(home)))
    name = path.name
    assert left == {
        f"{name}/lock",
        f"{name}/model",
        "cut-short/resumable/joined",
        "cut-short/resumable/joined.json",
        "cut-short/lock",
        "upload-new",
    }
