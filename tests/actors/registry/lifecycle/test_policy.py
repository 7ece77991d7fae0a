from __future__ import annotations

import math
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from mlxr.actors.registry.lifecycle.engine import OVERHEAD_BYTES, Engine
from mlxr.actors.registry.lifecycle.policy import (
    DETACHED_SECONDS,
    FIRST_USE_SECONDS,
    MAX_NAME,
    Action,
    EnginePolicy,
    Refusal,
)
from mlxr.actors.registry.lifecycle.state_file import EngineStateFile
from mlxr.runtime.bus import Address
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.registry import EngineDown, EngineMemory, EngineReleased, EngineUp, LoadProgress, TokenizerUp
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine
from mlxr.runtime.model_info import ModelInfo


def spec(model: str, digest: str = "") -> EngineSpec:
    return EngineSpec(model, digest or f"digest of {model}", f"/{model}", ModelInfo("gguf", "llama"))


def come_up(policy: EnginePolicy, engine: Engine, memory: int = 1000) -> None:
    policy.executor_up(EngineUp(engine.name, 8192, memory, "cpu"))
    policy.tokenizer_up(TokenizerUp(engine.name))


def settle(policy: EnginePolicy, now: float, free: int | None = None) -> list[Action]:
    """Settles until nothing changes, with a frontend that sends no more requests to what is to stop, and a supervisor
    that ends engines at once."""
    actions: list[Action] = []
    while True:
        found = policy.settle(now, free)
        actions += found
        stopped = [action.engine for action in found if isinstance(action, StopEngine)]
        for name in stopped:
            policy.stopped(name)
        ending = [engine for engine in policy.running() if engine.ending and not engine.released]
        for engine in ending:
            policy.released(EngineReleased(engine.name, engine.endings, {}))
        if not (stopped or ending):
            return actions


def serve(policy: EnginePolicy, model: str, now: float, keep_alive: float | None = None) -> Engine:
    """Load a model and send it one request that has ended."""
    engine = policy.ensure(spec(model), keep_alive, now)
    settle(policy, now)
    come_up(policy, engine)
    policy.touch(model, 1, keep_alive, now)
    policy.touch(model, 0, keep_alive, now)
    return engine


def states(policy: EnginePolicy, now: float = 0.0) -> dict[str, str]:
    return {info.model: info.state for info in policy.infos(now, 0.0)}


def test_an_engine_starts_once_with_its_spec() -> None:
    policy = EnginePolicy(2, 300)
    engine = policy.ensure(spec("a"), None, 0)
    assert settle(policy, 0) == [StartEngine(engine.name, msgspec.json.encode(spec("a")))]
    assert policy.ensure(spec("a"), None, 0) is engine
    assert settle(policy, 0) == []


def test_an_engine_is_ready_when_executor_and_tokenizer_are() -> None:
    policy = EnginePolicy(2, 300)
    engine = policy.ensure(spec("a"), None, 0)
    settle(policy, 0)
    policy.progressed(LoadProgress(engine.name, "weights", 0.5))
    (info,) = policy.infos(0, 0)
    assert (info.state, info.stage, info.progress) == ("loading", "weights", 0.5)
    policy.executor_up(EngineUp(engine.name, 8192, 1000, "cpu"))
    assert states(policy) == {"a": "loading"}
    policy.tokenizer_up(TokenizerUp(engine.name))
    (info,) = policy.infos(0, 0)
    assert (info.state, info.progress, info.context_length, info.memory_bytes) == ("ready", 1.0, 8192, 1000)


def test_a_lost_executor_restarts_and_comes_back() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    assert policy.down(EngineDown(engine.name, "executor", "killed")) == []
    assert states(policy) == {"a": "restarting"}
    assert settle(policy, 10_000) == []
    come_up(policy, engine)
    assert states(policy) == {"a": "ready"}


def test_an_engine_past_saving_is_stopped_and_a_new_one_gets_another_name() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    assert policy.down(EngineDown(engine.name, "executor", "killed", final=True)) == [StopEngine(engine.name)]
    assert policy.infos(0, 0) == []
    assert policy.ensure(spec("a"), None, 0).name != engine.name


def test_messages_of_engines_that_are_gone_change_nothing() -> None:
    policy = EnginePolicy(2, 300)
    policy.executor_up(EngineUp("gone-1", 1, 1, "cpu"))
    policy.tokenizer_up(TokenizerUp("gone-1"))
    policy.progressed(LoadProgress("gone-1", "", 0))
    assert policy.down(EngineDown("gone-1", "kv", "killed", final=True)) == []
    assert policy.infos(0, 0) == []


def test_an_unused_engine_goes_after_its_keep_alive_and_not_before() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    assert policy.infos(100, 1_000_000)[0].expires == 1_000_200
    assert settle(policy, 299) == []
    assert settle(policy, 300) == [StopEngine(engine.name)]


def test_requests_in_flight_keep_an_engine() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    policy.touch("a", 2, None, 10)
    policy.touch("a", 1, None, 5000)
    assert settle(policy, 9000) == []
    policy.touch("a", 0, None, 9000)
    assert settle(policy, 9299) == []
    assert settle(policy, 9300) == [StopEngine(engine.name)]


def test_a_negative_keep_alive_means_for_ever() -> None:
    policy = EnginePolicy(2, 300)
    serve(policy, "a", 0, keep_alive=math.inf)
    assert policy.infos(0, 0)[0].expires is None
    assert settle(policy, 1e9) == []


def test_the_latest_request_that_says_so_sets_the_keep_alive() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0, keep_alive=math.inf)
    policy.touch("a", 0, None, 0)
    assert settle(policy, 1000) == []
    policy.touch("a", 1, 60, 1000)
    policy.touch("a", 0, None, 1000)
    assert settle(policy, 1059) == []
    assert settle(policy, 1060) == [StopEngine(engine.name)]


def test_an_engine_in_use_is_said_to_expire_a_keep_alive_from_now() -> None:
    policy = EnginePolicy(2, 300)
    serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    assert policy.infos(100, 1_000_000)[0].expires == 1_000_300


def test_the_model_that_a_server_was_started_with_stays_unless_a_request_says_otherwise() -> None:
    policy = EnginePolicy(2, 300)
    engine = policy.ensure(spec("a"), None, 0, stays=True)
    settle(policy, 0)
    come_up(policy, engine)
    policy.touch("a", 0, None, 0)
    assert settle(policy, 1e9) == []
    policy.touch("a", 0, 60, 1e9)
    assert settle(policy, 1e9 + 60) == [StopEngine(engine.name)]


def test_keep_alive_zero_waits_for_the_request_that_the_engine_was_loaded_for() -> None:
    policy = EnginePolicy(2, 300)
    engine = policy.ensure(spec("a"), 0, 0)
    settle(policy, 0)
    come_up(policy, engine)
    assert settle(policy, 1) == []
    policy.touch("a", 1, 0, 1)
    assert settle(policy, 500) == []
    policy.touch("a", 0, 0, 500)
    assert settle(policy, 500) == [StopEngine(engine.name)]


def test_a_running_engine_waits_as_well_for_a_request_by_another_of_its_names() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    assert policy.ensure(structs.replace(spec("a"), model="b"), 0, 20) is engine
    assert settle(policy, 21) == []
    policy.touch("b", 1, 0, 22)
    policy.touch("b", 0, 0, 23)
    assert settle(policy, 23) == [StopEngine(engine.name)]


def test_the_time_that_loading_takes_is_no_part_of_that_wait() -> None:
    policy = EnginePolicy(2, 300)
    engine = policy.ensure(spec("a"), 0, 0)
    settle(policy, 0)
    come_up(policy, engine)
    slow = FIRST_USE_SECONDS * 3
    assert settle(policy, slow) == []
    assert settle(policy, slow + FIRST_USE_SECONDS) == [StopEngine(engine.name)]


def test_and_not_for_ever() -> None:
    policy = EnginePolicy(2, 300)
    engine = policy.ensure(spec("a"), 0, 0)
    settle(policy, 0)
    come_up(policy, engine)
    settle(policy, 0)
    assert settle(policy, FIRST_USE_SECONDS) == [StopEngine(engine.name)]


def test_at_the_limit_the_least_recently_used_idle_engine_makes_room() -> None:
    policy = EnginePolicy(2, 300)
    serve(policy, "a", 0)
    b = serve(policy, "b", 1)
    policy.touch("a", 0, None, 2)
    c = policy.ensure(spec("c"), None, 3)
    assert settle(policy, 3) == [StopEngine(b.name), StartEngine(c.name, msgspec.json.encode(spec("c")))]


def test_at_the_limit_with_all_busy_a_model_waits_its_turn() -> None:
    policy = EnginePolicy(1, 300)
    a = serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    b = policy.ensure(spec("b"), None, 1)
    assert settle(policy, 1) == []
    assert "waiting" in policy.infos(1, 0)[1].stage
    policy.touch("a", 0, None, 2)
    assert settle(policy, 2) == [StopEngine(a.name), StartEngine(b.name, msgspec.json.encode(spec("b")))]


def test_unloading_waits_for_the_last_request() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    assert policy.unload("a")
    assert settle(policy, 0) == []
    policy.touch("a", 0, 0, 1)
    assert settle(policy, 1) == [StopEngine(engine.name)]
    assert not policy.unload("a")


def test_a_model_that_waits_is_unloaded_once_those_who_asked_for_it_have_their_answer() -> None:
    policy = EnginePolicy(1, 300)
    a = serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    b = policy.ensure(spec("b"), None, 0)
    assert policy.unload("b")
    policy.touch("a", 0, None, 1)
    assert [action.engine for action in settle(policy, 1)] == [a.name, b.name]
    come_up(policy, b)
    assert settle(policy, 2) == []
    policy.touch("b", 1, None, 3)
    policy.touch("b", 0, None, 4)
    assert settle(policy, 4) == [StopEngine(b.name)]


def test_a_model_that_nobody_waits_for_any_more_is_not_loaded() -> None:
    policy = EnginePolicy(1, 300)
    a = serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    b = policy.ensure(spec("b"), None, 0)
    settle(policy, 0)
    assert states(policy) == {"a": "stopping", "b": "loading"}
    policy.withdraw(b.name)
    assert settle(policy, 1) == []
    assert states(policy) == {"a": "ready"}
    assert policy.serving("a") is a


def test_a_model_that_waits_and_is_deleted_is_never_started() -> None:
    policy = EnginePolicy(1, 300)
    serve(policy, "a", 0)
    policy.ensure(spec("b"), None, 0)
    policy.reconcile({"a": spec("a")}, 0)
    assert settle(policy, 0) == []
    assert states(policy) == {"a": "ready"}


def test_names_of_the_same_files_share_an_engine() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    copy = structs.replace(spec("a"), model="copy")
    assert policy.ensure(copy, None, 1) is engine
    assert states(policy) == {"a": "ready", "copy": "ready"}
    policy.touch("copy", 1, None, 1)
    policy.touch("a", 0, None, 1)
    assert settle(policy, 1000) == []


def test_a_deleted_name_leaves_the_engine_to_the_others() -> None:
    policy = EnginePolicy(2, 300)
    serve(policy, "a", 0)
    copy = structs.replace(spec("a"), model="copy")
    policy.ensure(copy, None, 0)
    policy.reconcile({"copy": copy}, 1)
    assert states(policy) == {"copy": "ready"}


def test_an_engine_of_a_deleted_model_ends_with_its_last_request() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    policy.reconcile({}, 1)
    assert states(policy) == {"a": "stopping"}
    assert policy.serving("a") is None
    assert settle(policy, 1) == []
    policy.touch("a", 0, None, 2)
    assert settle(policy, 2) == [StopEngine(engine.name)]


def test_an_engine_of_a_deleted_model_does_not_linger() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    policy.reconcile({}, 1)
    assert settle(policy, 1 + DETACHED_SECONDS) == [StopEngine(engine.name)]


def test_a_name_with_new_content_gets_a_new_engine() -> None:
    policy = EnginePolicy(2, 300)
    old = serve(policy, "a", 0)
    policy.touch("a", 1, None, 0)
    new = policy.ensure(spec("a", "another"), None, 1)
    assert new is not old
    assert policy.serving("a") is new
    assert settle(policy, 1) == [StartEngine(new.name, msgspec.json.encode(spec("a", "another")))]


@given(st.text(min_size=1, max_size=60))
def test_engine_names_fit_addresses_and_socket_paths(model: str) -> None:
    name = EnginePolicy(1, 0).ensure(spec(model), None, 0).name
    assert len(name) <= MAX_NAME
    assert Address.of("scheduler", name).engine == name
    assert "/" not in name
    assert name.isascii()


def test_a_restarted_registry_goes_on_with_the_engines_that_run(tmp_path: Path) -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0, keep_alive=60)
    loading = policy.ensure(spec("b"), None, 0)
    settle(policy, 0)
    EngineStateFile(tmp_path).write(policy.running())

    later = EnginePolicy(2, 300)
    later.adopt(EngineStateFile(tmp_path).read(1000))
    assert states(later) == {"a": "ready", "b": "loading"}
    assert later.ensure(spec("a"), 60, 1000).name == engine.name
    assert settle(later, 1000) == []
    assert later.ensure(spec("c"), None, 1000).name not in (engine.name, loading.name)
    come_up(later, later.running()[1])
    assert settle(later, 1060 + FIRST_USE_SECONDS)[0] == StopEngine(engine.name)


def test_without_a_journal_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert EngineStateFile(tmp_path).read(0) == []


MODELS = st.sampled_from("abcd")
EVENTS = st.lists(
    st.tuples(st.sampled_from(["load", "up", "begin", "end", "die", "unload", "delete", "wait"]), MODELS), max_size=60
)


@settings(max_examples=200)
@given(EVENTS, st.integers(1, 3))
def test_never_more_engines_than_allowed_and_none_stopped_under_a_request(
    events: list[tuple[str, str]], limit: int
) -> None:
    policy, now, running = EnginePolicy(limit, 20), 0.0, dict[str, str]()
    active = dict.fromkeys("abcd", 0)
    for event, model in events:
        now += 1
        engine = policy.serving(model)
        final: list[object] = []
        if event == "load":
            policy.ensure(spec(model), None, now)
        elif event == "wait":
            now += 15
        elif event == "unload":
            policy.unload(model)
        elif event == "delete" and not active[model]:
            policy.reconcile({other: spec(other) for other in "abcd" if other != model}, now)
        elif engine is not None and engine.name in running:
            if event == "up":
                come_up(policy, engine)
            elif event == "begin" and engine.ready:
                active[model] += 1
                policy.touch(model, active[model], None, now)
            elif event == "end" and active[model]:
                active[model] -= 1
                policy.touch(model, active[model], None, now)
            elif event == "die":
                final = list(policy.down(EngineDown(engine.name, "executor", "killed", final=True)))
                active[model] = 0
                del running[engine.name]
        for action in settle(policy, now):
            if isinstance(action, StartEngine):
                running[action.engine] = msgspec.json.decode(action.spec, type=EngineSpec).model
            else:
                assert not active[running.pop(action.engine)]
            assert len(running) <= limit
        assert all(isinstance(action, StopEngine) for action in final)
    # Once nothing is asked for any more, everything comes up, goes unused, and is stopped.
    for model in "abcd":
        policy.touch(model, 0, None, now)
    for _ in range(20):
        now += 100
        for engine in policy.running():
            come_up(policy, engine)
        settle(policy, now)
    assert policy.running() == []


GB = 10**9
OVERHEAD = OVERHEAD_BYTES / GB


def loaded(policy: EnginePolicy, model: str, size: float, now: float, *, pin: bool | None = None) -> Engine:
    """A model of so many GB that has answered a request."""
    engine = policy.ensure(spec(model), None, now, needs=int(size * GB), pin=pin)
    settle(policy, now)
    come_up(policy, engine, int(size * GB))
    settle(policy, now)
    policy.touch(model, 1, None, now)
    policy.touch(model, 0, None, now)
    return engine


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
    assert a.name not in [engine.name for engine in policy.running()]


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
    assert policy.infos(2, 0)[1].stage == "waiting for a to be idle (2 in flight)"
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
    (info,) = policy.infos(1e9, 0)
    assert (info.pinned, info.expires) == (True, None)
    policy.unload("a")
    assert settle(policy, 1e9) == [StopEngine(engine.name)]


def test_engines_load_one_at_a_time_in_the_order_of_asking() -> None:
    policy = EnginePolicy(3, 300)
    a, b = policy.ensure(spec("a"), None, 0), policy.ensure(spec("b"), None, 0)
    assert [action.engine for action in settle(policy, 0)] == [a.name]
    come_up(policy, a)
    assert [action.engine for action in settle(policy, 1)] == [b.name]


def test_an_executor_that_crashes_thrice_while_it_loads_is_given_up() -> None:
    policy = EnginePolicy(3, 300)
    a = policy.ensure(spec("a"), None, 0)
    settle(policy, 0)
    died = EngineDown(a.name, "executor", "killed by SIGKILL")
    assert policy.down(died) == []
    assert policy.down(died) == []
    assert policy.down(died) == [StopEngine(a.name)]
    assert policy.infos(0, 0) == []


def test_requests_that_come_as_an_unused_engine_stops_keep_it() -> None:
    policy = EnginePolicy(3, 10)
    engine = serve(policy, "a", 0)
    assert policy.settle(20) == []
    assert states(policy) == {"a": "stopping"}
    policy.released(EngineReleased(engine.name, engine.endings, {"a": 1}))
    assert policy.settle(20) == []
    assert states(policy) == {"a": "ready"}
    policy.touch("a", 0, None, 21, engine.name)
    assert settle(policy, 31) == [StopEngine(engine.name)]


def test_an_answer_to_an_earlier_ending_ends_nothing() -> None:
    policy = EnginePolicy(3, 10)
    engine = serve(policy, "a", 0)
    policy.settle(20)
    late = EngineReleased(engine.name, engine.endings, {})
    assert policy.ensure(spec("a"), None, 21) is engine
    policy.touch("a", 0, 0, 22)
    policy.settle(22)
    policy.released(late)
    assert policy.settle(22) == []
    policy.released(EngineReleased(engine.name, engine.endings, {}))
    assert policy.settle(22) == [StopEngine(engine.name)]


def test_a_frontend_that_is_started_anew_has_nothing_in_flight() -> None:
    policy = EnginePolicy(3, 10)
    engine = serve(policy, "a", 0)
    policy.touch("a", 1, None, 1)
    policy.forget_requests()
    assert settle(policy, 12) == [StopEngine(engine.name)]


def test_adapters_count() -> None:
    policy = EnginePolicy(3, 300)
    engine = loaded(policy, "a", 1, 0)
    policy.memory_changed(EngineMemory(engine.name, 3 * GB))
    assert engine.takes == 3 * GB + OVERHEAD_BYTES
    assert policy.infos(0, 0)[0].memory_bytes == 3 * GB
