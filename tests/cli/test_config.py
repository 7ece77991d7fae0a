"""``mlxr config``, and the walk through docs/adding/command.md, whose example it is."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from mlxr.cli import app as command_line
from mlxr.cli import config
from mlxr.cli.app import make_app
from mlxr.runtime.errors import ConfigError
from mlxr.server.config import Config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/adding/command.md").read_text()


def test_every_key_is_printed_with_its_default() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "mlxr", "config"], capture_output=True, text=True, check=True
    ).stdout
    assert tomllib.loads(printed) == msgspec.to_builtins(Config())
    assert "negative for ever" in printed


def test_an_installed_packages_file_goes_before_a_checkouts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "mlxr"
    (package / "configs").mkdir(parents=True)
    (package / "configs" / "default.toml").write_text("# installed\n")
    monkeypatch.setattr(config.mlxr, "__file__", str(package / "__init__.py"))
    assert CliRunner().invoke(make_app(), ["config"]).stdout == "# installed\n"


def test_a_command_made_as_the_page_says_is_one_of_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def register(app: typer.Typer) -> None:
        app.command("greet", help="Greet.")(greet)

    def greet(name: str) -> None:
        if name == "nobody":
            raise ConfigError("there is nobody to greet; name somebody")
        typer.echo(f"hello, {name}")

    made = make_app()
    register(made)
    monkeypatch.setattr(command_line, "make_app", lambda: made)
    assert "greet" in CliRunner().invoke(made, ["--help"]).stdout
    assert CliRunner().invoke(made, ["greet", "you"]).stdout == "hello, you\n"
    monkeypatch.setattr(sys, "argv", ["mlxr", "greet", "nobody"])
    with pytest.raises(SystemExit) as ended:
        command_line.run()
    assert ended.value.code == 2


def test_every_file_that_the_page_names_is_there() -> None:
    named = re.findall(r"`((?:mlxr|tests)/[\w/.]+\.py)`", PAGE)
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).is_file()] == []
    assert "config.register(app)" in (ROOT / "mlxr/cli/app.py").read_text()
