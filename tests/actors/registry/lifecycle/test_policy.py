"""Which engines run, and how long."""

from __future__ import annotations

import math

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from mlxr.actors.registry.lifecycle.engines import MAX_NAME
from mlxr.actors.registry.lifecycle.policy import DETACHED_SECONDS, FIRST_USE_SECONDS, EnginePolicy
from mlxr.runtime.bus import Address
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.messages.registry import EngineDown, EngineReleased, EngineUp, LoadProgress, TokenizerUp
from mlxr.runtime.messages.supervisor import StartEngine, StopEngine
from tests.actors.registry.lifecycle.policies import come_up, serve, settle, spec, states


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
    policy.note(LoadProgress(engine.name, "weights", 0.5))
    (info,) = policy.engines.infos(0, 0)
    assert (info.state, info.stage, info.progress) == ("loading", "weights", 0.5)
    policy.note(EngineUp(engine.name, 8192, 1000, "cpu"))
    assert states(policy) == {"a": "loading"}
    policy.note(TokenizerUp(engine.name))
    (info,) = policy.engines.infos(0, 0)
    assert (info.state, info.progress, info.context_length, info.memory_bytes) == ("ready", 1.0, 8192, 1000)


def test_what_a_ready_engine_does_in_the_background_is_told_and_makes_way_for_streams() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    for fraction, told in ((0.25, ("ready", "compiling kernels", 0.25)), (1.0, ("ready", "", 1.0))):
        policy.note(LoadProgress(engine.name, "compiling kernels", fraction))
        (info,) = policy.engines.infos(0, 0)
        assert (info.state, info.stage, info.progress) == told
        assert (policy.engines.warms_up(), policy.engines.loads()) == (fraction < 1, False)


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
    assert policy.engines.infos(0, 0) == []
    assert policy.ensure(spec("a"), None, 0).name != engine.name


def test_messages_of_engines_that_are_gone_change_nothing() -> None:
    policy = EnginePolicy(2, 300)
    policy.note(EngineUp("gone-1", 1, 1, "cpu"))
    policy.note(TokenizerUp("gone-1"))
    policy.note(LoadProgress("gone-1", "", 0))
    assert policy.down(EngineDown("gone-1", "kv", "killed", final=True)) == []
    assert policy.engines.infos(0, 0) == []


def test_an_unused_engine_goes_after_its_keep_alive_and_not_before() -> None:
    policy = EnginePolicy(2, 300)
    engine = serve(policy, "a", 0)
    assert policy.engines.infos(100, 1_000_000)[0].expires == 1_000_200
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
    assert policy.engines.infos(0, 0)[0].expires is None
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
    assert policy.engines.infos(100, 1_000_000)[0].expires == 1_000_300


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
    assert "waiting" in policy.engines.infos(1, 0)[1].stage
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
    assert policy.engines.serving("a") is a


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
    assert policy.engines.serving("a") is None
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
    assert policy.engines.serving("a") is new
    assert settle(policy, 1) == [StartEngine(new.name, msgspec.json.encode(spec("a", "another")))]


@given(st.text(min_size=1, max_size=60))
def test_engine_names_fit_addresses_and_socket_paths(model: str) -> None:
    name = EnginePolicy(1, 0).ensure(spec(model), None, 0).name
    assert len(name) <= MAX_NAME
    assert Address.of("scheduler", name).engine == name
    assert "/" not in name
    assert name.isascii()


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
        engine = policy.engines.serving(model)
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
        for engine in policy.engines.running():
            come_up(policy, engine)
        settle(policy, now)
    assert policy.engines.running() == []


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
    assert policy.engines.infos(0, 0) == []


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
