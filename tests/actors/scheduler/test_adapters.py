"""Adapters in the scheduler: loaded before their rows run, kept while they are used, and nobody else waits."""

from __future__ import annotations

from mlxr.runtime.messages.common import Adapter, ErrorCode, sequence_id
from mlxr.runtime.messages.executor import LoadAdapter, UnloadAdapter
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed
from tests.actors.scheduler.rig import ADAPTERS, SMALL, prompt_of
from tests.actors.simulated_device import beginning, expected
from tests.actors.simulation import BAD, Engine

A, B, C = (Adapter(name, digest=name) for name in "abc")


def engine() -> Engine:
    return Engine(SMALL, pages=200, page_size=4)


def said(engine: Engine, request: int) -> list[int]:
    return engine.output[sequence_id(request, 0)]


def test_rows_of_different_adapters_run_in_one_batch_with_the_base_s() -> None:
    own = engine()
    stacks = [ADAPTERS[0], ADAPTERS[1], ADAPTERS[2], ADAPTERS[3]]
    for request, adapters in enumerate(stacks):
        own.submit(request, prompt_of(9), 12, adapters=adapters)
    own.settle()
    for request, adapters in enumerate(stacks):
        assert said(own, request) == expected(prompt_of(9), 7, 12, beginning(adapters))
    assert own.adapters_loaded == ["a", "b"]


def test_pages_are_shared_by_the_same_adapters_and_scales_alone() -> None:
    own = engine()
    half = Adapter("a", 0.5, "a")
    for request, adapters in enumerate([[A], [A], [half], [A, B], [B, A], []]):
        own.submit(request, prompt_of(17), 2, adapters=adapters)
        own.settle()
    cached = [
        done.usage.cached_tokens for ended in own.ended.values() for done in ended if isinstance(done, RequestDone)
    ]
    assert cached == [0, 16, 0, 0, 0, 0]


def test_others_run_while_an_adapter_is_loaded() -> None:
    own = engine()
    own.submit(1, prompt_of(5), 3)
    own.submit(2, prompt_of(5), 3, adapters=[A])
    loads = [raw for raw in own.to_executor if isinstance(own._executor_decoder.decode(raw), LoadAdapter)]
    assert len(loads) == 1
    own.to_executor.remove(loads[0])  # the loader takes its time
    own.submit(3, prompt_of(6), 3)
    own.settle()
    assert set(own.ended) == {1, 3}
    assert own.queued == [1, 3]
    own.to_executor.append(loads[0])
    own.settle()
    assert set(own.ended) == {1, 2, 3}


def test_an_adapter_goes_when_its_place_is_needed_and_nobody_uses_it() -> None:
    own = engine()
    for request, adapter in enumerate([A, B, A, C]):
        own.submit(request, prompt_of(5, request), 2, adapters=[adapter])
        own.settle()
    assert own.adapters_loaded == ["a", "b", "c"]
    assert set(own.adapters) == {"a", "c"}


def test_an_adapter_in_use_stays_and_who_needs_its_place_waits() -> None:
    own = engine()
    own.submit(1, prompt_of(5, 1), 20, adapters=[A, B])
    for _ in range(12):
        own.move()
    own.submit(2, prompt_of(5, 2), 3, adapters=[C])
    while 1 not in own.ended:
        assert "c" not in own.adapters_loaded
        own.move()
    own.settle()
    assert said(own, 2) == expected(prompt_of(5, 2), 7, 3, beginning([C]))


def test_two_that_each_hold_what_the_other_waits_for_both_run() -> None:
    own = engine()
    own.submit(1, prompt_of(5, 1), 2, adapters=[A])
    own.submit(2, prompt_of(5, 2), 2, adapters=[C])
    own.settle()
    own.submit(3, prompt_of(5, 3), 4, adapters=[A, B])
    own.submit(4, prompt_of(5, 4), 4, adapters=[C, Adapter("d", digest="d")])
    own.settle()
    assert {1, 2, 3, 4} == set(own.ended)
    assert said(own, 4) == expected(prompt_of(5, 4), 7, 4, beginning([C, Adapter("d", digest="d")]))


def test_an_adapter_that_can_t_be_loaded_fails_its_requests_alone_and_before_they_are_queued() -> None:
    own = engine()
    bad = Adapter("broken", digest=BAD)
    own.submit(1, prompt_of(5), 3)
    own.submit(2, prompt_of(5), 3, adapters=[bad])
    own.submit(3, prompt_of(5), 3, adapters=[A, bad])
    own.settle()
    for request in (2, 3):
        (failed,) = own.ended[request]
        assert isinstance(failed, RequestFailed)
        assert failed.error.code is ErrorCode.INVALID
        assert failed.error.param == "adapters"
        assert failed.error.message == "the adapter 'broken' can't be applied: it is bad"
    assert own.queued == [1]
    assert isinstance(own.ended[1][0], RequestDone)


def test_a_request_with_more_adapters_than_there_are_places_is_refused() -> None:
    own = engine()
    own.submit(1, prompt_of(5), 3, adapters=[A, B, C])
    (failed,) = own.ended[1]
    assert isinstance(failed, RequestFailed)
    assert "scheduler.max_adapters allows 2" in failed.error.message


def test_a_new_executor_loads_them_again_before_rows_are_replayed() -> None:
    own = engine()
    own.submit(1, prompt_of(9), 12, adapters=[A, B])
    own.submit(2, prompt_of(9), 12)
    for _ in range(25):
        own.move()
    assert own.output
    own.crash()
    own.settle()
    assert said(own, 1) == expected(prompt_of(9), 7, 12, beginning([A, B]))
    assert said(own, 2) == expected(prompt_of(9), 7, 12)
    assert own.adapters_loaded == ["a", "b", "a", "b"]


def test_whoever_kills_executors_by_its_adapter_is_given_up() -> None:
    own = engine()
    own.submit(1, prompt_of(9), 4, adapters=[A])
    for _ in range(3):
        own.crash()
    own.settle()
    (failed,) = own.ended[1]
    assert isinstance(failed, RequestFailed)
    assert failed.error.code is ErrorCode.ENGINE_FAILED


def test_what_is_forgotten_is_told_to_the_executor() -> None:
    own = engine()
    for request, adapter in enumerate([A, B]):
        own.submit(request, prompt_of(5, request), 2, adapters=[adapter])
        own.settle()
    own.submit(2, prompt_of(5, 2), 2, adapters=[C])
    commands = [own._executor_decoder.decode(raw) for raw in own.to_executor]
    assert UnloadAdapter(0, "a") in commands
    own.settle()
