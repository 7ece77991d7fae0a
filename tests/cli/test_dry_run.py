"""``mlxr pull --dry-run`` as people run it: a process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlxr.metal.tensors import TensorType
from tests.cli.commands import mlxr
from tests.models import model_path
from tests.models.files import Sizes, write_hollow
from tests.server import serving


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


def test_a_server_that_runs_here_counts_what_its_models_would_give_back(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(home, "--set", "models.memory_limit=2GB") as server:
        of_server = server.request("/api/estimate", {"model": "smollm2"})[1]["memory"]
        assert of_server["limit"] == 2 * 10**9
        held = server.request("/api/ps")[1]["models"][0]["size"]
        assert of_server["reclaimable"] == pytest.approx(held, rel=0.2)
        found = json.loads(pull(home, str(model_path("gemma3")), "--json").stdout)["memory"]
        assert (found["limit"], found["available"]) == (2 * 10**9, 2 * 10**9)
        assert "make way that other models hold" in pull(home, str(model_path("gemma3"))).stdout
        server.request("/api/generate", {"model": "smollm2", "pin": True, "stream": False})
        pinned = server.request("/api/estimate", {"model": "smollm2"})[1]["memory"]
        assert pinned["reclaimable"] == 0
        assert 0 < pinned["limit"] < 2 * 10**9
    alone = json.loads(pull(home, str(model_path("gemma3")), "--json", MLXR_MODELS_MEMORY_LIMIT="1GB").stdout)
    assert (alone["memory"]["limit"], alone["memory"]["reclaimable"]) == (10**9, 0)


def test_show_tells_what_a_load_needs(tmp_path: Path) -> None:
    assert mlxr(tmp_path, "pull", str(model_path("smollm2"))).returncode == 0
    shown = mlxr(tmp_path, "show", "smollm2").stdout
    assert re.search(r"^memory +needs .* MB with 8192 tokens of context, have .* GB$", shown, re.MULTILINE)
    assert re.search(r"^ +.* MB weights \+ .* MB context \+ .* to work with$", shown, re.MULTILINE)
    assert json.loads(mlxr(tmp_path, "show", "smollm2", "--json").stdout)["memory"]["fits"] is True
