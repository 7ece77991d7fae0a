"""Actors, and when telemetry's state is read to know them."""

from __future__ import annotations

from typing import Any

import msgspec

from mlxr.actors.monitor.actor_table import ActorTable
from mlxr.actors.monitor.processes import Process
from mlxr.actors.monitor.state_reader import StateReader
from mlxr.runtime.telemetry import ActorEnded, ActorStarted, ActorState, EngineState, Event, RequestState, StateShown


def as_event(event: Event, t: float = 1.0) -> dict[str, Any]:
    return {"v": 1, "t": t, **msgspec.to_builtins(event)}


def test_restarts_and_the_reason_of_the_last_end_are_told() -> None:
    table = ActorTable()
    for t, event in enumerate(
        (
            ActorStarted("frontend", 0, 5),
            ActorStarted("kv/m-1", 0, 5),
            ActorStarted("executor/m-1", 0, 9),
            EngineState("m-1", "m"),
            ActorEnded("executor/m-1", 0, "killed by SIGKILL", True),
        )
    ):
        table.take(as_event(event, float(t)))
    assert [(row.actor, row.pid) for row in table.rows({})][1] == ("executor/m-1", 0)
    table.take(as_event(ActorStarted("executor/m-1", 1, 11), 7.0))
    frontend, executor, kv = table.rows({5: Process(100, 2.0), 11: Process(300)})
    assert (executor.restarts, executor.last_end, executor.started) == (1, "killed by SIGKILL", 7.0)
    assert (executor.kind, executor.engine, executor.model, executor.own_process) == ("executor", "m-1", "m", True)
    assert (frontend.memory_bytes, kv.memory_bytes, executor.memory_bytes) == (100, 100, 300)
    assert not frontend.own_process
    table.take(as_event(ActorEnded("executor/m-1", 1, "ended", False)))
    assert [row.actor for row in table.rows({})] == ["frontend", "kv/m-1"]


def test_actors_that_started_unheard_are_known_by_the_state() -> None:
    table = ActorTable()
    table.take(as_event(ActorStarted("gone", 0, 5)))
    for event in (ActorState("frontend", 2, 5), StateShown("supervisor")):
        table.take(as_event(event))
    assert [(row.actor, row.restarts) for row in table.rows({})] == [("frontend", 2)]


def test_why_an_actor_ended_is_told_though_the_state_was_shown_while_it_was_down() -> None:
    table = ActorTable()
    for event in (
        ActorStarted("executor/m", 0, 5),
        ActorEnded("executor/m", 0, "killed by SIGKILL", True),
        StateShown("supervisor"),
        ActorStarted("executor/m", 1, 6),
    ):
        table.take(as_event(event))
    assert [(row.restarts, row.last_end) for row in table.rows({})] == [(1, "killed by SIGKILL")]


def test_the_state_is_read_until_actors_are_known_and_while_requests_are_watched() -> None:
    wanted: list[bool] = []
    reader = StateReader(lambda topic, want: wanted.append(want))
    reader.start()
    shown = as_event(StateShown("supervisor"))
    assert not reader.passes(as_event(ActorState("kv/m", 0, 1)))
    assert not reader.passes(shown)
    assert reader.passes(as_event(ActorState("kv/m", 0, 1)))
    assert reader.passes(shown)
    assert wanted == [True, False]
    reader.watch(True)
    assert not reader.passes(as_event(RequestState(1, "m")))
    reader.watch(False)
    assert wanted == [True, False, True, False]
