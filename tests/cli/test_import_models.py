"""``mlxr import`` and ``mlxr ls --all``, as processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.actors.registry.packages import files_under
from tests.actors.registry.tool_stores.stores import ollama_model


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own with one model in Ollama's folder, and a broken one."""
    ollama_model(tmp_path / "ollama")
    ollama_model(tmp_path / "ollama", "registry.ollama.ai/library/broken/latest").write_text("<html>")
    hidden = ("HF_HOME", "HF_HUB_CACHE", "LLAMA_CACHE", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    (tmp_path / "user").mkdir()
    return {
        **kept,
        "HOME": str(tmp_path / "user"),
        "MLXR_HOME": str(tmp_path / "home"),
        "OLLAMA_MODELS": str(tmp_path / "ollama"),
    }


def mlxr(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mlxr", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_what_ollama_has_is_imported_listed_and_removed_in_place(environment: dict[str, str], tmp_path: Path) -> None:
    blobs = sorted((tmp_path / "ollama/blobs").iterdir())
    done = mlxr(environment, "import", "--from", "ollama")
    assert done.returncode == 0
    assert done.stdout.startswith("tiny:1b  ")
    assert len(done.stderr.splitlines()) == 1
    assert "broken" in done.stderr
    (listed,) = json.loads(mlxr(environment, "ls", "--json").stdout)
    assert (listed["name"], Path(listed["path"]).parent) == ("tiny:1b", tmp_path / "ollama/blobs")
    assert "stay in Ollama's store" in mlxr(environment, "rm", "tiny:1b").stdout
    assert sorted((tmp_path / "ollama/blobs").iterdir()) == blobs
    assert files_under(tmp_path / "home/models") == []


def test_all_that_is_found_is_listed_with_whether_it_runs_here(environment: dict[str, str]) -> None:
    listed = mlxr(environment, "ls", "--all").stdout.splitlines()
    assert any(line.startswith("ollama:tiny:1b ") and " yes" in line for line in listed)
    assert any(line.startswith("ollama:broken:latest ") and "no: it is a web page" in line for line in listed)
    found = json.loads(mlxr(environment, "ls", "--all", "--json").stdout)["found"]["models"]
    assert {model["name"]: model["runs"] for model in found} == {"ollama:tiny:1b": True, "ollama:broken:latest": False}


def test_one_model_is_imported_under_a_name_of_its_own(environment: dict[str, str]) -> None:
    done = mlxr(environment, "import", "ollama:tiny:1b", "--name", "mine", "--json")
    assert [model["name"] for model in json.loads(done.stdout)["imported"]] == ["mine"]
    assert "ollama:tiny:1b" in mlxr(environment, "show", "ollama:tiny:1b").stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["ollama:nope"], 1, "Ollama has no model 'nope'"),
        (["nope"], 1, "does not say whose it is"),
        (["/etc/hosts"], 2, "commands take it as it is, and `mlxr pull /etc/hosts` keeps a copy"),
        ([], 2, "--from"),
        (["--from", "nope"], 2, "it may be ollama, lmstudio, huggingface, llama.cpp"),
        (["--from", "lmstudio"], 0, "nothing was found there"),
    ],
)
def test_what_goes_wrong_is_said_with_the_way_out(
    environment: dict[str, str], arguments: list[str], status: int, said: str
) -> None:
    done = mlxr(environment, "import", *arguments)
    assert done.returncode == status
    assert said in done.stderr.replace("\n│", "").replace("  ", " ")


def test_a_store_that_can_not_be_looked_into_is_no_success(environment: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    (place / "manifests").mkdir(parents=True)
    (place / "manifests" / "registry.ollama.ai").symlink_to("registry.ollama.ai")  # as nobody, root included, may read
    done = mlxr({**environment, "OLLAMA_MODELS": str(place)}, "import", "--from", "ollama")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mlxr: Ollama: ")


def test_where_a_tool_has_no_store_it_says_where_it_looked(environment: dict[str, str], tmp_path: Path) -> None:
    done = mlxr({**environment, "OLLAMA_MODELS": ""}, "import", "--from", "ollama")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"nothing was found there (looked in {tmp_path / 'user'}/.ollama/models" in done.stderr
