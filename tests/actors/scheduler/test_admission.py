"""Who gets a place, and in which order: clients share, and one that is alone gets everything."""

from __future__ import annotations

import pytest

from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.scheduler import ExecutorReady, Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.scheduler.rig import SMALL, check, moves, prompt_of, running
from tests.actors.simulation import Engine


def test_requests_are_served_in_order_of_arrival() -> None:
    engine = Engine(Limits(token_budget=16, prefill_chunk=4, max_sequences=1), pages=40, page_size=4)
    for request in range(1, 6):
        engine.submit(request, prompt_of(5, request), 3)
    engine.settle()
    assert list(engine.ended) == [1, 2, 3, 4, 5]


def test_what_is_promised_to_prompts_is_not_given_to_those_who_come_later() -> None:
    engine = Engine(SMALL, pages=20, page_size=4)
    engine.submit(1, prompt_of(64, 1), 4, client="a")
    engine.move()
    engine.submit(2, prompt_of(40, 2), 4, client="b")
    engine.settle()
    assert not engine.scheduler.counters.preemptions
    for request, length in ((1, 64), (2, 40)):
        check(engine, request, prompt_of(length, request), 4)


def test_a_client_that_is_alone_gets_every_place() -> None:
    engine = Engine(SMALL, pages=200, page_size=4)
    for request in range(1, 11):
        engine.submit(request, prompt_of(3, request), 40, client="a")
    moves(engine, 60)
    assert running(engine) == {"a": SMALL.max_sequences}
    assert not engine.scheduler.counters.preemptions


def test_one_who_comes_to_a_full_house_gets_a_place_while_the_others_run() -> None:
    engine = Engine(SMALL, pages=400, page_size=4)
    for request in range(1, 31):
        engine.submit(request, prompt_of(3, request), 200, client="a")
    moves(engine, 60)
    engine.submit(99, prompt_of(4, 99), 5, client="b")
    for _ in range(400):
        if 99 in engine.ended:
            break
        engine.move()
    assert isinstance(engine.ended[99][0], RequestDone)
    assert not any(isinstance(engine.ended.get(request, [None])[0], RequestDone) for request in range(7, 31))
    engine.settle(200_000)
    for request in range(1, 31):
        check(engine, request, prompt_of(3, request), 200)
    check(engine, 99, prompt_of(4, 99), 5)


def test_two_who_want_all_share_it_evenly_and_then_leave_each_other_alone() -> None:
    engine = Engine(SMALL, pages=400, page_size=4)
    for request in range(1, 21):
        engine.submit(request, prompt_of(3, request), 120, client="a")
    moves(engine, 60)
    for request in range(21, 41):
        engine.submit(request, prompt_of(3, request), 120, client="b")
    moves(engine, 120)
    assert running(engine) == {"a": 3, "b": 3}
    preempted = engine.scheduler.counters.preemptions
    assert preempted == 3
    moves(engine, 60)
    assert engine.scheduler.counters.preemptions == preempted
    engine.settle(400_000)
    for request in range(1, 41):
        check(engine, request, prompt_of(3, request), 120)


def test_a_low_priority_number_does_not_pass_other_clients() -> None:
    scheduler = Scheduler(Limits(max_sequences=2))
    scheduler.executor_ready(ExecutorReady(0, [GroupPages(CacheKind.FULL, 100, 4)]))
    for request in range(1, 5):
        scheduler.submit(Submit(request, TokenIds.of(prompt_of(3)), max_tokens=5, priority=-9, client="a"))
    scheduler.submit(Submit(9, TokenIds.of(prompt_of(3)), max_tokens=5, priority=9, client="b"))
    assert {admit.sequence for admit in scheduler.admissions()} == {sequence_id(1, 0), sequence_id(9, 0)}


@pytest.mark.parametrize("places", [2, 6])
def test_many_clients_each_get_a_place_before_one_gets_a_second(places: int) -> None:
    scheduler = Scheduler(Limits(max_sequences=places))
    scheduler.executor_ready(ExecutorReady(0, [GroupPages(CacheKind.FULL, 1000, 4)]))
    request = 0
    for client in "abcdef":
        for _ in range(3):
            request += 1
            scheduler.submit(Submit(request, TokenIds.of(prompt_of(3)), max_tokens=5, client=client))
    admitted = [scheduler.lifecycle.sequence(admit.sequence) for admit in scheduler.admissions()]
    assert [sequence.client for sequence in admitted if sequence] == list("abcdef")[:places]
