"""The scheduler's core and the KV placement together, over a simulated device."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.policy import Limits
from mlxr.actors.scheduler.submission import choice_sampling
from mlxr.runtime.messages.common import ErrorCode, FinishReason, Sampling, sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.scheduler import Admitted, Deferred, ExecutorReady, Sampled, StepDone, StopSequence, Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed
from tests.actors.simulation import Engine, expected

POOL = [GroupPages(CacheKind.FULL, 100, 4)]
SMALL = Limits(token_budget=16, prefill_chunk=4, max_sequences=6, max_waiting=100)


def prompt_of(length: int, kind: int = 1) -> list[int]:
    return [(i * 7 + kind * 13) % 90 + 1 for i in range(length)]


def check(engine: Engine, request: int, prompt: list[int], max_tokens: int, n: int = 1, seed: int = 7) -> None:

    for index in range(n):
        own = choice_sampling(Sampling(seed=seed), index).seed
        assert engine.output[sequence_id(request, index)] == expected(prompt, own, max_tokens)


def test_one_request_gets_the_tokens_the_model_gives() -> None:
    engine = Engine(SMALL, pages=20, page_size=4)
    engine.submit(1, prompt_of(11), 9)
    engine.settle()
    check(engine, 1, prompt_of(11), 9)
    assert isinstance(engine.ended[1][0], RequestDone)


def test_choices_of_one_request_share_the_prompt_and_differ_by_seed() -> None:
    engine = Engine(SMALL, pages=40, page_size=4)
    engine.submit(1, prompt_of(10), 8, n=4)
    engine.settle()
    check(engine, 1, prompt_of(10), 8, n=4)
    assert len({tuple(engine.output[sequence_id(1, i)]) for i in range(4)}) > 1


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


def test_a_long_prompt_stalls_running_streams_by_one_chunk_at_most() -> None:
    engine = Engine(SMALL, pages=400, page_size=4)
    engine.submit(1, prompt_of(5), 60, seed=3)
    for _ in range(40):
        engine.move()
    engine.submit(2, prompt_of(200, 2), 2)
    engine.settle()
    assert 0 < engine.largest_prefill <= SMALL.prefill_chunk


@pytest.mark.parametrize(("device_ms", "steps"), [(4, 3), (40, 2)])
def test_one_more_step_is_planned_ahead_where_steps_are_short(device_ms: int, steps: int) -> None:
    scheduler = Scheduler(SMALL)
    scheduler.executor_ready(ExecutorReady(0, POOL))
    scheduler.submit(Submit(1, TokenIds.of(prompt_of(5)), max_tokens=50))
    scheduler.admitted(Admitted(sequence_id(1, 0), 0, scheduler.admissions()[0].ticket, [90]), 0.0)
    plan = scheduler.plan()
    assert plan is not None
    id = sequence_id(1, 0)
    scheduler.step_done(StepDone(0, plan.step, [Sampled(id, 7)], device_ns=device_ms * 10**6, ran=[id]), 0.0)
    planned = 0
    while scheduler.plan():
        planned += 1
    assert planned == steps


def test_a_row_that_was_left_out_of_a_step_waits_until_its_token_is_known() -> None:
    scheduler = Scheduler(SMALL)
    scheduler.executor_ready(ExecutorReady(0, POOL))
    ids = [sequence_id(request, 0) for request in (1, 2)]
    for request in (1, 2):
        scheduler.submit(Submit(request, TokenIds.of(prompt_of(2)), max_tokens=50))
    for id, admission in zip(ids, scheduler.admissions(), strict=True):
        scheduler.admitted(Admitted(id, 0, admission.ticket, [90]), 0.0)

    def planned() -> tuple[int, dict[int, list[int] | None]]:
        plan = scheduler.plan()
        assert plan is not None
        return plan.step, {row.sequence: row.tokens and row.tokens.list() for row in plan.rows}

    first, second = planned(), planned()
    assert list(first[1]) == list(second[1]) == ids
    scheduler.step_done(StepDone(0, first[0], [Sampled(id, 7) for id in ids], device_ns=1, ran=ids), 0.0)
    third = planned()
    scheduler.deferred(Deferred(third[0], [ids[0]]))
    assert list(planned()[1]) == [ids[1]]
    scheduler.step_done(StepDone(0, second[0], [Sampled(id, 8) for id in ids], device_ns=1, ran=ids), 0.0)
    assert planned()[1] == {ids[0]: [8], ids[1]: None}


def test_a_full_queue_refuses_with_a_time_to_come_back() -> None:
    engine = Engine(Limits(max_sequences=1, max_waiting=2), pages=40, page_size=4)
    for request in range(1, 6):
        engine.submit(request, prompt_of(4, request), 4)
    refused = [e for events in engine.ended.values() for e in events if isinstance(e, RequestFailed)]
    assert refused
    assert all(e.error.code is ErrorCode.QUEUE_FULL and e.error.retry_after for e in refused)
    engine.settle()
    assert sorted(engine.ended) == [1, 2, 3, 4, 5]


def test_a_prompt_larger_than_the_pool_is_refused_naming_both_lengths() -> None:
    engine = Engine(SMALL, pages=4, page_size=4)
    engine.submit(1, prompt_of(40), 4)
    failed = engine.ended[1][0]
    assert isinstance(failed, RequestFailed)
    assert "40" in failed.error.message
    assert "16" in failed.error.message


def test_a_sequence_that_outgrows_the_whole_pool_ends_for_length() -> None:
    engine = Engine(SMALL, pages=4, page_size=4)
    prompt = prompt_of(12)
    engine.submit(1, prompt, 1000, seed=1)
    engine.settle()
    assert engine.finish[sequence_id(1, 0)] in (FinishReason.LENGTH, FinishReason.STOP)
    got = engine.output[sequence_id(1, 0)]
    assert got == expected(prompt, 1, 1000)[: len(got)]
    assert isinstance(engine.ended[1][0], RequestDone)


def test_what_is_promised_to_prompts_is_not_given_to_those_who_come_later() -> None:
    engine = Engine(SMALL, pages=20, page_size=4)
    engine.submit(1, prompt_of(64, 1), 4, client="a")
    engine.move()
    engine.submit(2, prompt_of(40, 2), 4, client="b")
    engine.settle()
    assert not engine.scheduler.counters.preemptions
    for request, length in ((1, 64), (2, 40)):
        check(engine, request, prompt_of(length, request), 4)


def test_streams_go_on_unchanged_after_the_executor_was_killed() -> None:
    engine = Engine(SMALL, pages=100, page_size=4)
    for request in range(1, 9):
        engine.submit(request, prompt_of(6 + request, request), 40, seed=request)
    for _ in range(60):
        engine.move()
    engine.crash()
    engine.settle()
    for request in range(1, 9):
        check(engine, request, prompt_of(6 + request, request), 40, seed=request)


def test_a_request_that_keeps_killing_executors_is_given_up_and_the_others_go_on() -> None:
    engine = Engine(SMALL, pages=100, page_size=4)
    engine.submit(1, prompt_of(9), 60, seed=5)
    for _ in range(3):
        for _ in range(12):
            engine.move()
        engine.crash()
    engine.submit(2, prompt_of(7, 2), 5, seed=6)
    engine.settle()
    failed = engine.ended[1][0]
    assert isinstance(failed, RequestFailed)
    assert failed.error.code is ErrorCode.ENGINE_FAILED
    check(engine, 2, prompt_of(7, 2), 5, seed=6)


def test_requests_are_served_in_order_of_arrival() -> None:
    engine = Engine(Limits(token_budget=16, prefill_chunk=4, max_sequences=1), pages=40, page_size=4)
    for request in range(1, 6):
        engine.submit(request, prompt_of(5, request), 3)
    engine.settle()
    assert list(engine.ended) == [1, 2, 3, 4, 5]


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
                engine.submit(request, *submitted[request])
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
            wanted = expected(prompt, own, max_tokens)
            got = engine.output.get(id, [])
            if engine.finish.get(id) is FinishReason.LENGTH and len(got) < len(wanted):
                assert got == wanted[: len(got)]  # It was alone and outgrew the pool.
            elif id << 20 in quiet:
                assert got == wanted[: len(got)]
            else:
                assert got == wanted
