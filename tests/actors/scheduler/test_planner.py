"""What a step is made of, and how many are in flight."""

from __future__ import annotations

import pytest

from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages
from mlxr.runtime.messages.scheduler import Admitted, ExecutorReady, Sampled, StepDone, Submit, Task
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.scheduler.rig import POOL, SMALL, prompt_of
from tests.actors.simulation import Engine


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


@pytest.mark.parametrize(
    ("submit", "awaited"),
    [
        (Submit(1, TokenIds.of(prompt_of(20)), Task.EMBED), [False, True]),
        (Submit(1, TokenIds.of(prompt_of(5)), max_tokens=1), [True]),
        (Submit(1, TokenIds.of(prompt_of(5)), max_tokens=2), [False, True]),
        (Submit(1, TokenIds.of(prompt_of(5)), n=2, max_tokens=1), [False]),
    ],
)
def test_a_step_is_awaited_where_nothing_can_go_on_before_its_answer(submit: Submit, awaited: list[bool]) -> None:
    scheduler = Scheduler(SMALL)
    scheduler.executor_ready(ExecutorReady(0, POOL))
    scheduler.submit(submit)
    scheduler.admitted(Admitted(sequence_id(1, 0), 0, scheduler.admissions()[0].ticket, [90]), 0.0)
    found: list[bool] = []
    while (plan := scheduler.plan()) is not None:
        found.append(plan.awaited)
        sampled = [Sampled(id, 7) for row in plan.rows for id in row.sample]
        done = StepDone(0, plan.step, sampled, device_ns=4 * 10**7, ran=[sequence_id(1, 0)])
        scheduler.step_done(done, 0.0)
    assert found[: len(awaited)] == awaited


def test_no_step_is_awaited_while_somebody_is_about_to_join() -> None:
    scheduler = Scheduler(SMALL)
    scheduler.executor_ready(ExecutorReady(0, POOL))
    for request in (1, 2):
        scheduler.submit(Submit(request, TokenIds.of(prompt_of(5)), Task.EMBED))
    first, second = scheduler.admissions()
    scheduler.admitted(Admitted(first.sequence, 0, first.ticket, [90]), 0.0)
    plan = scheduler.plan()
    assert plan is not None
    assert not plan.awaited
    scheduler.admitted(Admitted(second.sequence, 0, second.ticket, [90]), 0.0)
    plan = scheduler.plan()
    assert plan is not None
    assert plan.awaited


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


def test_prompts_whose_tokens_are_scored_come_in_smaller_chunks_while_others_stream() -> None:
    scheduler = Scheduler(Limits(token_budget=512, prefill_chunk=64, max_sequences=9))
    scheduler.executor_ready(ExecutorReady(0, [GroupPages(CacheKind.FULL, 1000, 4)]))
    scored = [Submit(n, TokenIds.of(prompt_of(200, n)), max_tokens=1, prompt_logprobs=5) for n in (2, 3, 4)]

    def lengths(*submits: Submit) -> dict[int, int]:
        for submit in submits:
            scheduler.submit(submit)
        for admit in scheduler.admissions():
            scheduler.admitted(Admitted(admit.sequence, 0, admit.ticket, [90 + admit.ticket]), 0.0)
        plan = scheduler.plan()
        assert plan is not None
        ran = [row.sequence for row in plan.rows]
        sampled = [Sampled(id, 7) for row in plan.rows for id in row.sample]
        scheduler.step_done(StepDone(0, plan.step, sampled, device_ns=10**8, ran=ran), 0.0)
        return {row.sequence: row.length for row in plan.rows}

    assert lengths(scored[0]) == {sequence_id(2, 0): 200}
    assert lengths(Submit(1, TokenIds.of(prompt_of(5)), max_tokens=50))[sequence_id(1, 0)] == 5
    beside = lengths(*scored[1:])
    assert beside.pop(sequence_id(1, 0)) == 1
    assert sum(beside.values()) == 64 // 8


@pytest.mark.parametrize(("configured", "tokens"), [(0, 2048), (300, 300)])
def test_a_step_holds_as_many_prompt_tokens_as_suit_the_device_unless_told_otherwise(
    configured: int, tokens: int
) -> None:
    scheduler = Scheduler(Limits(token_budget=configured))
    pool = [GroupPages(CacheKind.FULL, 1000, 4)]
    scheduler.executor_ready(ExecutorReady(0, pool, step_tokens=2048))
    reset = scheduler.reset()
    assert reset is not None
    assert reset.longest_row == tokens
    scheduler.submit(Submit(1, TokenIds.of(prompt_of(3000)), max_tokens=5))
    (admit,) = scheduler.admissions()
    scheduler.admitted(Admitted(admit.sequence, 0, admit.ticket, [900]), 0.0)
    plan = scheduler.plan()
    assert plan is not None
    assert [row.length for row in plan.rows] == [tokens]
