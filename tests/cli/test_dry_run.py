"""``mlxr pull --dry-run`` as people run it: a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlxr.metal.tensors import TensorType
from tests.models import model_path
from tests.models.files import Sizes, write_hollow


def pull(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MLXR_")}
    return subprocess.run(
        [sys.executable, "-m", "mlxr", "pull", "--dry-run", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**inherited, "MLXR_HOME": str(home), "COLUMNS": "200", **more},
    )


def test_it_says_what_a_model_is_and_needs_and_fetches_nothing(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = pull(home, str(model_path("smollm2")), "--context", "4096")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = {line[:14].strip(): line[14:] for line in done.stdout.splitlines()}
    assert said["architecture"] == "llama"
    assert said["parameters"] == "134.52M"
    assert said["runs here"].startswith("yes, on ")
    assert said["memory"].startswith("needs ")
    assert ", have " in said["memory"]
    assert said["context"].startswith("4096 tokens take ")
    assert "tokens/s" in said["speed"]
    assert said["disk"].startswith("needs 98.4 MB, have ")
    assert [path.name for path in (home / "models").rglob("*") if path.is_file()] == []
    kept = json.loads((home / "machine.json").read_text())["machine"]
    assert kept["rates"]["Q8_0"] > 1e8


def test_json_has_numbers_for_programs(tmp_path: Path) -> None:
    done = pull(tmp_path / "home", str(model_path("gemma3")), "--json")
    found = json.loads(done.stdout)
    assert found["runs"]
    assert found["memory"]["fits"]
    assert [group["kind"] for group in found["memory"]["groups"]] == ["window", "full"]
    assert found["memory"]["needed"] < found["memory"]["available"]
    assert found["read"] < found["size"] / 10


def test_what_does_not_fit_is_said_with_the_exit_status(tmp_path: Path) -> None:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    layer = Sizes(layers=1, width=8192, hidden=32768, heads=64, kv_heads=64, head_dim=128, vocabulary=49152)
    layers = memory // (4 * layer.width**2 + 3 * layer.width * layer.hidden) + 1
    sizes = Sizes(layers, 8192, 32768, 64, 64, 128, 49152, context=4096)
    model = write_hollow(tmp_path / "huge.gguf", TensorType.Q8_0, sizes, model_path("smollm2"))
    done = pull(tmp_path / "home", str(model))
    assert done.returncode == 1
    assert "it does not fit" in done.stdout
    assert "no context fits" in done.stdout


@pytest.mark.parametrize("arguments", [("./nothing.gguf",), ("nobody/knows/this/name",), (__file__,)])
def test_what_is_no_model_is_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = pull(tmp_path / "home", *arguments)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("mlxr: ")
    assert done.stderr.count("\n") == 1
