from __future__ import annotations

import asyncio

import pytest

from mlxr.actors.frontend.catalog import CatalogView
from mlxr.actors.frontend.streams import OpenCommand, OpenStream, Outcome
from mlxr.http.metrics import SHORT, Histogram
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Catalog, Delta, EngineInfo, Finished, RegistryReply, Started
from tests.http.rig import ENGINE, ENTRY, USAGE

FAILURE = ErrorInfo(ErrorCode.ENGINE_FAILED, "gone")


def stream(limit: int = 100) -> OpenStream:
    return OpenStream(1, "tiny", "", limit, Histogram(SHORT))


async def test_what_arrived_together_is_read_together() -> None:
    s = stream()
    for text in "abc":
        s.push(Delta(1, text=text), 0)
    s.on_finished(Finished(1, USAGE, [7]))
    assert [[delta.text for delta in batch] async for batch in s] == [["a", "b", "c"]]
    assert (s.usage, s.tokens) == (USAGE, [7])


async def test_a_waiting_reader_wakes_for_each_piece() -> None:
    s = stream()
    read: list[str] = []

    async def reader() -> None:
        async for batch in s:
            read.extend(delta.text for delta in batch)

    task = asyncio.create_task(reader())
    for text in "ab":
        await asyncio.sleep(0)
        s.push(Delta(1, text=text), 0)
    await asyncio.sleep(0)
    s.on_finished(Finished(1, USAGE))
    await task
    assert read == ["a", "b"]


async def test_a_failure_comes_after_the_text_before_it() -> None:
    s = stream()
    s.push(Delta(1, text="a"), 0)
    s.fail(FAILURE)
    assert [delta.text for delta in await anext(s)] == ["a"]
    with pytest.raises(RequestError, match="gone"):
        await anext(s)


async def test_the_first_outcome_stands() -> None:
    s = stream()
    s.on_finished(Finished(1, USAGE))
    s.fail(FAILURE)
    s.cancel()
    assert (s.outcome, s.error) == (Outcome.FINISHED, None)


async def test_a_failed_request_never_starts() -> None:
    s = stream()
    s.fail(FAILURE)
    with pytest.raises(RequestError, match="gone"):
        await s.started()
    begun = stream()
    begun.on_started(Started(1, 5))
    assert (await begun.started()).prompt_tokens == 5


async def test_a_reader_that_falls_too_far_behind_loses_its_request() -> None:
    s = stream(limit=2)
    aiter(s)
    for _ in range(3):
        s.push(Delta(1, text="a"), 0)
    assert s.outcome is Outcome.FAILED
    assert s.error.code is ErrorCode.CANCELLED


async def test_one_that_wants_the_whole_may_be_any_length() -> None:
    s = stream(limit=2)
    for _ in range(3):
        s.push(Delta(1, text="a"), 0)
    s.on_finished(Finished(1, USAGE))
    assert len(await s.rest()) == 3


async def test_the_time_to_the_socket_is_taken_when_the_reader_is_back() -> None:
    times = Histogram(SHORT)
    s = OpenStream(1, "tiny", "", 100, times)
    s.push(Delta(1, text="a"), 1)
    s.on_finished(Finished(1, USAGE))
    assert len([batch async for batch in s]) == 1
    assert sum(times.counts) == 1


async def test_a_commands_replies_end_with_the_last_or_its_error() -> None:
    command = OpenCommand(1)
    command.push(RegistryReply(1, "a"))
    command.push(RegistryReply(1, "b", last=True))
    assert [reply.status async for reply in command] == ["a", "b"]
    failing = OpenCommand(2)
    failing.push(RegistryReply(2, last=True, error=FAILURE))
    with pytest.raises(RequestError, match="gone"):
        await anext(failing)


@pytest.mark.parametrize("name", ["tiny", "tiny:latest", "org/tiny-alias", "org/tiny-alias:latest", ENTRY.path])
def test_a_model_is_found_by_name_alias_and_path(name: str) -> None:
    view = CatalogView(Catalog([ENTRY], []))
    assert view.find(name) is ENTRY
    assert view.find("tiny:other") is None


@pytest.mark.parametrize(
    ("engines", "state"),
    [
        ([], None),
        ([ENGINE], None),
        ([EngineInfo("a-1", "a", "loading")], "loading"),
        ([EngineInfo("a-1", "a", "failed")], "failed"),
        ([EngineInfo("a-1", "a", "loading"), ENGINE], None),
        ([EngineInfo("a-1", "a", "restarting")], None),
    ],
)
def test_one_serving_engine_makes_the_server_ready(engines: list[EngineInfo], state: str | None) -> None:
    obstacle = CatalogView(Catalog([], engines)).health()
    assert (obstacle and obstacle.state) == state


def test_before_the_first_catalogue_the_server_is_loading() -> None:
    obstacle = CatalogView().health()
    assert obstacle is not None
    assert obstacle.state == "loading"


def test_histograms_count_up_to_each_bound() -> None:
    h = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 9.0):
        h.observe(value)
    assert h.cumulative() == [("1.0", 2), ("2.0", 3), ("+Inf", 4)]
    assert h.total == 12.0
