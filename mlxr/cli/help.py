"""``mlxr help``: what there is, and how a verb is used."""

from __future__ import annotations

from typing import Annotated

import typer

from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.config import did_you_mean
from mlxr.runtime.errors import ConfigError

EXAMPLES = [("mlxr help", "every verb, by what it is for"), ("mlxr help run", "how one is used, with examples")]


def register(app: typer.Typer) -> None:
    add_verb(app, "help", show_help, Task.SETUP, EXAMPLES)


def show_help(
    context: typer.Context,
    verb: Annotated[str | None, typer.Argument(help="A verb; all of them if none.")] = None,
) -> None:
    """Show what mlxr can do, or how a verb is used."""
    whole = context.find_root()
    if verb is None:
        typer.echo(whole.get_help())
        return
    commands = whole.command.commands  # type: ignore[attr-defined]
    if verb not in commands:
        listed = [name for name, command in commands.items() if not command.hidden]
        way_out = did_you_mean(verb, listed, "`mlxr help {}`") or f"there are {', '.join(listed)}"
        raise ConfigError(f"there is no command {verb!r}; {way_out}")
    with type(context)(commands[verb], info_name=verb, parent=whole) as of_verb:
        typer.echo(commands[verb].get_help(of_verb))
