from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.abc
import pytest

from mlxr.actors.registry.catalogue.entry import Blob, CatalogueEntry
from mlxr.actors.registry.progress import Progress, Report
from mlxr.actors.registry.sources.shared_pulls import SharedPulls
from mlxr.runtime.errors import PullError
from mlxr.runtime.model_info import ModelInfo

ENTRY = CatalogueEntry("a", Blob("d", Path("/a"), 1, ModelInfo("gguf", "llama")), 0.0)


class Source:
    """A download that ends when told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.ended = 0
        self.go = anyio.Event()
        self.error: Exception | None = None

    async def fetch(self, name: str, report: Report) -> CatalogueEntry:
        self.begun += 1
        try:
            report(Progress(f"pulling {name}"))
            await self.go.wait()
        finally:
            self.ended += 1
        if self.error:
            raise self.error
        return ENTRY


@pytest.fixture
async def tasks() -> AsyncIterator[anyio.abc.TaskGroup]:
    async with anyio.create_task_group() as group:
        yield group


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def pulls(source: Source, tasks: anyio.abc.TaskGroup) -> SharedPulls:
    return SharedPulls(source.fetch, tasks.start_soon)


async def test_a_late_comer_hears_where_the_pull_stands_and_shares_its_outcome(
    source: Source, pulls: SharedPulls, tasks: anyio.abc.TaskGroup
) -> None:
    heard: list[str] = []
    tasks.start_soon(pulls.pull, "a", lambda progress: None)
    await anyio.wait_all_tasks_blocked()
    tasks.start_soon(pulls.pull, "A:latest", lambda progress: heard.append(progress.status))
    await anyio.wait_all_tasks_blocked()
    assert heard == ["pulling a"]
    source.go.set()
    await anyio.wait_all_tasks_blocked()
    assert source.begun == 1


async def test_a_failure_reaches_all_who_wait_and_the_next_pull_begins_anew(source: Source, pulls: SharedPulls) -> None:
    source.error = PullError("no network")
    failures: list[str] = []

    async def ask() -> None:
        try:
            await pulls.pull("a", lambda progress: None)
        except PullError as error:
            failures.append(str(error))

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        source.go.set()
    assert failures == ["no network", "no network"]
    source.error = None
    assert await pulls.pull("a", lambda progress: None) is ENTRY
    assert source.begun == 2


async def test_one_who_leaves_does_not_end_it_and_the_last_one_does(source: Source, pulls: SharedPulls) -> None:
    async with anyio.create_task_group() as first, anyio.create_task_group() as second:
        first.start_soon(pulls.pull, "a", lambda progress: None)
        second.start_soon(pulls.pull, "a", lambda progress: None)
        await anyio.wait_all_tasks_blocked()
        first.cancel_scope.cancel()
        await anyio.wait_all_tasks_blocked()
        assert source.ended == 0
        second.cancel_scope.cancel()
    await anyio.wait_all_tasks_blocked()
    assert (source.begun, source.ended) == (1, 1)


async def test_whoever_comes_after_the_last_one_left_gets_a_pull_of_their_own(
    source: Source, pulls: SharedPulls, tasks: anyio.abc.TaskGroup
) -> None:
    async with anyio.create_task_group() as first:
        first.start_soon(pulls.pull, "a", lambda progress: None)
        await anyio.wait_all_tasks_blocked()
        first.cancel_scope.cancel()
    source.go.set()
    assert await pulls.pull("a", lambda progress: None) is ENTRY
    assert source.begun == 2
