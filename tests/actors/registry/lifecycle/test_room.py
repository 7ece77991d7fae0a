"""What engines take, and which go for another."""

from __future__ import annotations

from mlxr.actors.registry.lifecycle.actions import Refusal
from mlxr.actors.registry.lifecycle.engine import OVERHEAD_BYTES
from mlxr.actors.registry.lifecycle.policy import EnginePolicy
from mlxr.runtime.messages.registry import EngineMemory, EngineReleased
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine
from tests.actors.registry.lifecycle.policies import GB, come_up, loaded, settle, spec, states

OVERHEAD = OVERHEAD_BYTES / GB


def limited(gigabytes: float, engines: int = 5) -> EnginePolicy:
    """A policy with memory for so much, and for what ``engines`` processes take beside."""
    return EnginePolicy(5, 300, int((gigabytes + engines * OVERHEAD) * GB))


def test_a_load_makes_those_stop_that_were_used_longest_ago_until_it_fits() -> None:
    policy = limited(8)
    a, b = loaded(policy, "a", 3, 0), loaded(policy, "b", 3, 1)
    loaded(policy, "c", 1, 2)
    policy.touch("a", 0, None, 3)
    d = policy.ensure(spec("d"), None, 4, needs=3 * GB)
    actions = settle(policy, 4)
    assert [action.engine for action in actions] == [b.name, d.name]
    come_up(policy, d, 3 * GB)
    settle(policy, 5)
    policy.touch("d", 0, None, 5)
    e = policy.ensure(spec("e"), None, 6, needs=4 * GB)
    assert [action.engine for action in settle(policy, 6)][-1] == e.name
    assert a.name not in [engine.name for engine in policy.engines.running()]


def test_an_idle_engine_goes_before_a_busy_one_that_was_used_longer_ago() -> None:
    policy = limited(4)
    loaded(policy, "busy", 2, 0)
    policy.touch("busy", 1, None, 1)
    idle = loaded(policy, "idle", 2, 2)
    c = policy.ensure(spec("c"), None, 3, needs=2 * GB)
    assert [action.engine for action in settle(policy, 3)] == [idle.name, c.name]


def test_a_busy_engine_in_the_way_takes_no_more_requests_and_stops_with_its_last() -> None:
    policy = limited(3)
    a = loaded(policy, "a", 2, 0)
    policy.touch("a", 2, None, 1)
    b = policy.ensure(spec("b"), None, 2, needs=2 * GB)
    assert settle(policy, 2) == []
    assert states(policy) == {"a": "stopping", "b": "loading"}
    assert policy.engines.infos(2, 0)[1].stage == "waiting for a to be idle (2 in flight)"
    again = policy.ensure(spec("a"), None, 3, needs=2 * GB)
    assert again is not a
    policy.touch("a", 1, None, 4, a.name)
    assert settle(policy, 1e6) == []
    policy.touch("a", 0, None, 1e6, a.name)
    assert [action.engine for action in settle(policy, 1e6)] == [a.name, b.name]
    come_up(policy, b, 2 * GB)
    assert settle(policy, 1e6 + 1) == []
    policy.touch("b", 0, None, 1e6 + 2)
    assert [action.engine for action in settle(policy, 1e6 + 2)] == [b.name, again.name]


def test_what_has_not_ended_yet_still_counts() -> None:
    policy = limited(3)
    a = loaded(policy, "a", 2, 0)
    b = policy.ensure(spec("b"), None, 1, needs=2 * GB)
    policy.settle(1)
    policy.released(EngineReleased(a.name, a.endings, {}))
    assert policy.settle(1) == [StopEngine(a.name)]
    assert policy.settle(2) == []
    policy.stopped(a.name)
    assert [action.engine for action in policy.settle(3)] == [b.name]


def test_a_model_that_can_never_fit_is_refused_with_what_it_needs_and_what_there_is() -> None:
    policy = limited(3, 0)
    loaded(policy, "a", 2, 0)
    big = policy.ensure(spec("big"), None, 1, needs=4 * GB)
    (refusal,) = settle(policy, 1)
    assert isinstance(refusal, Refusal)
    assert (refusal.engine, refusal.reason) == (
        big.name,
        "it needs 4.1 GB, and the limit for all models is 3.0 GB (models.memory_limit)",
    )
    assert states(policy) == {"a": "ready"}


def test_what_is_pinned_is_named_where_it_leaves_no_room() -> None:
    policy = limited(3)
    loaded(policy, "a", 2, 0, pin=True)
    policy.ensure(spec("b"), None, 1, needs=2 * GB)
    (refusal,) = settle(policy, 1)
    assert isinstance(refusal, Refusal)
    assert "of which pinned models take 2.1 GB (a)" in refusal.reason
    assert states(policy) == {"a": "ready"}


def test_places_that_are_all_pinned_are_named() -> None:
    policy = EnginePolicy(1, 300)
    loaded(policy, "a", 1, 0, pin=True)
    policy.ensure(spec("b"), None, 1)
    (refusal,) = settle(policy, 1)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == (
        "1 models may be loaded at once (models.max_loaded), and as many are pinned: a; `mlxr stop` one of them"
    )


def test_a_machine_that_has_less_to_give_than_the_limit_is_not_driven_to_swap() -> None:
    policy = limited(100)
    a = loaded(policy, "a", 2, 0)
    c = policy.ensure(spec("c"), None, 1, needs=3 * GB)
    policy.settle(1, 2 * GB)
    policy.released(EngineReleased(a.name, a.endings, {}))
    assert policy.settle(1, 2 * GB) == [StopEngine(a.name)]
    policy.stopped(a.name)
    assert [action.engine for action in settle(policy, 2, free=4 * GB)] == [c.name]
    come_up(policy, c, 3 * GB)
    settle(policy, 3)
    policy.ensure(spec("d"), None, 4, needs=9 * GB)
    (refusal,) = settle(policy, 4, free=1 * GB)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "it needs 9.1 GB, and this machine has 4.1 GB to give"


def test_what_an_engine_can_go_without_makes_others_go_but_does_not_keep_it_from_starting() -> None:
    policy = limited(10)
    a = loaded(policy, "a", 2, 0)
    b = policy.ensure(spec("b"), None, 1, needs=9 * GB, optional=2 * GB)
    assert [action.engine for action in settle(policy, 1)] == [a.name, b.name]
    come_up(policy, b, 7 * GB)
    policy.touch("b", 0, None, 2)
    settle(policy, 2)
    c = policy.ensure(spec("c"), None, 3, needs=11 * GB, optional=2 * GB)
    assert [action.engine for action in settle(policy, 3)] == [b.name, c.name]
    come_up(policy, c, 9 * GB)
    policy.ensure(spec("d"), None, 4, needs=13 * GB, optional=2 * GB)
    (refusal,) = settle(policy, 4)
    assert isinstance(refusal, Refusal)
    assert "it needs 11.1 GB" in refusal.reason


def test_an_engine_is_told_what_it_may_take() -> None:
    policy = limited(10, 2)
    a = policy.ensure(spec("a"), None, 0, needs=1 * GB)
    (start,) = settle(policy, 0)
    assert isinstance(start, StartEngine)
    assert start.memory_bytes == policy.memory - OVERHEAD_BYTES
    come_up(policy, a, 4 * GB)
    settle(policy, 0)
    policy.ensure(spec("b"), None, 1, needs=1 * GB)
    (start,) = settle(policy, 1, free=5 * GB)
    assert isinstance(start, StartEngine)
    assert start.memory_bytes == 5 * GB - OVERHEAD_BYTES


def test_a_pinned_engine_neither_expires_nor_makes_room_until_it_is_unloaded() -> None:
    policy = EnginePolicy(1, 300)
    engine = loaded(policy, "a", 1, 0, pin=True)
    policy.touch("a", 0, 0, 1)
    assert settle(policy, 1e9) == []
    (info,) = policy.engines.infos(1e9, 0)
    assert (info.pinned, info.expires) == (True, None)
    policy.unload("a")
    assert settle(policy, 1e9) == [StopEngine(engine.name)]


def test_adapters_count() -> None:
    policy = EnginePolicy(3, 300)
    engine = loaded(policy, "a", 1, 0)
    policy.note(EngineMemory(engine.name, 3 * GB))
    assert engine.takes == 3 * GB + OVERHEAD_BYTES
    assert policy.engines.infos(0, 0)[0].memory_bytes == 3 * GB
