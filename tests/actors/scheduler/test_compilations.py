"""Nobody runs before the executor has compiled what holds them, and nobody else waits for it."""

from __future__ import annotations

import random

import pytest

from mlxr.actors.scheduler.compilations import AHEAD, AT_ONCE, KNOWN
from mlxr.actors.scheduler.settings import Limits
from mlxr.runtime.messages.common import Constraint, ConstraintKind, ErrorCode, sequence_id
from mlxr.runtime.messages.scheduler import ConstraintCompiled
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed
from tests.actors.simulated_device import expected
from tests.actors.simulation import BAD, Engine

LIMITS = Limits(token_budget=16, prefill_chunk=4, max_sequences=4, max_waiting=300)


def regex(source: str) -> Constraint:
    return Constraint(ConstraintKind.REGEX, source, field="regex")


def engine_of(limits: Limits = LIMITS, seed: int = 0) -> Engine:
    return Engine(limits, pages=40, page_size=4, choose=random.Random(seed).randrange)


def test_a_request_waits_for_its_constraint_while_others_pass_it() -> None:
    engine = engine_of()
    engine.submit(1, [1, 2, 3], 4, constraint=regex("a"))
    engine.submit(2, [4, 5, 6], 4)
    held = engine.to_executor.popleft()
    engine.settle()
    assert engine.output == {sequence_id(2, 0): expected([4, 5, 6], 7, 4)}
    assert engine.queued == [2]
    engine.to_executor.append(held)
    engine.settle()
    assert engine.output[sequence_id(1, 0)] == expected([1, 2, 3], 7, 4)
    assert engine.queued == [2, 1]


def test_a_constraint_that_is_known_is_not_asked_about_again() -> None:
    engine = engine_of()
    for request in range(1, 4):
        engine.submit(request, [request, 2], 2, constraint=regex("a"))
        engine.settle()
    assert [command.request for command in engine.compiled] == [1]
    assert engine.queued == [1, 2, 3]


def test_a_constraint_that_cannot_be_compiled_fails_its_request_alone_before_it_is_queued() -> None:
    engine = engine_of()
    engine.submit(1, [1, 2], 3, constraint=regex(BAD))
    engine.submit(2, [1, 2], 3, constraint=regex("b"))
    engine.settle()
    (failed,) = engine.ended[1]
    assert isinstance(failed, RequestFailed)
    assert (failed.error.code, failed.error.param) == (ErrorCode.INVALID, "regex")
    assert "it is bad" in failed.error.message
    assert isinstance(engine.ended[2][0], RequestDone)
    assert engine.queued == [2]
    engine.submit(3, [1, 2], 3, constraint=regex(BAD))
    engine.settle()
    assert isinstance(engine.ended[3][0], RequestFailed)


def test_another_executor_is_asked_again() -> None:
    engine = engine_of()
    engine.submit(1, [1, 2, 3], 12, constraint=regex("a"))
    engine.submit(2, [3, 4, 5], 12, constraint=regex("b"))
    for _ in range(12):
        engine.move()
    engine.crash()
    engine.settle()
    assert {command.epoch for command in engine.compiled} == {0, 1}
    for request, prompt in ((1, [1, 2, 3]), (2, [3, 4, 5])):
        assert engine.output[sequence_id(request, 0)] == expected(prompt, 7, 12)
    assert engine.queued == [1, 2]


def test_what_a_dead_executor_answered_is_not_believed_of_its_successor() -> None:
    engine = engine_of()
    engine.submit(1, [1, 2, 3], 2, constraint=regex("a"))
    engine.crash()
    assert engine.scheduler.constraint_compiled(ConstraintCompiled(0, 1)) is None
    assert engine.scheduler.admissions() == []
    engine.settle()
    assert engine.output[sequence_id(1, 0)] == expected([1, 2, 3], 7, 2)


def test_a_request_whose_constraint_kills_executors_is_given_up() -> None:
    engine = engine_of()
    engine.submit(1, [1, 2, 3], 2, constraint=regex("a"))
    for _ in range(3):
        engine.crash()
    assert isinstance(engine.ended[1][0], RequestFailed)
    engine.settle()
    assert engine.output == {}


def test_a_request_that_is_cancelled_while_its_constraint_compiles_is_forgotten() -> None:
    engine = engine_of()
    engine.submit(1, [1, 2, 3], 2, constraint=regex("a"))
    engine.cancel(1)
    engine.settle()
    assert (engine.output, engine.queued, engine.ended) == ({}, [], {})


@pytest.mark.parametrize("seed", range(3))
def test_more_constraints_than_are_remembered_all_run_each_compiled_a_few_times(seed: int) -> None:
    engine = engine_of(seed=seed)
    count = 2 * KNOWN + AHEAD
    for request in range(1, count + 1):
        engine.submit(request, [request % 90 + 1, 2], 2, n=1 + request % 2, constraint=regex(f"a{request}"))
    engine.settle(limit=100_000)
    for request in range(1, count + 1):
        assert engine.output[sequence_id(request, 0)] == expected([request % 90 + 1, 2], 7, 2)
    assert sorted(engine.queued) == list(range(1, count + 1))
    assert len(engine.compiled) <= 3 * count


def test_clients_take_turns_at_having_theirs_compiled() -> None:
    engine = engine_of()
    for request in range(1, 9):
        engine.submit(request, [request, 2], 2, constraint=regex(f"a{request}"), client="a")
    engine.submit(9, [9, 2], 2, constraint=regex("b"), client="b")
    engine.settle()
    asked = [command.request for command in engine.compiled]
    assert sorted(asked) == list(range(1, 10))
    assert asked.index(9) <= AT_ONCE
    assert all(engine.output[sequence_id(request, 0)] for request in range(1, 10))
