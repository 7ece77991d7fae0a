"""What ``mlxr bench --roofline`` works out and shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlxr.cli.bench.result import Bound, Point, Result
from mlxr.cli.bench.roofline import Work, decode, prefill, roofline_of
from mlxr.cli.bench.terminal import show_roofline
from mlxr.runtime.errors import ConfigError

BOUND = Bound(10e9, 100_000_000, ((1000, 0, 0), (500, 0, 512)), 1e12, 200_000_000, 50_000_000, ((3000, 0), (2000, 512)))
RESULT = Result(
    "smollm2",
    "Q4_1",
    "134M",
    "x86_64, 2 cores",
    1,
    (Point(1000, 1, 2000.0, 50.0),),
    (Point(1000, 16, None, 400.0),),
    BOUND,
)


def test_a_step_takes_as_long_as_the_slower_of_memory_and_arithmetic() -> None:
    assert Work(10, 100, 1).seconds(10.0, 10.0) == 10
    assert Work(100, 10, 1).seconds(10.0, 10.0) == 10


def test_decoding_reads_weights_once_and_computes_for_each_answer() -> None:
    work = decode(BOUND, 1000, 16)
    assert work.nbytes == 100_000_000 + 16 * (1000 * 1000 + 500 * 512)
    assert work.operations == 16 * (200_000_000 + 3000 * 1000 + 2000 * 512)


def test_a_prompt_needs_the_logits_of_its_last_token_alone_and_attends_to_what_is_before() -> None:
    work = prefill(BOUND, 1000)
    pairs = sum(range(1, 1001))
    windowed = sum(min(seen, 512) for seen in range(1, 1001))
    assert work.operations == 1000 * 150_000_000 + 50_000_000 + 3000 * pairs + 2000 * windowed
    assert work.tokens == 1000


def test_measured_over_bound_for_prefill_one_answer_and_16(capsys: pytest.CaptureFixture[str]) -> None:
    found = roofline_of(RESULT)
    prompt, one, many = found.lines
    assert (prompt.bound_by, one.bound_by, many.bound_by) == ("arithmetic", "memory", "memory")
    assert one.bound == pytest.approx(10e9 / (100_000_000 + 1_256_000))
    assert many.share == pytest.approx(400 / many.bound)
    assert found.as_json()["lines"][1]["share"] == pytest.approx(one.share)
    show_roofline(found)
    told = capsys.readouterr()
    for expected in ("prefill of 1,000", "16 streams", "1,000 GFLOP/s", "10.0 GB/s", "arithmetic", "51%"):
        assert expected in told.out
    assert not told.err


def test_more_than_the_bound_is_said_to_be_a_busy_machine(capsys: pytest.CaptureFixture[str]) -> None:
    show_roofline(roofline_of(replace(RESULT, bound=replace(BOUND, bandwidth=1e9))))
    assert "busier" in capsys.readouterr().err


@pytest.mark.parametrize("bound", [None, replace(BOUND, arithmetic=0.0)])
def test_without_a_bound_the_way_out_is_said(bound: Bound | None) -> None:
    with pytest.raises(ConfigError, match="--endpoint"):
        roofline_of(replace(RESULT, bound=bound))
