"""Requests as they are told of."""

from __future__ import annotations

from typing import Any

import msgspec

from mlxr.actors.monitor.request_log import MOST_ENDED, RequestLog
from mlxr.runtime.telemetry import (
    Event,
    FirstToken,
    PrefillStarted,
    RequestEnded,
    RequestQueued,
    RequestReceived,
    RequestRecomputed,
    RequestState,
    RequestSubmitted,
    StateShown,
    TurnStored,
)


def take(log: RequestLog, *events: Event, t: float = 1.0) -> None:
    for event in events:
        fields: dict[str, Any] = {"v": 1, "t": t, **msgspec.to_builtins(event)}
        log.take(fields)


def test_a_requests_timeline_has_a_time_for_each_of_its_steps() -> None:
    log = RequestLog(0)
    take(log, RequestReceived(7, "m", "openai", "req_7", "POST /v1/x", "key 0123", {"n": 2}), t=1.0)
    states = ["loading"]
    for t, event in enumerate(
        (RequestSubmitted(7, "m-1"), RequestQueued(7, 50), PrefillStarted(7, 10), FirstToken(7)), start=2
    ):
        take(log, event, t=float(t))
        states.append(log.rows()[0].state)
    assert states == ["loading", "preparing", "queued", "prefill", "decode"]
    take(log, RequestRecomputed(7, "m-1"), RequestEnded(7, "finished", "m", "", 50, 9, 10, finish="stop"), t=6.0)
    (row,) = log.rows()
    assert (row.received, row.submitted, row.queued, row.prefill, row.first_token, row.ended) == (1, 2, 3, 4, 5, 6)
    assert (row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.restarts) == (50, 10, 9, 1)
    assert (row.state, row.finish, row.caller, row.parameters) == ("finished", "stop", "key 0123", {"n": 2})


def test_of_those_that_have_ended_the_latest_are_kept() -> None:
    log = RequestLog(0)
    for number in range(MOST_ENDED + 20):
        take(log, RequestReceived(number, "m"), RequestEnded(number, "failed", code="x"), t=float(number))
    assert [row.id for row in log.rows()] == list(range(20, MOST_ENDED + 20))
    assert [row.id for row in log.rows(2)] == [MOST_ENDED + 18, MOST_ENDED + 19]
    assert log.rows(0) == []


def test_a_reader_is_told_what_has_changed_since_and_of_another_life_all() -> None:
    log = RequestLog(1000)
    take(log, RequestReceived(1, "m"), RequestReceived(2, "m"))
    seen = log.version
    take(log, FirstToken(2), RequestState(1, "m", completion_tokens=0))
    changed = log.since(seen)
    assert changed is not None
    assert [row.id for row in changed] == [2]
    assert log.since(log.version) == []
    assert log.since(999) is None
    assert log.since(log.version + 1) is None


def test_a_request_whose_end_was_missed_has_ended_once_it_is_not_named_any_more() -> None:
    log = RequestLog(0)
    take(log, RequestReceived(1, "m"), RequestReceived(2, "m"), t=1.0)
    take(log, RequestReceived(3, "m"), t=99.0)
    take(log, RequestState(2, "m", completion_tokens=4), StateShown("supervisor"), StateShown("frontend"), t=100.0)
    assert {row.id: row.state for row in log.rows()} == {1: "failed", 2: "loading", 3: "loading"}
    assert log.rows()[1].completion_tokens == 4


def test_what_comes_from_the_disk_and_goes_there_is_told_of_each_request() -> None:
    log = RequestLog(0)
    take(log, RequestReceived(1, "m"), PrefillStarted(1, 96, "", 64), TurnStored("m-1", 1, 1000))
    assert log.rows()[0].stored_bytes == 1000
    take(log, RequestEnded(1, "finished", restored_tokens=64, cached_tokens=96))
    seen = log.version
    take(log, TurnStored("m-1", 1, 500))  # mostly a turn is written when it has ended
    (row,) = log.since(seen) or []
    assert (row.cached_tokens, row.restored_tokens, row.stored_bytes) == (96, 64, 1500)
