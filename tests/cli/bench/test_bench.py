"""``mlxr bench`` on a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import mlxr
from tests.server import Server, serving


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("bench"), "smollm2") as running:
        yield running


def test_figures_over_context_and_batch_and_a_picture(server: Server, tmp_path: Path) -> None:
    picture = tmp_path / "figures.png"
    done = mlxr(server.home, "bench", "--quick", "--max-context", "1024", "--json", "--plot", str(picture))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["model"] == "smollm2"
    assert [point["context"] for point in told["contexts"]] == [512, 1024]
    assert [point["batch"] for point in told["batches"]] == [1, 2, 4, 8, 16]
    assert all(point["decode"] > 0 and point["prefill"] > 0 for point in told["contexts"])
    # 16 answers at once share the reading of weights.
    assert told["batches"][-1]["bound"] > told["batches"][0]["bound"] > 0
    assert told["bound"]["bandwidth"] > 1e8
    assert 30e6 < told["bound"]["weights"] < 200e6
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_memory_and_arithmetic_allow_of_the_model_that_runs(server: Server) -> None:
    done = mlxr(server.home, "bench", "smollm2", "--quick", "--roofline", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [line["what"] for line in told["lines"]] == ["prefill of 512", "decode", "16 streams"]
    assert all(line["bound"] > 0 and line["measured"] > 0 for line in told["lines"])
    # 134.5 M weights a token, two operations each, and attention.
    assert 1 < told["lines"][1]["operations"] / (2 * 134.5e6) < 1.2
    assert told["arithmetic"] > told["bandwidth"] > 1e8


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--roofline", "--plot", "figures.png"], 2, "--plot"),
        (["--plot", "figures.bmp"], 2, ".png"),
        (["nobody"], 1, "'nobody'"),
    ],
)
def test_what_can_not_be_measured_is_said_in_one_line(
    server: Server, arguments: list[str], status: int, says: str
) -> None:
    done = mlxr(server.home, "bench", *arguments)
    assert done.returncode == status
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
