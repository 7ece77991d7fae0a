"""The scheduler's core and the KV placement together, over a simulated device."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.scheduler.rig import SMALL, check, moves, prompt_of
from tests.actors.scheduler.schedules import MIXES, device_of, events, mixed, run_schedule
from tests.actors.simulation import Engine


def test_one_request_gets_the_tokens_the_model_gives() -> None:
    engine = Engine(SMALL, pages=20, page_size=4)
    engine.submit(1, prompt_of(11), 9)
    engine.settle()
    check(engine, 1, prompt_of(11), 9)
    assert isinstance(engine.ended[1][0], RequestDone)


def test_a_prompt_seen_before_is_not_computed_again() -> None:
    engine = Engine(SMALL, pages=40, page_size=4)
    engine.submit(1, prompt_of(17), 3)
    engine.settle()
    engine.submit(2, [*prompt_of(17), 5, 6], 3)
    engine.settle()
    done = engine.ended[2][0]
    assert isinstance(done, RequestDone)
    assert done.usage.cached_tokens == 16
    check(engine, 2, [*prompt_of(17), 5, 6], 3)


def test_the_answer_to_a_turn_is_found_again_in_the_next_turn() -> None:
    engine = Engine(SMALL, pages=40, page_size=4)
    engine.submit(1, prompt_of(8), 9)
    engine.settle()
    history = prompt_of(8) + engine.output[sequence_id(1, 0)]
    engine.submit(2, [*history, 3, 4, 5], 2)
    engine.settle()
    done = engine.ended[2][0]
    assert isinstance(done, RequestDone)
    assert done.usage.cached_tokens >= (len(history) - 1) // 4 * 4


@pytest.mark.parametrize("mix", MIXES)
@settings(max_examples=60, deadline=None)
@given(
    schedule=events,
    pages=st.integers(8, 30),
    page_size=st.sampled_from([1, 2, 4, 8]),
    late=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_after_any_schedule_every_page_is_free_and_every_request_ended_once(
    mix: str, schedule: list[tuple[str, int, int, int]], pages: int, page_size: int, late: bool, random: object
) -> None:
    choose, groups = random.randrange, mixed(mix, pages, page_size)  # type: ignore[attr-defined]
    engine = Engine(SMALL, pages, page_size, choose, groups, device=lambda: device_of(groups, late=late))
    run_schedule(engine, schedule)


@pytest.mark.parametrize("mix", MIXES)
@settings(max_examples=60, deadline=None)
@given(
    schedule=events,
    pages=st.integers(8, 30),
    extent=st.integers(0, 5),
    late=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_a_pool_that_shrinks_and_grows_meanwhile_changes_nobodys_tokens(
    mix: str, schedule: list[tuple[str, int, int, int]], pages: int, extent: int, late: bool, random: object
) -> None:
    choose, groups = random.randrange, mixed(mix, pages, 4)  # type: ignore[attr-defined]
    groups = [replace(group, page_bytes=10 + index, extent=extent) for index, group in enumerate(groups)]
    engine = Engine(SMALL, pages, 4, choose, groups, device=lambda: device_of(groups, late=late))
    run_schedule(engine, schedule)


def test_a_sequence_in_a_pool_that_has_shrunk_grows_as_long_as_the_whole_pool() -> None:
    groups = [GroupPages(CacheKind.FULL, 20, 4, page_bytes=1)]
    engine = Engine(SMALL, 20, 4, groups=groups)
    engine.limit(2)
    engine.submit(1, prompt_of(30), 40)
    engine.submit(2, prompt_of(25, 3), 40)
    engine.settle()
    check(engine, 1, prompt_of(30), 40)
    check(engine, 2, prompt_of(25, 3), 40)


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
