"""What the command line says to who comes from other local servers."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import typer
from typer.testing import CliRunner

import mlxr
from mlxr.actors.executor.settings import ExecutorSection
from mlxr.cli import other_tools, up
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
    ("line", "said"),
    [
        ("up -m x.gguf", "there is no -m: the model is an argument: mlxr up x.gguf"),
        ("serve --model=smollm2", "there is no --model: the model is an argument: mlxr up smollm2"),
        ("up --port 7 -c 4096", "there is no -c: the context is set by --set executor.context_length=4096"),
        ("up x -ngl 99", "there is no -ngl: a GPU that is there computes all layers; --backend says who does"),
        ("run x.gguf -np 4 -p hi", "there is no -p: the prompt is the argument behind the model"),
        ("run x.gguf -ngl 99", "there is no -ngl: a GPU that is there computes all layers"),
        ("chat -f", "there is no -f: a prompt in a file is piped in: mlxr run MODEL < ..."),
        (
            "convert m --to gguf --outfile x.gguf",
            "there is no --outfile: the file or folder to write is set by -o x.gguf",
        ),
        (
            "quantize a b.gguf Q8_0",
            "quantize takes one model: the file to write is named by -o b.gguf, its type by --type",
        ),
        ("ps -m x", ""),
        ("", ""),
    ],
)
def test_options_of_other_servers_name_what_to_do_here(line: str, said: str) -> None:
    assert other_tools.instead(line.split()) == said


def test_a_command_line_with_an_option_of_another_server_is_wrong_usage(tmp_path: Path) -> None:
    shown = installed(tmp_path, "run", "x.gguf", "-ngl", "99")
    assert (shown.returncode, shown.stdout) == (2, "")
    assert shown.stderr == "mlxr: there is no -ngl: a GPU that is there computes all layers\n"


def test_no_option_that_there_is_counts_as_another_servers() -> None:
    whole: Any = typer.main.get_command(make_app())
    for verb, told in other_tools.OPTIONS.items():
        there = {option for parameter in whole.commands[verb].params for option in parameter.opts}
        assert not there & {name for names in told for name in names}


def test_what_other_servers_are_configured_by_is_named_with_the_key_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exec_server.os, "execv", lambda *arguments: None)
    monkeypatch.setenv("OLLAMA_KEEP_ALIVE", "24h")
    monkeypatch.setenv("OLLAMA_HOST", "0.0.0.0")
    said = CliRunner().invoke(make_app(), ["up"]).stderr
    assert "OLLAMA_KEEP_ALIVE (models.keep_alive here); `mlxr config set`" in said
    assert "OLLAMA_HOST is where Ollama's programs look" in said
    monkeypatch.delenv("OLLAMA_KEEP_ALIVE")
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:11435/")
    assert CliRunner().invoke(make_app(), ["up"]).stderr == ""


def test_the_keys_that_stand_for_other_servers_variables_are_there() -> None:
    for key in other_tools.VARIABLES.values():
        section, _, name = key.partition(".")
        assert hasattr(getattr(Config(), section), name)


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
