"""What happens to requests when executors die."""

from __future__ import annotations

from mlxr.runtime.messages.common import ErrorCode
from mlxr.runtime.messages.tokenizer import RequestFailed
from tests.actors.scheduler.rig import SMALL, check, prompt_of
from tests.actors.simulation import Engine


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
