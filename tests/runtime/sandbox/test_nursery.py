"""Zygotes that are forked from one that has imported what they share."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from mlxr.models.errors import ModelFileError
from mlxr.runtime import first_processes
from mlxr.runtime.sandbox import Nursery, Sandbox, SandboxKilled

TASKS = "tests.runtime.sandbox.tasks"
AGAIN = {"word": "again", "path": "/"}


@asynccontextmanager
async def nursery(run_directory: Path) -> AsyncIterator[Nursery]:
    first = first_processes.start(str(run_directory), prepare=f"{TASKS}:learn")
    made = Nursery(first.nursery, first.control)
    try:
        yield made
    finally:
        await made.close()


async def parent(box: Sandbox) -> int:
    """The zygote's process."""
    found: int = await box.run("os:getppid", returns=int)
    return found


async def gone(pid: int) -> None:
    for _ in range(3000):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await anyio.sleep(0.01)
    raise AssertionError(f"process {pid} is still there")


async def test_zygotes_have_what_the_nursery_learned_and_each_what_it_prepared_itself(tmp_path: Path) -> None:
    async with nursery(tmp_path) as made:
        one, other = Sandbox(f"{TASKS}:prepare", AGAIN, nursery=made), Sandbox(nursery=made)
        assert await one.run(f"{TASKS}:learned", returns=int) == 1
        assert await other.run(f"{TASKS}:learned", returns=int) == 1
        assert await one.run(f"{TASKS}:what_was_prepared", returns=list[str]) == ["again", "/"]
        assert await parent(one) != await parent(other)
        pids = [await parent(one), await parent(other)]
        await one.close()
        await gone(pids[0])
        assert await other.run(f"{TASKS}:joined", "a", "b", returns=str) == "ab"
        await other.close()
        await gone(pids[1])


async def test_each_zygote_is_a_session_which_the_system_shares_cpus_between(tmp_path: Path) -> None:
    async with nursery(tmp_path) as made:
        forked, started = Sandbox(f"{TASKS}:prepare", AGAIN, nursery=made), Sandbox()
        try:
            zygotes = [made.pid, await parent(forked), await parent(started)]
            assert [os.getsid(pid) for pid in zygotes] == zygotes
        finally:
            await forked.close()
            await started.close()


async def test_what_was_killed_leaves_no_process_though_nobody_asks_for_it_again(tmp_path: Path) -> None:
    alone = Sandbox()
    async with nursery(tmp_path) as made:
        box = Sandbox(nursery=made)
        for pid in (await parent(alone), await parent(box), made.pid):
            os.kill(pid, signal.SIGKILL)
            await gone(pid)
        await box.close()
    await alone.close()


async def test_a_zygote_that_was_killed_is_forked_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with nursery(tmp_path) as made:
        box = Sandbox(f"{TASKS}:prepare", AGAIN, nursery=made)
        os.kill(pid := await parent(box), signal.SIGKILL)
        await gone(pid)
        assert await box.run(f"{TASKS}:what_was_prepared", returns=list[str]) == ["again", "/"]
        assert await box.run(f"{TASKS}:learned", returns=int) == 1
        assert f"zygote (process {pid}) has ended" in caplog.text
        await box.close()


async def test_the_end_of_a_nursery_is_told_once_unless_it_was_closed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def told() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "mlxr.sandbox"]

    async with nursery(tmp_path) as made:
        box = Sandbox(nursery=made)
        await box.start()
    assert not told()
    await box.close()
    async with nursery(tmp_path) as made:
        box = Sandbox(nursery=made)
        os.kill(await parent(box), signal.SIGKILL)
        os.kill(made.pid, signal.SIGKILL)
        while not told():  # noqa: ASYNC110  (another process makes it)
            await anyio.sleep(0.01)
        assert await made.fork() is None
        assert [f"nursery (process {made.pid}) has ended" in message for message in told()] == [True]
        await box.close()


async def test_what_a_zygote_can_not_prepare_harms_no_other(tmp_path: Path) -> None:
    async with nursery(tmp_path) as made:
        with pytest.raises(ModelFileError):
            await Sandbox(f"{TASKS}:refuse", {"path": "/x"}, nursery=made).start()
        box = Sandbox(nursery=made)
        assert await box.run(f"{TASKS}:learned", returns=int) == 1
        await box.close()


async def test_without_its_nursery_a_sandbox_starts_a_zygote_of_its_own(tmp_path: Path) -> None:
    async with nursery(tmp_path) as made:
        box = Sandbox(f"{TASKS}:prepare", AGAIN, nursery=made)
        zygote = await parent(box)
        await made.close()
        await gone(zygote)
        assert await box.run(f"{TASKS}:what_was_prepared", returns=list[str]) == ["again", "/"]
        assert await box.run(f"{TASKS}:learned", returns=int) == 0
        await box.close()


async def test_who_prepares_while_the_nursery_is_killed_was_killed_by_somebody_else(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    async with nursery(tmp_path) as made:
        box = Sandbox(f"{TASKS}:sleep", {"seconds": 600.0, "mark": str(mark)}, nursery=made)

        async def start() -> None:
            with pytest.raises(SandboxKilled) as killed:
                await box.start()
            assert killed.value.reason == "killed"

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(start)
            while not mark.exists():  # noqa: ASYNC110  (another process makes it)
                await anyio.sleep(0.01)
            os.kill(made.pid, signal.SIGKILL)


async def test_nobody_waits_for_a_nursery_that_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with nursery(tmp_path) as made:
        before, behind = Sandbox(nursery=made), Sandbox(nursery=made)
        await before.start()
        os.kill(made.pid, signal.SIGSTOP)
        monkeypatch.setattr("mlxr.runtime.sandbox.nursery.ANSWER_SECONDS", 0.0)
        assert await behind.run(f"{TASKS}:learned", returns=int) == 0
        assert "has not answered for 0 s and is ended" in caplog.text
        for box in (before, behind):
            await box.close()


async def test_a_nursery_that_nobody_needed_ends(tmp_path: Path) -> None:
    async with nursery(tmp_path) as made:
        pid = made.pid
    await gone(pid)
