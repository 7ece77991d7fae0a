"""Where sequences stand: choices wait for their prompt, and who was preempted comes back."""

from __future__ import annotations

import pytest

from mlxr.actors.scheduler.lifecycle import Lifecycle
from mlxr.actors.scheduler.outcome import Counters
from mlxr.actors.scheduler.sequences import Status
from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.scheduler import Submit
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.scheduler.rig import SMALL, check, prompt_of
from tests.actors.simulation import Engine


def test_choices_of_one_request_share_the_prompt_and_differ_by_seed() -> None:
    engine = Engine(SMALL, pages=40, page_size=4)
    engine.submit(1, prompt_of(10), 8, n=4)
    engine.settle()
    check(engine, 1, prompt_of(10), 8, n=4)
    assert len({tuple(engine.output[sequence_id(1, i)]) for i in range(4)}) > 1


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


def test_a_choice_with_tokens_of_its_own_does_not_wait_for_a_first_one_that_has_none() -> None:
    """The first one's token may have been lost with its pages, where the executor died before it came again."""
    lifecycle = Lifecycle(Counters())
    first, second, third = lifecycle.open(Submit(1, TokenIds.of([1, 2, 3]), n=3, max_tokens=5)).sequences
    lifecycle.admit(first)
    lifecycle.start(first, 0)
    lifecycle.fork(first)
    second.output = [7]
    lifecycle.rewind()
    assert [each.status for each in (first, second, third)] == [Status.QUEUED, Status.QUEUED, Status.FORKING]
