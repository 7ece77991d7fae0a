"""``mlxr config``: what is set and by what, and changes of the configuration file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from mlxr.cli.completion import complete_key
from mlxr.cli.configuration import configuration_file, default_file, setting
from mlxr.cli.printing import print_json, remark
from mlxr.cli.verbs import Task, Verb, VerbGroup, epilog_of
from mlxr.runtime.paths import Home

File = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file.", show_default="MLXR_CONFIG, else config.toml in MLXR_HOME"),
]
Key = Annotated[
    str,
    typer.Argument(
        metavar="SECTION.KEY", help="Such as server.port; `mlxr config` lists them.", autocompletion=complete_key
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="As `mlxr up` takes it: what it would change."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

HELP = """Show and change the configuration: what is in force, and where each value comes from."""

EXAMPLES = [
    ("mlxr config", "what is in force, and why"),
    ("mlxr config set server.port 8080", "for every server to come"),
    ("mlxr config unset server.port", "the default again"),
    ("mlxr config edit", "the file, in your editor"),
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(cls=VerbGroup, help=HELP, epilog=epilog_of(EXAMPLES), invoke_without_command=True)
    group.callback()(whole)
    group.command("list", cls=Verb)(show_all)
    group.command("ls", cls=Verb, hidden=True)(show_all)
    group.command("default", cls=Verb)(default)
    group.command("get", cls=Verb)(get)
    group.command("set", cls=Verb)(change)
    group.command("unset", cls=Verb)(unset)
    group.command("path", cls=Verb)(path)
    group.command("edit", cls=Verb)(edit)
    app.add_typer(group, name="config", rich_help_panel=Task.SETUP.value)


def whole(context: typer.Context, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        show_all(as_json)


def show_all(as_json: AsJson = False, given: File = None, settings: Settings = None) -> None:
    """Print every key with the value in force, where that comes from, and what it means, as TOML."""
    from mlxr.cli import config_listing as listing
    from mlxr.runtime.config_sources import everything
    from mlxr.server.config import Config

    origins = everything(Config, _read(given), os.environ, [*map(setting, settings or [])])
    listing.print_json(origins) if as_json else listing.print_toml(origins)


def default() -> None:
    """Print every key with its default, as a file to copy from."""
    typer.echo(default_file().read_text(encoding="utf-8"), nl=False)


def get(key: Key, as_json: AsJson = False, given: File = None) -> None:
    """Print one value that is in force; keys are shown as they are."""
    from mlxr.cli import config_listing as listing
    from mlxr.runtime.config_sources import everything
    from mlxr.server.config import Config

    listing.print_one(everything(Config, _read(given), os.environ, []), key, as_json)


def change(
    key: Key,
    values: Annotated[list[str], typer.Argument(metavar="VALUE...", help="What it is to be; a list takes several.")],
    given: File = None,
    as_json: AsJson = False,
) -> None:
    """Write a value into the configuration file, which keeps its comments."""
    from mlxr.cli import config_file

    written = config_file.set_key(_written(given), key, values)
    _say(f"{key} = {written}", key, _written(given), as_json, tomllib.loads(f"value = {written}")["value"])


def unset(key: Key, given: File = None, as_json: AsJson = False) -> None:
    """Take a key out of the configuration file, so that its default holds."""
    from mlxr.cli import config_file

    config_file.unset_key(_written(given), key)
    _say(f"{key} is unset", key, _written(given), as_json)


def path(given: File = None, as_json: AsJson = False) -> None:
    """Print where the configuration file is, or would be."""
    file = _written(given)
    if as_json:
        print_json({"file": str(file), "exists": file.exists()})
    else:
        typer.echo(str(file))


def edit(given: File = None) -> None:
    """Open the configuration file in your editor; what is wrong afterwards is not put in its place."""
    from mlxr.cli import config_editor

    config_editor.edit(_written(given), default_file())


def _say(done: str, key: str, file: Path, as_json: bool, value: object = None) -> None:
    from mlxr.runtime.printable import printable
    from mlxr.runtime.run_directory import live

    if as_json:
        print_json({"key": key, "value": value, "file": str(file)})
    else:
        print(printable(f"{done}  ({file})"))
    variable = f"MLXR_{key.replace('.', '_')}".upper()
    if variable in os.environ:
        remark(f"{variable} is set and goes before the file")
    if live(Home.find().run):
        remark("a server is running; it goes by this once it is started again")


def _read(given: Path | None) -> Path | None:
    """The configuration file to read: the one named, else ``MLXR_CONFIG``, else the home's if it is there."""
    return configuration_file(given, Home.find())


def _written(given: Path | None) -> Path:
    """The configuration file to write, which need not be there."""
    return _read(given) or Home.find().config
