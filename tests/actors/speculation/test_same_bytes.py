"""Speculation changes no byte of any answer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mlxr.actors.scheduler.speculation.engine import speculation
from mlxr.actors.scheduler.speculation.settings import SpeculationSection
from mlxr.metal.cpu.backend import CpuBackend
from tests.actors.speculation.comparison import compare, loaded
from tests.actors.speculation.engine import Loaded


@pytest.fixture(scope="module")
def smollm2() -> Iterator[Loaded]:
    made = loaded(CpuBackend(2))
    made.compiler.start()
    yield made
    made.compiler.stop()


@pytest.mark.parametrize("seed", range(2))
def test_random_requests_over_many_streams_get_the_same_with_drafts_of_every_kind(smollm2: Loaded, seed: int) -> None:
    """Greedy and seeded, with penalties, log-probabilities, grammars, tools, reasoning, stop strings, several choices,
    shared prompts; with sequences preempted and executors killed meanwhile."""
    result = compare(smollm2, count=40, seed=seed, crash_every=20)
    assert result.differing == []
    assert result.invalid == []
    counters = result.speculating.counters
    assert counters.preemptions > 0
    assert result.speculating.crashes > 0
    assert 0 < counters.accepted_tokens < counters.drafted_tokens


def test_random_requests_get_the_same_with_the_drafts_that_an_engine_makes(smollm2: Loaded) -> None:
    result = compare(smollm2, count=40, seed=2, crash_every=20, speculation=speculation(SpeculationSection()))
    assert result.differing == []
    assert result.invalid == []
    counters = result.speculating.counters
    assert 0 < counters.accepted_tokens <= counters.drafted_tokens
