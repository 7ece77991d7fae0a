from __future__ import annotations

from mlxr.actors.scheduler.planned_shapes import PlannedShapes
from mlxr.runtime.messages.kv import Plan, PlanRow


def plan(step: int) -> Plan:
    decode, draft, prompt = PlanRow(1, 9, 1, sample=[1]), PlanRow(2, 9, 4, sample=[2], draft=3), PlanRow(3, 0, 7)
    return Plan(0, step, [decode, draft, prompt])


def test_a_step_s_decode_rows_and_prompt_tokens_are_told_once() -> None:
    shapes = PlannedShapes()
    shapes.note(plan(5))
    assert shapes.take(5) == (2, 7)
    assert shapes.take(5) is None


def test_steps_that_never_ran_are_not_remembered() -> None:
    shapes = PlannedShapes()
    for step in range(1, 100):
        shapes.note(plan(step))
    assert shapes.take(98) == (2, 7)
    assert len(shapes) == 1
