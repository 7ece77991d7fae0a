"""What ``mlxr bench`` works out and shows of its figures."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlxr.cli.bench.measure import _series
from mlxr.cli.bench.picture import draw
from mlxr.cli.bench.result import Bound, Point, Result
from mlxr.cli.bench.terminal import bar, show
from mlxr.runtime.errors import StartError

BOUND = Bound(10e9, 100_000_000, ((1000, 0, 0), (500, 0, 512), (0, 4096, 0)))


def result(bound: Bound | None = BOUND) -> Result:
    def point(context: int, batch: int, decode: float) -> Point:
        return Point(context, batch, 900.0 if batch == 1 else None, decode, bound and 2 * decode)

    contexts = tuple(point(context, 1, 90 - context / 200) for context in (512, 1024, 2048, 4000))
    batches = tuple(point(512, batch, 80.0 * batch**0.8) for batch in (1, 2, 4, 8, 16))
    return Result("smollm2", "Q4_1", "134M", "x86_64, 2 cores", 3, contexts, batches, bound, "a prompt takes 99 s")


def test_the_bound_counts_weights_once_and_what_is_kept_for_each_answer() -> None:
    assert Bound(10e9, 100_000_000).tokens_per_second(512, 4) == pytest.approx(400)
    kept = 1000 * 2048 + 500 * 512 + 4096
    assert BOUND.tokens_per_second(2048, 8) == pytest.approx(8 * 10e9 / (100_000_000 + 8 * kept))


def test_json_has_every_figure_and_its_share_of_the_bound() -> None:
    told = result().as_json()
    assert [point["context"] for point in told["contexts"]] == [512, 1024, 2048, 4000]
    assert all(point["share"] == pytest.approx(0.5) for point in (*told["contexts"], *told["batches"]))
    assert told["batches"][0]["batch"] == 1
    assert result(None).as_json()["contexts"][0]["share"] is None


@pytest.mark.parametrize(
    ("most", "series"),
    [(100, [100]), (512, [512]), (2000, [512, 1024, 2000]), (8127, [512, 1024, 2048, 4096, 8127])],
)
def test_contexts_double_from_512_as_far_as_there_is(most: int, series: list[int]) -> None:
    assert _series(most) == series


def test_tables_say_what_was_measured_and_against_what(capsys: pytest.CaptureFixture[str]) -> None:
    show(result())
    told = capsys.readouterr()
    for expected in ("10.0 GB/s", "CONTEXT", "4,000", "ANSWERS", "50%", "medians of 3", "smollm2, 134M, Q4_1"):
        assert expected in told.out
    assert "a prompt takes 99 s" in told.err
    show(result(None))
    assert "%" not in capsys.readouterr().out


def test_a_bar_is_as_long_as_its_share() -> None:
    assert bar(1.0, 8) == "█" * 8
    assert bar(0.5, 8) == "█" * 4
    assert bar(0.53, 8) == "█" * 4 + "▎"
    assert bar(0.0, 8) == ""


@pytest.mark.parametrize("bound", [BOUND, None])
def test_the_picture_is_light_and_shows_lines_in_three_colours(tmp_path: Path, bound: Bound | None) -> None:
    from matplotlib.image import imread

    draw(result(bound), tmp_path / "figures.png")
    width, height = struct.unpack(">II", (tmp_path / "figures.png").read_bytes()[16:24])
    assert width >= 1000  # for a phone
    assert height > width
    pixels = imread(tmp_path / "figures.png")[..., :3]
    assert (pixels > 0.97).all(axis=-1).mean() > 0.7
    for third, colour in enumerate(((37, 99, 235), (5, 150, 105), (217, 119, 6))):
        part = pixels[third * height // 3 : (third + 1) * height // 3]
        assert (np.abs(part * 255 - colour).max(axis=-1) < 3).sum() > 500


def test_a_picture_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="can't write"):
        draw(result(), tmp_path / "absent" / "figures.png")


def test_without_matplotlib_it_says_how_to_get_it_before_anything_is_measured(tmp_path: Path) -> None:
    code = "import sys; sys.modules['matplotlib'] = None; from mlxr.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "bench", "--plot", "x.png"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert (
        done.stderr == "mlxr: --plot draws with matplotlib, which is not installed: pip install 'mlxr[plot]' gets it\n"
    )
