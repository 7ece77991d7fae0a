"""Pages of loaded engines make room for others before any of them has to go."""

from __future__ import annotations

from mlxr.actors.registry.lifecycle.actions import Limit, Refusal
from mlxr.actors.registry.lifecycle.engine import OVERHEAD_BYTES, Engine
from mlxr.actors.registry.lifecycle.page_limits import RAISE_SECONDS, RELIEF_SECONDS
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.runtime.messages.registry import EngineMemory, EngineUp, TokenizerUp
from mlxr.runtime.messages.supervisor import StartEngine
from tests.actors.registry.lifecycle.policies import settle, spec

WEIGHTS, PAGES, LEAST = 1_000, 8_000, 500


def loaded(policy: EnginePolicy, model: str, now: float, pages: int = PAGES, *, pin: bool = False) -> Engine:
    engine = policy.ensure(spec(model), None, now, needs=WEIGHTS + LEAST, pin=pin or None)
    settle(policy, now)
    up = EngineUp(engine.name, 8192, WEIGHTS + pages, "cpu", pages_bytes=pages, least_pages_bytes=LEAST)
    policy.note(up)
    policy.note(TokenizerUp(engine.name))
    policy.touch(model, 1, None, now)
    policy.touch(model, 0, None, now)
    return engine


def answer(policy: EnginePolicy, engine: Engine, pages: int) -> None:
    policy.note(EngineMemory(engine.name, WEIGHTS + pages, pages_bytes=pages))


def room_for(*engines: int) -> int:
    return sum(engines) + len(engines) * OVERHEAD_BYTES


def test_a_model_that_lacks_room_gets_pages_of_others_and_nobody_ends() -> None:
    policy = EnginePolicy(3, 300, room_for(9_000, 9_000, 1_000))
    old, recent = loaded(policy, "old", 0), loaded(policy, "recent", 1)
    new = policy.ensure(spec("new"), None, 2, needs=4_000)
    # It lacks 3,000, and is to have half of the 15,000 that others can give; who was used longest ago gives first.
    assert settle(policy, 2) == [Limit(old.name, LEAST), Limit(recent.name, PAGES - 3_000)]
    assert settle(policy, 2) == []
    answer(policy, old, LEAST)
    answer(policy, recent, PAGES - 3_000)
    (start,) = settle(policy, 2)
    assert isinstance(start, StartEngine)
    assert start.engine == new.name
    assert start.memory_bytes >= 4_000
    assert not old.ending
    assert not recent.ending


def test_pages_that_running_sequences_hold_stay_and_idle_engines_go_for_what_is_lacking() -> None:
    policy = EnginePolicy(3, 300, room_for(9_000, 4_000))
    old = loaded(policy, "old", 0)
    policy.touch("old", 1, None, 1)
    policy.ensure(spec("new"), None, 2, needs=6_000)
    assert settle(policy, 2) == [Limit(old.name, 2_250)]
    answer(policy, old, 7_000)
    settle(policy, 2)
    assert old.ending
    # Its sequences end, and with them the need for it to go.
    answer(policy, old, 2_250)
    (start,) = settle(policy, 3)
    assert isinstance(start, StartEngine)
    assert not old.ending


def test_a_pinned_model_gives_pages_back_and_is_no_reason_to_refuse_another() -> None:
    policy = EnginePolicy(3, 300, room_for(9_000, 1_000))
    pinned = loaded(policy, "pinned", 0, pin=True)
    policy.ensure(spec("new"), None, 1, needs=7_000)
    assert settle(policy, 1) == [Limit(pinned.name, LEAST)]
    answer(policy, pinned, LEAST)
    assert [type(action) for action in settle(policy, 2)] == [StartEngine]


def test_a_system_under_pressure_gets_pages_back_from_whom_nobody_asks() -> None:
    policy = EnginePolicy(3, 300)
    old, recent = loaded(policy, "old", 0), loaded(policy, "recent", 1)
    assert policy.engines.gives()
    assert policy.relieve(5, 700) == [Limit(old.name, PAGES, give_back=700)]
    assert policy.relieve(5 + RELIEF_SECONDS / 2, 700) == []
    answer(policy, old, LEAST)
    assert policy.relieve(5 + RELIEF_SECONDS, 300) == [Limit(recent.name, PAGES, give_back=300)]


def test_pages_come_back_when_there_is_room_again_and_nobody_waits() -> None:
    policy = EnginePolicy(3, 300, room_for(20_000))
    engine = loaded(policy, "a", 0)
    policy.relieve(1, 100)
    answer(policy, engine, 2_000)
    assert policy.engines.lacks()
    assert policy.raise_limits(2, 50_000) == []
    later = 1 + RAISE_SECONDS
    assert policy.raise_limits(later, 4_000) == [Limit(engine.name, 4_000)]
    answer(policy, engine, 4_000)
    assert policy.raise_limits(later + RAISE_SECONDS, 50_000) == [Limit(engine.name, PAGES)]
    answer(policy, engine, PAGES)
    assert not policy.engines.lacks()


def test_a_restarted_executor_has_all_its_pages_and_is_asked_anew() -> None:
    policy = EnginePolicy(3, 300, room_for(9_000, 1_000))
    old = loaded(policy, "old", 0)
    policy.ensure(spec("new"), None, 1, needs=4_000)
    (asked,) = settle(policy, 1)
    assert settle(policy, 1) == []
    policy.note(EngineUp(old.name, 8192, 9_000, "cpu", pages_bytes=PAGES, least_pages_bytes=LEAST))
    assert settle(policy, 1) == [asked]


def test_a_model_too_large_even_beside_least_pages_is_refused() -> None:
    policy = EnginePolicy(3, 300, room_for(9_000, 1_000))
    loaded(policy, "pinned", 0, pin=True)
    policy.ensure(spec("new"), None, 1, needs=9_000)
    (refusal,) = settle(policy, 1)
    assert isinstance(refusal, Refusal)
