"""Drafts, right and wrong, change nothing in what a request gets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlxr.runtime.messages.kv import GroupPages
from tests.actors.scheduler.drafters import KINDS, LyingDrafter, speculation
from tests.actors.scheduler.rig import SMALL, check, prompt_of
from tests.actors.scheduler.schedules import MIXES, device_of, events, mixed, run_schedule
from tests.actors.simulation import Engine


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mix", MIXES)
@settings(max_examples=25, deadline=None)
@given(
    schedule=events,
    pages=st.integers(8, 30),
    page_size=st.sampled_from([1, 2, 4, 8]),
    late=st.booleans(),
    random=st.randoms(use_true_random=False),
)
def test_whatever_drafts_there_are_every_request_gets_its_tokens(
    kind: str,
    mix: str,
    schedule: list[tuple[str, int, int, int]],
    pages: int,
    page_size: int,
    late: bool,
    random: object,
) -> None:
    choose, groups = random.randrange, mixed(mix, pages, page_size)  # type: ignore[attr-defined]
    drafts, depths = speculation(kind, choose)
    depths.random = choose
    engine = Engine(SMALL, pages, page_size, choose, groups, lambda: device_of(groups, late=late), drafts)
    run_schedule(engine, schedule)
    assert isinstance(drafts.drafter, LyingDrafter)
    assert not drafts.drafter.known, "sequences have ended and are still open"


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
