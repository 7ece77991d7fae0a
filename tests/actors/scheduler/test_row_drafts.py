"""Drafts, right and wrong, change nothing in what a request gets."""

from __future__ import annotations

from dataclasses import replace as replace_dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from mlxr.runtime.messages.common import Sampling
from mlxr.runtime.messages.executor import Step
from mlxr.runtime.messages.kv import GroupPages
from mlxr.runtime.messages.scheduler import DrafterInfo, DrafterKind, StepDone, Submit
from mlxr.runtime.messages.token_ids import TokenIds
from tests.actors.scheduler.drafters import KINDS, AnyDeviceDrafts, LyingDrafter, made, speculation
from tests.actors.scheduler.rig import SMALL, check, prompt_of
from tests.actors.scheduler.schedules import MIXES, device_of, events, mixed, run_schedule
from tests.actors.simulated_device import STOP_TOKEN
from tests.actors.simulation import Engine


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mix", MIXES)
@settings(max_examples=25, deadline=None)
@given(
    schedule=events,
    pages=st.integers(8, 30),
    page_size=st.sampled_from([1, 2, 4, 8]),
    extent=st.integers(0, 5),
    late=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_whatever_drafts_there_are_every_request_gets_its_tokens(
    kind: str,
    mix: str,
    schedule: list[tuple[str, int, int, int]],
    pages: int,
    page_size: int,
    extent: int,
    late: bool,
    random: object,
) -> None:
    choose, groups = random.randrange, mixed(mix, pages, page_size)  # type: ignore[attr-defined]
    groups = [replace(group, page_bytes=10 + index, extent=extent) for index, group in enumerate(groups)]
    drafts, depths = speculation(kind, choose)
    depths.random = choose
    engine = Engine(SMALL, pages, page_size, choose, groups, lambda: device_of(groups, late=late), drafts)
    run_schedule(engine, schedule)
    assert isinstance(drafts.drafter, LyingDrafter)
    assert not drafts.drafter.known, "sequences have ended and are still open"


@pytest.mark.parametrize("mix", MIXES)
@settings(max_examples=40, deadline=None)
@given(
    schedule=events,
    pages=st.integers(8, 30),
    page_size=st.sampled_from([1, 2, 4, 8]),
    late=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_whatever_drafts_the_executor_makes_every_request_gets_its_tokens(
    mix: str,
    schedule: list[tuple[str, int, int, int]],
    pages: int,
    page_size: int,
    late: bool,
    random: object,
) -> None:
    """They are right, wrong, shorter than wanted or none, beside drafts of others; executors die meanwhile."""
    choose, groups = random.randrange, mixed(mix, pages, page_size)  # type: ignore[attr-defined]
    drafts, depths = speculation("random", choose)
    depths.random = choose
    device = AnyDeviceDrafts(choose)
    drafts = replace_dataclass(drafts, device=device)
    info = DrafterInfo(DrafterKind.DRAFT_MODEL, 0.1, "a small one")
    engine = Engine(
        SMALL,
        pages,
        page_size,
        choose,
        groups,
        lambda: device_of(groups, late=late, make=made(choose)),
        drafts,
        drafter=info,
    )
    run_schedule(engine, schedule)
    assert not device.known, "sequences have ended and are still known"


def engine_with(kind: str, groups: list[GroupPages] | None = None) -> Engine:
    return Engine(SMALL, 40, 4, groups=groups, speculation=speculation(kind)[0])


@pytest.mark.parametrize("mix", MIXES)
def test_right_drafts_take_fewer_steps(mix: str) -> None:
    steps = []
    for kind in ("wrong", "right"):
        engine = engine_with(kind, mixed(mix, 40, 4))
        engine.submit(1, prompt_of(9, 2), 30)
        engine.settle()
        check(engine, 1, prompt_of(9, 2), 30)
        steps.append(engine.scheduler.counters.steps)
    assert steps[1] * 3 < steps[0]


def drafted_rows(engine: Engine) -> list[int]:
    """Runs all there is; returns how many steps were in flight with each one that had drafts."""
    counts: list[int] = []
    run = engine.device.run

    def watched(step: Step) -> StepDone | None:
        if any(row.draft for row in step.rows):
            counts.append(engine.scheduler.in_flight)
        return run(step)

    engine.device.run = watched  # type: ignore[method-assign]
    engine.settle()
    return counts


def test_a_step_with_drafts_is_alone_in_flight() -> None:
    engine = engine_with("right")
    for request in (1, 2, 3):
        engine.submit(request, prompt_of(9, request), 25)
    counts = drafted_rows(engine)
    assert counts
    assert set(counts) == {1}


def test_nothing_is_drafted_for_a_request_that_turns_it_off() -> None:
    engine = engine_with("right")
    prompt = prompt_of(9, 2)
    submit = Submit(1, TokenIds.of(prompt), max_tokens=25, sampling=Sampling(seed=7), stop_tokens=[STOP_TOKEN])
    engine.scheduler.submit(replace(submit, speculate=False))
    engine.pump()
    assert drafted_rows(engine) == []
    check(engine, 1, prompt, 25)


@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_depths_hear_what_drafts_said_of_tokens_in_flight_though_none_is_verified(kind: str) -> None:
    drafts, depths = speculation(kind)
    depths.random = lambda n: 0
    engine = Engine(SMALL, 40, 4, speculation=drafts)
    engine.submit(1, prompt_of(9, 2), 25)
    assert drafted_rows(engine) == []
    assert depths.results
    assert all(accepted == (drafted if kind == "right" else 0) for _, drafted, accepted in depths.results)


def test_depths_hear_what_steps_cost() -> None:
    drafts, depths = speculation("right")
    engine = Engine(SMALL, 40, 4, speculation=drafts)
    engine.submit(1, prompt_of(9, 2), 25)
    engine.settle()
    prompt = [cost for cost in depths.costs if cost.prompt_tokens]
    assert sum(cost.prompt_tokens for cost in prompt) == 9
    drafting = [cost for cost in depths.costs if cost.drafted]
    assert drafting
    assert all(cost.decode_rows == 1 and cost.tokens == 1 + cost.drafted for cost in drafting)
    assert all(cost.device_seconds > 0 for cost in depths.costs)
