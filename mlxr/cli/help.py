"""``mlxr help``: what there is, and how a verb is used."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.config import did_you_mean
from mlxr.runtime.errors import ConfigError

EXAMPLES = [
    ("mlxr help", "every verb, by what it is for"),
    ("mlxr help run", "how one is used, with examples"),
    ("mlxr help config set", "a command of a verb"),
]


def register(app: typer.Typer) -> None:
    add_verb(app, "help", show_help, Task.SETUP, EXAMPLES)


def _commands(context: typer.Context, arguments: list[str], incomplete: str) -> list[str]:
    """Returns the verbs, or a verb's own commands, that begin so."""
    command: Any = context.find_root().command
    for name in context.params.get("verb") or []:
        command = getattr(command, "commands", {}).get(name)
    listed = getattr(command, "commands", {}).items()
    return [name for name, each in listed if name.startswith(incomplete) and not each.hidden]


def show_help(
    context: typer.Context,
    verb: Annotated[
        list[str] | None,
        typer.Argument(help="A verb, and one of its own commands; all verbs if none.", autocompletion=_commands),
    ] = None,
) -> None:
    """Show what mlxr can do, or how a verb is used."""
    of: Any = context.find_root()
    for name in verb or []:
        of = _context_of(name, of)
    typer.echo(of.command.get_help(of))


def _context_of(name: str, parent: Any) -> Any:
    """Returns the context of a command of that of ``parent``. Raises ``ConfigError`` with what there is instead."""
    commands = getattr(parent.command, "commands", {})
    path = parent.command_path
    if not commands:
        raise ConfigError(f"`{path}` has no commands of its own; `{path} --help` shows how it is used")
    if name not in commands:
        own = path.split()[1:]
        listed = [each for each, command in commands.items() if not command.hidden]
        spelled = " ".join(["mlxr help", *own, "{}"])
        way_out = did_you_mean(name, listed, f"`{spelled}`") or f"there are {', '.join(listed)}"
        where = f"`{path}` has no command" if own else "there is no command"
        raise ConfigError(f"{where} {name!r}; {way_out}")
    return type(parent)(commands[name], info_name=name, parent=parent)
