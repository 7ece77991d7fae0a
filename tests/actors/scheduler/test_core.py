"""The scheduler's core and the KV placement together, over a simulated device."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.actors.scheduler.submission import choice_sampling
from mlxr.runtime.messages.common import Adapter, FinishReason, Sampling, sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.scheduler import StopSequence
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed
from tests.actors.scheduler.rig import ADAPTERS, SMALL, check, moves, prompt_of
from tests.actors.simulation import Engine, beginning, expected


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


events = st.lists(
    st.one_of(
        st.tuples(st.just("submit"), st.integers(1, 30), st.integers(1, 12), st.integers(1, 3)),
        st.tuples(st.just("cancel"), st.integers(1, 20), st.just(0), st.just(0)),
        st.tuples(st.just("stop"), st.integers(1, 20), st.just(0), st.just(0)),
        st.tuples(st.just("move"), st.integers(1, 25), st.just(0), st.just(0)),
        st.tuples(st.just("crash"), st.just(0), st.just(0), st.just(0)),
        st.tuples(st.just("lose_kv"), st.just(0), st.just(0), st.just(0)),
    ),
    max_size=40,
)


def mixed(mix: str, pages: int, page_size: int) -> list[GroupPages]:
    """A pool for a model of such groups, each with hardly more pages than a sequence needs."""
    window = GroupPages(CacheKind.WINDOW, 0, page_size, window=6)
    least = window.most_kept + -(-SMALL.token_budget // page_size) + 1
    parts = {
        "full": GroupPages(CacheKind.FULL, pages, page_size),
        "latent": GroupPages(CacheKind.LATENT, pages, page_size),
        "coarse": GroupPages(CacheKind.FULL, pages, 2 * page_size),
        "window": msgspec.structs.replace(
            window, pages=min(pages, least) if {"full", "coarse"} & {*mix.split("+")} else least
        ),
        "state": GroupPages(CacheKind.STATE, 4, 2 * page_size),
    }
    return [parts[part] for part in mix.split("+")]


def adapters_of(request: int) -> list[Adapter]:
    return ADAPTERS[request % len(ADAPTERS)]


@pytest.mark.parametrize(
    "mix",
    [
        "full",
        "full+window",
        "full+state",
        "window",
        "window+state",
        "state",
        "coarse+window+latent",
        "window+full+state",
    ],
)
@settings(max_examples=60, deadline=None)
@given(
    schedule=events,
    pages=st.integers(8, 30),
    page_size=st.sampled_from([1, 2, 4, 8]),
    random=st.randoms(use_true_random=False),
)
def test_after_any_schedule_every_page_is_free_and_every_request_ended_once(
    mix: str, schedule: list[tuple[str, int, int, int]], pages: int, page_size: int, random: object
) -> None:
    choose = random.randrange  # type: ignore[attr-defined]
    engine = Engine(SMALL, pages, page_size, choose, mixed(mix, pages, page_size))
    submitted: dict[int, tuple[list[int], int, int]] = {}
    quiet: set[int] = set()
    for kind, a, b, c in schedule:
        match kind:
            case "submit":
                request = len(submitted) + 1
                # Prompts repeat, so that pages are shared, forked and copied.
                submitted[request] = (prompt_of(a, a % 3), b, c)
                engine.submit(request, *submitted[request], adapters=adapters_of(request))
            case "cancel" if a in submitted and a not in engine.ended:
                engine.cancel(a)
                quiet.add(a)
            case "stop" if a in submitted and a not in engine.ended and engine.output.get(sequence_id(a, 0)):
                done = engine.scheduler.stop(
                    StopSequence(sequence_id(a, 0), len(engine.output[sequence_id(a, 0)])), 0.0
                )
                if done is not None:
                    engine.ended.setdefault(a, []).append(done)
                quiet.add(sequence_id(a, 0) << 20)
                engine.pump()
            case "move":
                for _ in range(a):
                    engine.move()
            case "crash":
                engine.crash()
            case "lose_kv":
                engine.lose_kv()
    engine.settle()
    assert engine.placement is not None
    assert engine.placement.held == 0
    assert engine.scheduler.running == engine.scheduler.waiting == engine.scheduler.in_flight == 0
    for request, (prompt, max_tokens, n) in submitted.items():
        outcomes = engine.ended.get(request, [])
        assert len(outcomes) == (0 if request in quiet and not outcomes else 1)
        if not outcomes or isinstance(outcomes[0], RequestFailed) or request in quiet:
            continue
        for index in range(n):
            id = sequence_id(request, index)

            own = choice_sampling(Sampling(seed=7), index).seed
            wanted = expected(prompt, own, max_tokens, beginning(adapters_of(request)))
            got = engine.output.get(id, [])
            if engine.finish.get(id) is FinishReason.LENGTH and len(got) < len(wanted):
                assert got == wanted[: len(got)]  # It was alone and outgrew the pool.
            elif id << 20 in quiet:
                assert got == wanted[: len(got)]
            else:
                assert got == wanted


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
