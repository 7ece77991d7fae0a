"""What shells offer, and the scripts that ask."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import anyio
import pytest

from mlxr.actors.registry.catalogue.store import Store
from mlxr.actors.registry.sources.pull import pull_model
from mlxr.cli.completion import complete_key, complete_loaded, complete_model, complete_source
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import tiny_gguf
from tests.cli.commands import COMMAND, environment, mlxr
from tests.server import ignore

BASH = """
eval "$(mlxr completion bash)"
COMP_LINE="$1" COMP_POINT=${#1} COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
_mlxr_completion mlxr
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    monkeypatch.setenv("MLXR_HOME", str(home))
    for name in ("llama3.2", "Other"):
        tiny_gguf(tmp_path / f"{name}.gguf", name)
        anyio.run(pull_model, Home(home), str(tmp_path / f"{name}.gguf"), ignore)
    anyio.run(copy, home, "llama3.2", "llama3.2:1b")
    return home


async def copy(home: Path, source: str, name: str) -> None:
    store = await Store.open(Home(home))
    await store.copy(source, name)
    await store.close()


def in_bash(home: Path, line: str) -> list[str]:
    """What bash offers for a half-typed command line."""
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--norc", "-c", BASH, "bash", line]
    shown = subprocess.run(command, env=environment(home, PATH=path), capture_output=True, text=True, check=True)
    return shown.stdout.splitlines()


def test_names_are_completed_in_any_case_and_paths_as_they_were_begun(home: Path, tmp_path: Path) -> None:
    assert complete_model("LLAMA") == ["llama3.2", "llama3.2:1b"]
    assert complete_loaded("o") == ["Other"]
    assert complete_model(f"{tmp_path}/O") == [f"{tmp_path}/Other.gguf"]
    assert complete_model(f"{tmp_path}/ho") == [f"{tmp_path}/home/"]


def test_what_was_pulled_from_a_path_is_offered_by_its_name(home: Path) -> None:
    assert complete_model("") == ["Other", "llama3.2", "llama3.2:1b"]


def test_names_that_can_be_fetched_are_offered_where_that_is_done(home: Path) -> None:
    (home / "models.d").mkdir()
    (home / "models.d" / "smallest.toml").write_text('source = "https://example.org/smallest.gguf"\n')
    assert complete_source("SM") == ["smollm2", "smallest"]
    assert complete_source("o") == ["Other"]


def test_keys_of_the_configuration_are_offered() -> None:
    assert complete_key("server.idle") == ["server.idle_seconds"]
    assert complete_key("nothing") == []


def test_without_a_catalogue_nothing_is_offered_and_nothing_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path / "none"))
    assert complete_model("") == []
    assert not (tmp_path / "none").exists()
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "registry.sqlite").write_bytes(b"\xff" * 5000)
    assert complete_model("") == []


def test_bash_completes_verbs_options_and_names_with_colons(home: Path) -> None:
    assert in_bash(home, "mlxr sho") == ["show"]
    assert in_bash(home, "mlxr show --verb") == ["--verbose"]
    assert in_bash(home, "mlxr show Ot") == ["Other"]
    # What stands before the colon is typed already, and bash takes it for a word of its own.
    assert in_bash(home, "mlxr show llama3.2:") == ["1b"]
    assert in_bash(home, "mlxr completion ") == ["bash", "zsh", "fish"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_asks_the_command(tmp_path: Path, shell: str) -> None:
    script = mlxr(tmp_path, "completion", shell)
    assert script.returncode == 0
    assert "_MLXR_COMPLETE=complete_bash" in script.stdout
    assert mlxr(tmp_path, "completion", "tcsh").returncode == 2
