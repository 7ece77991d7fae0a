"""What happens to requests when executors die."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.actors.kv.placement import NO_STEP
from mlxr.runtime.messages.common import ErrorCode, request_of
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.scheduler import StepDone
from mlxr.runtime.messages.tokenizer import RequestDone, RequestFailed
from tests.actors.scheduler.rig import POOL, SMALL, check, prompt_of
from tests.actors.simulated_device import Device, Memory
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


@dataclass
class SmallDevice:
    """A device without memory for a step of more than ``most`` rows, or for more tokens than those of the request in
    ``too_long``."""

    device: Device
    most: int = 100
    too_long: tuple[int, int] = (0, 0)

    def run(self, step: Step) -> StepDone:
        request, length = self.too_long
        if any(request_of(row.sequence) == request and row.start + row.length > length for row in step.rows):
            raise MemoryError("no memory for so many tokens")
        if len(step.rows) > self.most:
            raise MemoryError("no memory for so many rows")
        return self.device.run(step)

    def collect(self) -> StepDone | None:
        return None


def engine_with(**limits: Any) -> Engine:
    return Engine(
        SMALL, 0, 0, groups=POOL, device=lambda: SmallDevice(Device([Memory(part) for part in POOL]), **limits)
    )


def test_a_pool_that_was_emptied_by_a_step_nobody_planned_is_known_to_be_empty() -> None:
    engine = Engine(SMALL, pages=100, page_size=4)
    engine.submit(1, prompt_of(17), 3)
    engine.settle()
    run, failures = engine.device.run, iter([True])

    def fail_once(step: Step) -> StepDone | None:
        if step.step == NO_STEP and next(failures, False):
            raise MemoryError("no memory for more pages")
        return run(step)

    engine.device.run = fail_once  # type: ignore[method-assign]
    engine.limit(0)
    engine.settle()
    engine.submit(2, [*prompt_of(17), 5, 6], 3)
    engine.settle()
    done = engine.ended[2][0]
    assert isinstance(done, RequestDone), done
    assert done.usage.cached_tokens == 0
    check(engine, 2, [*prompt_of(17), 5, 6], 3)


def test_of_requests_that_shared_a_step_that_broke_the_one_at_fault_fails() -> None:
    engine = engine_with(too_long=(3, 14))
    for request in range(1, 6):
        engine.submit(request, prompt_of(6 + request, request), 30, seed=request)
    engine.settle()
    (failed,) = engine.ended[3]
    assert isinstance(failed, RequestFailed)
    assert "so many tokens" in failed.error.message
    for request in (1, 2, 4, 5):
        check(engine, request, prompt_of(6 + request, request), 30, seed=request)


def test_requests_that_want_too_much_only_together_all_come_to_their_ends() -> None:
    engine = engine_with(most=2)
    for request in range(1, 6):
        engine.submit(request, prompt_of(6 + request, request), 20, seed=request)
    engine.settle()
    for request in range(1, 6):
        check(engine, request, prompt_of(6 + request, request), 20, seed=request)


def test_a_request_alone_in_the_step_that_broke_is_refused_and_the_next_is_served() -> None:
    engine = engine_with(too_long=(1, 10))
    engine.submit(1, prompt_of(12), 5)
    engine.settle()
    assert isinstance(engine.ended[1][0], RequestFailed)
    engine.submit(2, prompt_of(12), 5)
    engine.settle()
    check(engine, 2, prompt_of(12), 5)


@settings(max_examples=60, deadline=None)
@given(
    asked=st.lists(st.tuples(st.integers(1, 25), st.integers(1, 12)), min_size=1, max_size=8),
    most=st.integers(1, 6),
    late=st.integers(0, 40),
    random=st.randoms(use_true_random=False),
)
def test_whatever_a_small_device_has_no_memory_for_every_request_gets_its_tokens_or_one_refusal(
    asked: list[tuple[int, int]], most: int, late: int, random: Any
) -> None:
    def device() -> SmallDevice:
        return SmallDevice(Device([Memory(part) for part in POOL]), most, too_long=(1, late))

    engine = Engine(SMALL, 0, 0, random.randrange, groups=POOL, device=device)
    for request, (length, tokens) in enumerate(asked, 1):
        engine.submit(request, prompt_of(length, request), tokens)
        for _ in range(random.randrange(6)):
            engine.move()
    engine.settle()
    for request, (length, tokens) in enumerate(asked, 1):
        (outcome,) = engine.ended[request]
        if isinstance(outcome, RequestFailed):
            assert request == 1
        else:
            check(engine, request, prompt_of(length, request), tokens)
    assert engine.placement is not None
    assert engine.placement.held == 0
