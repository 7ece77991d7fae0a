"""Clients share places and tokens; a client that is alone gets everything."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.policy import Limits
from mlxr.runtime.messages.common import ErrorCode, sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.scheduler import Admitted, ExecutorReady, Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.scheduler.test_core import SMALL, check, prompt_of
from tests.actors.simulation import Engine


def running(engine: Engine) -> Counter[str]:
    return Counter(sequence.client for sequence in engine.scheduler.lifecycle.running)


def moves(engine: Engine, count: int) -> None:
    for _ in range(count):
        engine.move()


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


def test_the_tokens_of_a_step_are_shared_by_prompts_of_different_clients() -> None:
    scheduler = Scheduler(Limits(token_budget=60, max_sequences=9))
    scheduler.executor_ready(ExecutorReady(0, [GroupPages(CacheKind.FULL, 1000, 4)]))
    for request, client, length in ((1, "a", 100), (2, "a", 100), (3, "b", 10), (4, "c", 100)):
        scheduler.submit(Submit(request, TokenIds.of(prompt_of(length)), max_tokens=5, client=client))
    admits = scheduler.admissions()
    for admit in admits:
        scheduler.admitted(Admitted(admit.sequence, 0, admit.ticket, [90]), 0.0)
    plan = scheduler.plan()
    assert plan is not None
    assert {row.sequence: row.length for row in plan.rows} == {
        sequence_id(3, 0): 10, sequence_id(1, 0): 25, sequence_id(4, 0): 25
    }  # fmt: skip


def test_a_full_queue_keeps_nobody_out_but_who_filled_it() -> None:
    scheduler = Scheduler(Limits(max_waiting=16))

    def refused(request: int, client: str) -> bool:
        failed = scheduler.submit(Submit(request, TokenIds.of(prompt_of(2)), max_tokens=5, client=client))
        assert failed is None or failed.error.code is ErrorCode.QUEUE_FULL
        return failed is not None

    assert [refused(n, "a") for n in range(18)] == [False] * 16 + [True] * 2
    assert [refused(100 + n, "b") for n in range(4)] == [False, False, True, True]
    others = [refused(200 + n, str(n)) for n in range(40)]
    assert not others[0]
    assert others[-1]
    assert scheduler.waiting <= 32


@settings(deadline=None, max_examples=60)
@given(
    asked=st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 30), st.integers(1, 12), st.integers(1, 3)),
        min_size=1,
        max_size=14,
    ),
    pages=st.integers(12, 40),
    data=st.data(),
)
def test_whoever_shares_with_whom_everybody_gets_their_tokens(
    asked: list[tuple[str, int, int, int]], pages: int, data: st.DataObject
) -> None:
    engine = Engine(SMALL, pages, 4, choose=lambda n: data.draw(st.integers(0, n - 1)))
    for request, (client, length, most, n) in enumerate(asked, 1):
        engine.submit(request, prompt_of(length, request), most, n, client=client)
        moves(engine, data.draw(st.integers(0, 5)))
    engine.settle()
    for request, (_, length, most, n) in enumerate(asked, 1):
        (outcome,) = engine.ended[request]
        assert isinstance(outcome, RequestDone)
        check(engine, request, prompt_of(length, request), most, n)


TIGHT = (
    (10, [(20, 12, 1, "a"), (20, 5, 1, "b"), (3, 5, 2, "b")]),
    (11, [(16, 11, 1, "a"), (15, 6, 2, "a"), (4, 6, 2, "b")]),
    (7, [(10, 12, 2, "a"), (10, 5, 1, "b"), (7, 8, 1, "a"), (1, 6, 2, "b")]),
)
"""Pools in which clients and choices once took pages from each other for ever, with the requests: prompt tokens, output
tokens, choices, client."""


@pytest.mark.parametrize(("pages", "requests"), TIGHT)
def test_clients_in_a_tight_pool_take_no_pages_from_each_other_for_ever(
    pages: int, requests: list[tuple[int, int, int, str]]
) -> None:
    engine = Engine(SMALL, pages, 4)
    for request, (length, most, n, client) in enumerate(requests, 1):
        engine.submit(request, prompt_of(length, request), most, n, client=client)
    engine.settle(5_000)
    for request, (length, most, n, _) in enumerate(requests, 1):
        check(engine, request, prompt_of(length, request), most, n)


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
