from __future__ import annotations

from mlxr.actors.scheduler.in_flight import InFlightRow, InFlightSteps
from tests.actors.scheduler.speculation.test_depth import sequences


def test_a_step_is_told_from_those_that_the_device_had_to_wait_for() -> None:
    [sequence], steps = sequences(1), InFlightSteps()
    for step in (5, 6):
        steps.add(step, [InFlightRow(sequence, 0, [], False)])
    assert (steps.follows(5), steps.follows(6)) == (False, True)
    for step in (5, 6):
        steps.finish(step, [sequence.id], 0.01)
    steps.add(9, [InFlightRow(sequence, 0, [], False)])
    assert not steps.follows(9)


def test_nothing_is_planned_behind_a_step_that_takes_long() -> None:
    [sequence], steps = sequences(1), InFlightSteps()

    def add(step: int, length: int) -> None:
        steps.add(step, [InFlightRow(sequence, 0, [], False, length)])

    add(1, 512)
    assert not steps.full
    steps.finish(1, [sequence.id], seconds=0.4)
    add(2, 512)
    assert steps.full
    steps.finish(2, [sequence.id], seconds=0.4)
    add(3, 128)
    assert not steps.full
    add(4, 128)
    assert steps.full


def test_a_step_that_took_long_once_is_forgotten_when_quicker_ones_come() -> None:
    """The first of a model may read its weights from the disk; where only a few tokens come then, they say so."""
    [sequence], steps = sequences(1), InFlightSteps()
    for step, (length, seconds) in enumerate([(64, 6.4), (32, 0.02)]):
        steps.add(step, [InFlightRow(sequence, 0, [], False, length)])
        steps.finish(step, [sequence.id], seconds)
    steps.add(2, [InFlightRow(sequence, 0, [], False, 32)])
    assert not steps.full
