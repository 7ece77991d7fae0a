"""What the command line says to who comes from other local servers."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from typer.testing import CliRunner

import mlxr
from mlxr.actors.executor.settings import ExecutorSection
from mlxr.cli import up
from mlxr.cli.app import make_app
from mlxr.cli.other_tools import COMMANDS
from mlxr.runtime.errors import ConfigError, StartError
from mlxr.runtime.paths import Home
from mlxr.runtime.run_directory import RunDirectory, write_addresses
from mlxr.server import exec_server
from mlxr.server.config import Config
from tests.cli.commands import mlxr as installed


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLXR_HOME", str(tmp_path))


def test_the_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(make_app(), ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"mlxr {mlxr.__version__}\n")


def test_the_help_of_up_shows_what_goes_without_saying() -> None:
    defaults = Config()
    assert (defaults.server.host, defaults.server.port, defaults.log.level) == (up.HOST, up.PORT, up.LOG_LEVEL)
    assert (defaults.executor.threads, defaults.executor.backend) == (up.THREADS, up.BACKEND)
    assert ", ".join(get_args(get_type_hints(ExecutorSection)["backend"])) == up.BACKENDS
    shown = CliRunner().invoke(make_app(), ["up", "--help"]).stdout
    for default in (Config().server.host, str(Config().server.port), "executor.context_length=4096", "smollm2"):
        assert default in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_other_servers_name_what_to_do_here(command: str) -> None:
    for rest in ([], ["smollm2", "--verbose", "-x"]):
        with pytest.raises(ConfigError, match=f"there is no command {command}: ") as refused:
            make_app()([command, *rest], standalone_mode=False)
        assert COMMANDS[command] in str(refused.value)
    assert f"│ {command} " not in CliRunner().invoke(make_app(), ["--help"]).stdout


@pytest.mark.parametrize(
    ("arguments", "way_out"),
    [
        (["-m", "x.gguf"], "mlxr up x.gguf"),
        (["--model", "smollm2"], "mlxr up smollm2"),
        (["--ctx-size", "4096"], "--set executor.context_length=4096"),
        (["-c", "4096"], "--set executor.context_length=4096"),
    ],
)
def test_options_of_other_servers_name_what_to_do_here(arguments: list[str], way_out: str) -> None:
    with pytest.raises(ConfigError) as refused:
        make_app()(["up", *arguments], standalone_mode=False)
    assert way_out in str(refused.value)


def test_more_threads_than_cores_are_remarked_upon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_server.os, "execv", lambda *arguments: None)
    assert "100000 threads on" in CliRunner().invoke(make_app(), ["up", "--threads", "100000"]).stderr
    assert CliRunner().invoke(make_app(), ["up", "--threads", "1"]).stderr == ""


def test_a_second_server_at_the_same_place_is_told_of_the_first(tmp_path: Path) -> None:
    with RunDirectory(Home(tmp_path).run) as directory:
        write_addresses(directory.path, ["http://127.0.0.1:7123"])
        with pytest.raises(StartError, match=r"listens at http://127.0.0.1:7123 already \(pid \d+\): `mlxr ps`"):
            make_app()(["up", "--port", "7123"], standalone_mode=False)


def test_signals_end_a_start_whose_server_can_not_be_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object) -> None:
        raise OSError("no such interpreter")

    monkeypatch.setattr(exec_server.os, "execv", refused)
    with pytest.raises(OSError, match="no such interpreter"):
        make_app()(["up"], standalone_mode=False)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_the_variable_of_clients_is_not_taken_for_the_servers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLXR_HOST", "0.0.0.0:7")
    monkeypatch.setattr(exec_server.os, "execv", lambda *arguments: None)
    assert "MLXR_HOST is where commands look for a server" in CliRunner().invoke(make_app(), ["up"]).stderr


def test_a_second_server_elsewhere_is_told_of_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_server.os, "execv", lambda *arguments: None)
    monkeypatch.setenv("MLXR_HOME", str(tmp_path))
    with RunDirectory(Home(tmp_path).run) as directory:
        write_addresses(directory.path, ["http://127.0.0.1:7123"])
        shown = CliRunner().invoke(make_app(), ["up", "--port", "7124"]).stderr
    assert "runs already at http://127.0.0.1:7123" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "m", "-n", "abc"], "--num-predict/--max-tokens/-n takes a whole number, not 'abc'"),
        (["run", "m", "--temperature", "hot"], "--temperature/--temp takes a number, not 'hot'"),
        (["up", "--port", "1.5"], "--port takes a whole number, not '1.5'"),
        (["bench", "--max-context", "3"], "--max-context takes 512 or more, not '3'"),
        (["convert", "m", "--to", "onnx"], "--to takes one of 'gguf', 'mlx', not 'onnx'"),
        (["completion", "tcsh"], "SHELL takes one of 'bash', 'zsh', 'fish', not 'tcsh'"),
    ],
)
def test_an_option_of_another_value_says_what_it_takes(tmp_path: Path, arguments: list[str], said: str) -> None:
    shown = installed(tmp_path, *arguments)
    assert shown.returncode == 2
    assert shown.stderr == f"mlxr: {said}; `mlxr {arguments[0]} --help` shows how it is used\n"
