"""What becomes of planned steps: tokens, rows that were left out, pages that run out."""

from __future__ import annotations

from mlxr.actors.scheduler.core import Scheduler
from mlxr.runtime.messages.common import FinishReason, sequence_id
from mlxr.runtime.messages.scheduler import Admitted, Deferred, ExecutorReady, Sampled, StepDone, Submit
from mlxr.runtime.messages.token_ids import TokenIds
from mlxr.runtime.messages.tokenizer import RequestDone
from tests.actors.scheduler.rig import POOL, SMALL, prompt_of
from tests.actors.simulated_device import expected
from tests.actors.simulation import Engine


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


def test_a_sequence_that_outgrows_the_whole_pool_ends_for_length() -> None:
    engine = Engine(SMALL, pages=4, page_size=4)
    prompt = prompt_of(12)
    engine.submit(1, prompt, 1000, seed=1)
    engine.settle()
    assert engine.finish[sequence_id(1, 0)] in (FinishReason.LENGTH, FinishReason.STOP)
    got = engine.output[sequence_id(1, 0)]
    assert got == expected(prompt, 1, 1000)[: len(got)]
    assert isinstance(engine.ended[1][0], RequestDone)
