from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from mlxr.actors.frontend.catalog import CatalogView
from mlxr.actors.frontend.open_requests import OpenCommand, OpenStream, Outcome
from mlxr.api.metrics import FINE, LONG, SHORT, Histogram
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import EngineInfo
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo
from mlxr.runtime.messages.frontend import Catalog, Delta, Finished, RegistryReply, Started
from tests.http.rig import ENGINE, ENTRY, USAGE

FAILURE = ErrorInfo(ErrorCode.ENGINE_FAILED, "gone")


def stream(limit: int = 100) -> OpenStream:
    return OpenStream(1, "tiny", "", limit, Histogram(SHORT))


class Follower:
    """A reader that takes what it is given. ``room``: whether its socket then takes more."""

    def __init__(self, s: OpenStream, *, room: bool = True) -> None:
        self.read: list[list[str]] = []
        self.room = room
        self.task = asyncio.create_task(s.follow(self.write, self.drained))
        self._drained = asyncio.Event()

    def write(self, batch: list[Delta]) -> bool:
        self.read.append([delta.text for delta in batch])
        return self.room

    async def drained(self) -> None:
        await self._drained.wait()

    def drain(self) -> None:
        self.room = True
        self._drained.set()


def step(s: OpenStream, *texts: str, done_ns: int = 0) -> None:
    """The deltas of one step, as the frontend brings them."""
    fresh = [s.push(Delta(1, text=text), done_ns) for text in texts]
    if any(fresh):
        s.deliver()


async def test_what_arrived_before_the_reader_is_read_together() -> None:
    s = stream()
    step(s, "a", "b")
    step(s, "c")
    s.on_finished(Finished(1, USAGE, [7]))
    follower = Follower(s)
    await follower.task
    assert follower.read == [["a", "b", "c"]]
    assert (s.usage, s.tokens) == (USAGE, [7])


async def test_a_step_is_written_where_it_arrives() -> None:
    s = stream()
    follower = Follower(s)
    await asyncio.sleep(0)
    step(s, "a", "b")
    step(s, "c")
    assert follower.read == [["a", "b"], ["c"]]
    s.on_finished(Finished(1, USAGE))
    await follower.task


async def test_what_comes_while_the_socket_is_full_goes_out_as_one_piece() -> None:
    s = stream()
    follower = Follower(s, room=False)
    await asyncio.sleep(0)
    for text in "abc":
        step(s, text)
        await asyncio.sleep(0)
    assert follower.read == [["a"]]
    s.on_finished(Finished(1, USAGE))
    follower.drain()
    await follower.task
    assert follower.read == [["a"], ["b", "c"]]


async def test_a_failure_comes_after_the_text_before_it() -> None:
    s = stream()
    step(s, "a")
    s.fail(FAILURE)
    follower = Follower(s)
    with pytest.raises(RequestError, match="gone"):
        await follower.task
    assert follower.read == [["a"]]


async def test_a_reader_that_breaks_is_told_and_nobody_else() -> None:
    s = stream()

    def write(batch: list[Delta]) -> bool:
        raise ValueError("no such text")

    task = asyncio.create_task(s.follow(write, asyncio.Event().wait))
    await asyncio.sleep(0)
    step(s, "a")
    step(s, "b")
    with pytest.raises(ValueError, match="no such text"):
        await task


async def test_a_reader_that_has_left_is_written_to_no_more() -> None:
    s = stream()
    follower = Follower(s)
    await asyncio.sleep(0)
    follower.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await follower.task
    step(s, "a")
    assert follower.read == []


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
    follower = Follower(s, room=False)
    await asyncio.sleep(0)
    for _ in range(4):
        step(s, "a")
    assert s.outcome is Outcome.FAILED
    assert s.error is not None
    assert s.error.code is ErrorCode.CANCELLED
    follower.task.cancel()


async def test_one_that_wants_the_whole_may_be_any_length() -> None:
    s = stream(limit=2)
    for _ in range(3):
        s.push(Delta(1, text="a"), 0)
    s.on_finished(Finished(1, USAGE))
    assert len(await s.rest()) == 3


async def test_the_time_to_the_socket_is_taken_once_a_step_is_written() -> None:
    times = Histogram(SHORT)
    s = OpenStream(1, "tiny", "", 100, times)
    follower = Follower(s)
    await asyncio.sleep(0)
    step(s, "a", "b", done_ns=time.monotonic_ns() - 3_000_000)
    assert times.cumulative()[SHORT.index(0.002)][1] == 0
    assert sum(times.counts) == 1
    s.on_finished(Finished(1, USAGE))
    await follower.task


async def test_a_commands_replies_end_with_the_last_or_its_error() -> None:
    command = OpenCommand(1)
    command.push(RegistryReply(1, "a"))
    command.push(RegistryReply(1, "b", last=True))
    assert [reply.status async for reply in command] == ["a", "b"]
    failing = OpenCommand(2)
    failing.push(RegistryReply(2, last=True, error=FAILURE))
    with pytest.raises(RequestError, match="gone"):
        await anext(failing)


@pytest.mark.parametrize(
    "name", ["tiny", "tiny:latest", "Tiny:Latest", "org/tiny-alias", "ORG/tiny-alias:latest", ENTRY.path]
)
def test_a_model_is_found_by_name_and_alias_in_any_case_and_by_path(name: str) -> None:
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


def test_a_fine_histogram_shows_the_coarse_bounds_alone_and_tells_which_buckets_have_something() -> None:
    h = Histogram((1.0, 1.5, 2.0), shown=(1.0, 2.0))
    for value in (0.5, 1.2, 1.3, 9.0):
        h.observe(value)
    assert h.cumulative() == [("1.0", 1), ("2.0", 3), ("+Inf", 4)]
    assert h.filled() == [(1.0, 1), (1.5, 2), (2.0, 1)]


def test_bounds_of_percentiles_are_a_tenth_apart_and_have_those_that_prometheus_knows() -> None:
    assert set(LONG) <= set(FINE)
    assert all(1 < high / low < 1.1 for low, high in itertools.pairwise(FINE))
