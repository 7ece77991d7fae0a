"""What ``mlxr top`` makes of events."""

from __future__ import annotations

import msgspec
import pytest

from mlxr.cli.top.screen import SPARKS, lines, sparkline
from mlxr.cli.top.view import ActorRow, EngineRow, Process, RequestRow, Snapshot, View
from mlxr.runtime.telemetry import (
    ActorState,
    EngineState,
    Event,
    PrefillStarted,
    RequestEnded,
    RequestState,
    StateShown,
)


def tell(view: View, *events: Event, t: float = 0.0) -> View:
    for event in events:
        view.take({"v": 1, "t": t, **msgspec.to_builtins(event)})
    return view


def test_rates_are_what_counters_gained_between_two_states() -> None:
    view = View()
    for t, generated, computed in ((10.0, 100, 40), (12.0, 300, 1040), (13.0, 300, 1040)):
        engine = EngineState("m-1", "m", generated_tokens=generated, prefill_tokens=computed, prompt_tokens=5000)
        tell(view, engine, StateShown("frontend"), t=t)
    assert list(view.decode) == [0.0, 100.0, 0.0]
    assert list(view.prefill) == [0.0, 500.0, 0.0]


def test_counters_that_begin_anew_are_no_negative_rate() -> None:
    view = tell(View(), EngineState("m-1", "m", generated_tokens=900), StateShown("frontend"), t=1.0)
    tell(view, EngineState("m-1", "m", generated_tokens=10), StateShown("frontend"), t=2.0)
    assert list(view.decode) == [0.0, 0.0]


def test_what_is_not_told_any_more_is_gone() -> None:
    view = tell(View(), ActorState("kv/m-1", 0, 7), ActorState("frontend", 0, 7), StateShown("supervisor"))
    assert not view.complete
    tell(view, RequestState(1, "m"), StateShown("frontend"))
    assert view.complete
    tell(view, ActorState("frontend", 2, 7), StateShown("supervisor"), StateShown("frontend"))
    assert view.actors == [ActorRow("frontend", 7, 2)]
    assert view.requests == []


def test_outcomes_are_counted_and_an_ended_request_is_not_open() -> None:
    view = tell(View(), RequestState(1, "m"), RequestState(2, "m"), StateShown("frontend"))
    tell(view, RequestEnded(1, "failed", error="no such thing"), RequestEnded(9, "finished"))
    assert (view.outcomes["failed"], view.outcomes["finished"], view.last_error) == (1, 1, "no such thing")
    assert [row.request for row in view.requests] == [2]


def test_a_requests_rate_is_that_since_its_first_token() -> None:
    view = tell(View(), RequestState(1, "m", "openai", "writing", 5, 30, 4.0, 1.0), StateShown("frontend"))
    assert view.requests[0].rate == 10.0


def test_why_the_latest_prompt_was_not_found_is_told_below_the_requests() -> None:
    why = "first differing token 812 of 16,004: tools changed"
    view = tell(View(), PrefillStarted(7, 800, why, 96), RequestState(7, "m", "openai"), StateShown("frontend"))
    (row,) = view.requests
    assert (row.cached_tokens, row.restored_tokens, row.miss) == (800, 96, why)
    shown = Snapshot(0.0, "here", requests=(row,), last_miss=view.last_miss)
    assert lines(shown, 0.0, 100, 30)[-2].plain == f"no hit: 7: {why}"
    tell(view, RequestEnded(7, "finished"), StateShown("frontend"))
    assert view.last_miss == (7, why)


def test_that_an_engine_goes_without_its_draft_model_is_told_below() -> None:
    view = tell(View(), EngineState("m-1", "m", undrafted="it failed"), StateShown("frontend"))
    shown = Snapshot(0.0, "here", engines=tuple(view.engines))
    assert lines(shown, 0.0, 100, 30)[-2].plain == "no drafts: m: it failed"


def test_an_engine_tells_what_it_has_on_disk_and_that_nothing_can_be_stored() -> None:
    engine = EngineState("m-1", "m", disk_bytes=3_000_000, disk_quota=10**9, disk_written_bytes=5_000_000)
    view = tell(View(), engine, StateShown("frontend"))
    (row,) = view.engines
    assert (row.disk_failing, row.disk_written_bytes) == (True, 5_000_000)
    text = "\n".join(line.plain for line in lines(Snapshot(0.0, "here", engines=(row,)), 0.0, 200, None))
    assert "3 MB, failing" in text


def snapshot(engines: int, requests: int) -> Snapshot:
    actors = [ActorRow("frontend", 1, 0), ActorRow("registry", 1, 0)]
    for number in range(engines):
        kinds = [ActorRow(f"{kind}/a-model-with-a-long-name-{number}", 1, 0) for kind in ("tokenizer", "scheduler")]
        actors += [*kinds, ActorRow(f"executor/a-model-with-a-long-name-{number}", 2 + number, number)]
    return Snapshot(
        0.0,
        "http://127.0.0.1:11435 http://127.0.0.1:11434 unix:/home/somebody/somewhere/quite/deep/mlxr.sock",
        tuple(actors),
        tuple(
            EngineRow(
                f"e-{n}", "hf.co/org/a-model-with-a-long-name-漢字", "ready", 131072, 9 * 10**9, 9, 9, 999, 9, 9999, 0
            )
            for n in range(engines)
        ),
        tuple(RequestRow(n, "some-model", "anthropic", "writing", 5, n, n, 1.0, n) for n in range(requests)),
        tuple(float(n) for n in range(120)),
        (),
        (Process(1, 5.0, 10**8), Process(2, 99.0, 10**9), Process(77, 1.0, 10**7)),
        {"finished": 123456, "failed": 12, "cancelled": 3},
        "e" * 300,
        10**10,
        3 * 10**10,
    )


@pytest.mark.parametrize("engines", [0, 1, 3])
@pytest.mark.parametrize("requests", [0, 3, 64])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (200, 50), (60, 24)])
def test_a_screen_has_room_for_what_is_shown(engines: int, requests: int, width: int, height: int) -> None:
    shown = lines(snapshot(engines, requests), 0.0, width, height, "age", "paused")
    assert len(shown) <= height
    assert max(line.cell_len for line in shown) <= width
    text = "\n".join(line.plain for line in shown)
    assert "paused" in text
    assert "q quit" in text
    if requests == 64:
        assert "more" in text
        assert text.count("writing") >= 3


@pytest.mark.parametrize(("sort", "first"), [("age", "63"), ("tokens", "63"), ("tok/s", "63"), ("model", "0")])
def test_requests_are_sorted_as_asked(sort: str, first: str) -> None:
    shown = [line.plain.split() for line in lines(snapshot(1, 64), 0.0, 100, 24, sort)]
    assert next(words for words in shown if "writing" in words)[0] == first


def test_all_there_is_is_shown_where_there_is_no_screen() -> None:
    shown = "\n".join(line.plain for line in lines(snapshot(3, 64), 0.0, 120, None))
    assert shown.count("writing") == 64
    assert shown.count("executor/") == 3
    assert "q quit" not in shown


def test_a_sparkline_is_as_high_as_the_largest_value() -> None:
    assert sparkline([0.0, 50.0, 100.0], 10) == f"{SPARKS[0]}{SPARKS[4]}{SPARKS[7]}"
    assert sparkline([1.0, 2.0, 3.0], 2) == f"{SPARKS[5]}{SPARKS[7]}"
    assert sparkline([], 10) == ""
    assert sparkline([0.0, 0.0], 10) == SPARKS[0] * 2


SMALL = Snapshot(
    0.0,
    "http://127.0.0.1:11435",
    (
        *(ActorRow(kind, 1, 0) for kind in ("frontend", "registry")),
        *(ActorRow(f"{kind}/smollm2-1", 1, 0) for kind in ("tokenizer", "scheduler", "kv")),
        ActorRow("executor/smollm2-1", 2, 0),
    ),
    (EngineRow("smollm2-1", "smollm2", "ready", 8192, 474 * 10**6, 1, 0, 3, 0, 512, 0),),
    processes=(Process(1, 5.0, 60 * 10**6), Process(2, 99.0, 182 * 10**6)),
)


@pytest.mark.parametrize("width", [50, 80])
def test_an_engine_has_a_row_with_what_it_holds_and_its_processes_one_each(width: int) -> None:
    shown = [line.plain.rstrip() for line in lines(SMALL, 0.0, width, 24)]
    head = next(line for line in shown if line.startswith("MODEL"))
    row = shown[shown.index(head) + 1]
    assert {"MODEL", "STATE", "PAGES", "MEMORY"} <= set(head.split())
    assert row.startswith("smollm2  ready")
    assert "3/512" in row
    assert "182 MB" in row
    assert ("474 MB" in row) == (width == 80)
    at = next(number for number, line in enumerate(shown) if line.startswith("PROCESS OF"))
    first = "frontend and 4 more" if width == 50 else "frontend, registry, tokenizer, scheduler, kv"
    assert shown[at + 1].startswith(first)
    assert shown[at + 2].startswith("executor/smollm2-1")
    assert shown[at + 3] == ""
    assert not any("…" in line for line in shown)


def test_what_an_engine_holds_is_not_told_where_it_shares_its_process() -> None:
    shared = Snapshot(0.0, "", (ActorRow("frontend", 1, 0), ActorRow("executor/m-1", 1, 0)), processes=(Process(1),))
    assert shared.held_by("m-1") == 0
    assert SMALL.held_by("smollm2-1") == 182 * 10**6
