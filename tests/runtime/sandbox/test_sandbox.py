"""Tasks in processes that may be killed."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from mlxr.models.errors import ModelFileError
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.pacing import StreamingMark
from mlxr.runtime.sandbox import Sandbox, SandboxKilled, TaskLimits
from mlxr.runtime.sandbox.channel import Channel, Gone
from tests.server.processes import open_descriptors

TASKS = "tests.runtime.sandbox.tasks"


def task(name: str) -> str:
    return f"{TASKS}:{name}"


@asynccontextmanager
async def sandbox(*arguments: Any, **options: Any) -> AsyncIterator[Sandbox]:
    made = Sandbox(*arguments, **options)
    try:
        yield made
    finally:
        await made.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(3000):
        if condition():
            return
        await anyio.sleep(0.01)
    raise AssertionError("it did not come about")


async def test_a_task_gives_its_result_as_the_type_asked_for() -> None:
    async with sandbox() as box:
        assert await box.run(task("joined"), "a", "b", "c", returns=str) == "abc"


async def test_workers_have_what_the_zygote_prepared(tmp_path: Path) -> None:
    async with sandbox(task("prepare"), {"word": "hello", "path": str(tmp_path)}) as box:
        assert await box.run(task("what_was_prepared"), returns=list[str]) == ["hello", str(tmp_path)]


async def test_garbage_of_what_was_prepared_is_collected_in_the_turn_that_prepared_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    StreamingMark(tmp_path).set(True)
    monkeypatch.setenv("_MLXR_PACE", str(tmp_path))
    lock = str(tmp_path / "background.lock")
    async with sandbox(task("prepare_and_watch"), {"lock": lock}, run_directory=str(tmp_path)) as box:
        assert await box.run(task("collected_in_turn"), returns=bool)


async def test_what_a_zygote_learns_later_its_next_workers_know() -> None:
    async with sandbox() as box:
        before = await box.run(task("process"), returns=int)
        await box.extend(task("learn"))
        await box.extend(task("learn"))
        assert await box.run(task("learned"), returns=int) == 1
        assert await box.run(task("process"), returns=int) != before
        os.kill(int(await box.run("os:getppid", returns=int)), signal.SIGKILL)
        assert await box.run(task("learned"), returns=int) == 1


async def test_a_channel_that_was_closed_on_this_side_is_gone() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        channel = Channel(ours)
        channel.close()
        with pytest.raises(Gone):
            await channel.send(b"x")
        with pytest.raises(Gone):
            await channel.receive()


async def test_no_memory_is_taken_for_what_a_worker_only_says_that_it_sends() -> None:
    ours, theirs = socket.socketpair()
    channel, loop, wanted = Channel(ours), asyncio.get_running_loop(), list[int]()

    async def sock_recv(end: socket.socket, size: int) -> bytes:
        wanted.append(size)
        return await loop.sock_recv(end, size)

    channel._loop = SimpleNamespace(sock_recv=sock_recv)  # type: ignore[assignment]
    theirs.sendall(b"\xff\xff\xff\xff and no more")
    theirs.close()
    with pytest.raises(Gone):
        await channel.receive()
    assert max(wanted) <= 1 << 20
    channel.close()


async def test_a_zygote_that_can_not_learn_something_goes_on(tmp_path: Path) -> None:
    async with sandbox() as box:
        with pytest.raises(SandboxKilled, match="at the disco"):
            await box.extend(task("panic"))
        assert await box.run(task("joined"), "still here", returns=str) == "still here"


async def test_tasks_share_a_worker_one_after_the_other() -> None:
    async with sandbox() as box:
        assert len({await box.run(task("process"), returns=int) for _ in range(5)}) == 1


async def test_own_errors_arrive_as_they_were_raised(tmp_path: Path) -> None:
    async with sandbox() as box:
        with pytest.raises(RequestError) as raised:
            await box.run(task("request_error"), returns=None)
        assert raised.value.info == ErrorInfo(ErrorCode.UNSUPPORTED, "not so", "field", 2.5)
        with pytest.raises(ModelFileError, match=r"is no model \(at byte 3\)") as wrong:
            await box.run(task("refuse"), tmp_path, returns=None)
        assert (wrong.value.path, wrong.value.offset) == (tmp_path, 3)


@pytest.mark.parametrize("name", ["unforeseen", "panic"])
async def test_exceptions_that_nobody_foresaw_fail_the_task_alone(name: str) -> None:
    async with sandbox() as box:
        worker = await box.run(task("process"), returns=int)
        with pytest.raises(SandboxKilled) as killed:
            await box.run(task(name), returns=None)
        assert killed.value.reason == "error"
        assert await box.run(task("process"), returns=int) == worker


async def test_endless_work_is_ended_by_its_processor_time() -> None:
    async with sandbox() as box:
        with pytest.raises(SandboxKilled, match="more than 1 s of processor time") as killed:
            await box.run(task("spin"), returns=None, limits=TaskLimits(cpu_seconds=1, seconds=60))
        assert killed.value.reason == "time"
        assert await box.run(task("joined"), "still here", returns=str) == "still here"


async def test_work_that_waits_is_ended_by_the_clock(tmp_path: Path) -> None:
    async with sandbox() as box:
        with pytest.raises(SandboxKilled, match=r"more than 0\.2 s") as killed:
            await box.run(task("sleep"), 60, tmp_path / "mark", returns=None, limits=TaskLimits(seconds=0.2))
        assert killed.value.reason == "stalled"
        assert not killed.value.deserved


async def test_memory_is_limited() -> None:
    async with sandbox() as box:
        with pytest.raises(SandboxKilled, match="too much memory") as killed:
            await box.run(task("swell"), 4, returns=int, limits=TaskLimits(memory=256 << 20))
        assert killed.value.reason == "memory"
        assert await box.run(task("swell"), 1, returns=int, limits=TaskLimits(memory=2 << 30)) == 1 << 30


async def test_a_crash_fails_the_task_and_the_next_one_gets_another_worker() -> None:
    async with sandbox() as box:
        first = await box.run(task("process"), returns=int)
        with pytest.raises(SandboxKilled, match="crashed the process that looked at it") as killed:
            await box.run(task("crash"), returns=None)
        assert killed.value.reason == "crash"
        assert await box.run(task("process"), returns=int) != first


async def test_a_native_stack_overflow_costs_one_worker() -> None:
    async with sandbox() as box:
        with pytest.raises(SandboxKilled):
            await box.run(task("recurse"), 200_000, returns=int)
        assert await box.run(task("recurse"), 50, returns=int) == 51


async def test_a_worker_that_was_killed_between_tasks_is_replaced() -> None:
    async with sandbox() as box:
        worker = await box.run(task("process"), returns=int)
        os.kill(worker, signal.SIGKILL)
        assert await box.run(task("process"), returns=int) != worker


async def test_a_task_whose_workers_somebody_kills_again_and_again_is_not_to_blame() -> None:
    async with sandbox() as box:
        with pytest.raises(SandboxKilled) as killed:
            await box.run(task("end_itself"), returns=None)
        assert killed.value.reason == "killed"
        assert not killed.value.deserved


async def test_a_zygote_that_was_killed_is_started_again() -> None:
    async with sandbox(task("prepare"), {"word": "again", "path": "/"}) as box:
        worker = await box.run(task("process"), returns=int)
        parent = int(await box.run("os:getppid", returns=int))
        os.kill(parent, signal.SIGKILL)
        await until(lambda: not alive(worker))
        assert await box.run(task("what_was_prepared"), returns=list[str]) == ["again", "/"]


async def test_cancelling_ends_the_work(tmp_path: Path) -> None:
    async with sandbox() as box:
        worker = await box.run(task("process"), returns=int)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: box.run(task("sleep"), 3600, tmp_path / "mark", returns=None))
            await until((tmp_path / "mark").exists)
            tasks.cancel_scope.cancel()
        await until(lambda: not alive(worker))
        assert await box.run(task("joined"), "next", returns=str) == "next"


async def test_who_is_cancelled_before_there_is_a_worker_leaves_no_socket_open() -> None:
    async with sandbox() as box:
        await box.start()
        zygote = box._zygote
        assert zygote is not None
        gc.collect()  # what earlier tests left closes now, and not behind ``before``
        before = open_descriptors(os.getpid())
        # Another one's worker is being forked.
        async with zygote._fork_turn, anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: box.run(task("joined"), "never", returns=str))
            await until(lambda: open_descriptors(os.getpid()) > before)
            tasks.cancel_scope.cancel()
        # A socket that nobody closed is warned of where it is collected, which fails the test.
        gc.collect()
        assert open_descriptors(os.getpid()) == before


async def test_tasks_of_another_niceness_do_not_wait(tmp_path: Path) -> None:
    async with sandbox(workers=1) as box, anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: box.run(
                task("sleep"), 3600, tmp_path / "mark", returns=None, limits=TaskLimits(3600, 3600.0, nice=5)
            )
        )
        await until((tmp_path / "mark").exists)
        assert await box.run(task("niceness"), returns=int) == os.nice(0)
        tasks.cancel_scope.cancel()


async def test_a_task_runs_at_its_niceness() -> None:
    async with sandbox() as box:
        assert await box.run(task("niceness"), returns=int, limits=TaskLimits(nice=3)) == os.nice(0) + 3


async def test_a_worker_that_keeps_too_much_memory_is_replaced() -> None:
    async with sandbox() as box:
        first = await box.run(task("keep"), 200, returns=int)
        assert await box.run(task("process"), returns=int) != first


async def test_closing_ends_all_processes(tmp_path: Path) -> None:
    box = Sandbox()
    worker = await box.run(task("process"), returns=int)
    zygote = int(await box.run("os:getppid", returns=int))
    await box.close()
    await until(lambda: not alive(worker) and not alive(zygote))


@pytest.mark.parametrize(
    ("prepare", "settings", "error"),
    [("refuse", {"path": "/x"}, ModelFileError), ("crash", {}, SandboxKilled), ("panic", {}, SandboxKilled)],
)
async def test_what_can_not_be_prepared_says_so_at_the_start(
    prepare: str, settings: dict[str, Any], error: type[Exception]
) -> None:
    async with sandbox(task(prepare), settings) as box:
        with pytest.raises(error):
            await box.start()


async def test_large_arguments_and_results_pass() -> None:
    text = "x" * (8 << 20)
    async with sandbox() as box:
        assert await box.run(task("joined"), text, text, returns=str) == text + text


async def test_a_client_with_much_to_do_holds_up_no_other(tmp_path: Path) -> None:
    def marks() -> int:
        return len(list(tmp_path.iterdir()))

    async with sandbox(workers=2, share=1) as box, anyio.create_task_group() as group:
        for index in range(4):
            mark = tmp_path / str(index)
            group.start_soon(lambda mark=mark: box.run(task("sleep"), 600.0, mark, returns=None, client="a"))
        await until(lambda: marks() > 0)
        assert await box.run(task("joined"), "a", "b", returns=str, client="b") == "ab"
        assert marks() == 1
        group.cancel_scope.cancel()
