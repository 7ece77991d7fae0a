"""A prompt of 32,768 tokens: what its steps hold, and what it keeps."""

from __future__ import annotations

from mlxr.actors.executor.pool_size import PoolSizes, group_pages, pool_spec
from mlxr.actors.kv.placement import Placement
from mlxr.actors.scheduler.core import Scheduler
from mlxr.actors.scheduler.settings import Limits
from mlxr.metal.cache import attention_group, cache_groups
from mlxr.metal.cpu.sizes import CpuSizes
from mlxr.runtime.messages.common import sequence_id
from mlxr.runtime.messages.kv import CacheKind, GroupPages, Plan, PlanRow
from mlxr.runtime.messages.scheduler import Admitted, ExecutorReady, Sampled, StepDone, Submit
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.scheduler.rig import prompt_of

LENGTH = 32_768


def test_streams_get_a_token_with_every_step_and_wait_for_one_chunk_at_most() -> None:
    limits = Limits(token_budget=512, prefill_chunk=128)
    scheduler = Scheduler(limits)
    scheduler.executor_ready(ExecutorReady(0, [GroupPages(CacheKind.FULL, 10_000, 32)]))
    streams = {sequence_id(request, 0) for request in (1, 2, 3)}
    for request in (1, 2, 3):
        submit(scheduler, request, 4, 10_000)
    steps = 0
    while steps < 5:
        steps += 1
        run(scheduler)
    submit(scheduler, 9, LENGTH, 5)
    long, read = sequence_id(9, 0), 0
    while read < LENGTH:
        rows = run(scheduler)
        assert streams <= rows.keys()
        assert rows.get(long, 0) <= limits.prefill_chunk
        read += rows.get(long, 0)
        steps += 1
    # Nothing is computed twice, and no step is without a part of it.
    assert read == LENGTH
    assert steps <= 5 + LENGTH // limits.prefill_chunk + 3


def submit(scheduler: Scheduler, request: int, length: int, most: int) -> None:
    scheduler.submit(Submit(request, TokenIds.of(prompt_of(length, request)), max_tokens=most))
    for admit in scheduler.admissions():
        scheduler.admitted(Admitted(admit.sequence, 0, admit.ticket, [10_000]), 0.0)


def run(scheduler: Scheduler) -> dict[int, int]:
    """Plans a step and has it done; returns the tokens of each of its rows."""
    plan = scheduler.plan()
    assert plan is not None
    sampled = [Sampled(id, 7) for row in plan.rows for id in row.sample]
    ran = [row.sequence for row in plan.rows]
    scheduler.step_done(StepDone(0, plan.step, sampled, device_ns=10**8, ran=ran), 0.0)
    return {row.sequence: row.length for row in plan.rows}


def test_it_keeps_what_the_arithmetic_says_and_no_page_more() -> None:
    """Of a model with 15 layers that see 512 tokens and 3 that see all, of a head of 256."""
    groups = cache_groups(attention_group(layer, 1, 256, None if layer % 6 == 5 else 512) for layer in range(18))
    sizes = PoolSizes(32, LENGTH + 32, LENGTH, budget=0, longest_row=512)
    spec = pool_spec(groups, sizes, CpuSizes().pool)
    placement = Placement(group_pages(spec, CpuSizes(), lazy=True), longest_row=512)
    tokens = TokenIds.of(prompt_of(LENGTH))
    placement.admit(1, tokens)
    for number, start in enumerate(range(0, LENGTH, 512)):
        step, deferred = placement.place(Plan(0, number, [PlanRow(1, start, 512, tokens[start : start + 512])]))
        assert step is not None
        assert deferred is None
    window, full = (group.pool.held for group in placement.groups)
    assert full == LENGTH // 32
    assert window <= placement.groups[0].spec.most_kept
    a_token_of_a_layer = 2 * 256 * 2
    held = sum(group.pool.held * group.spec.page_bytes for group in placement.groups)
    assert held <= 3 * LENGTH * a_token_of_a_layer + 15 * (512 + 3 * 32) * a_token_of_a_layer
    assert held <= placement.in_use <= CpuSizes().pool(spec)
