"""Commands of other local servers that mlxr does not have: each says what to do here instead."""

from __future__ import annotations

from typing import NoReturn

import typer

from mlxr.runtime.errors import ConfigError

COMMANDS = {
    "remove": "it is called `mlxr rm`",
    "delete": "it is called `mlxr rm`",
    "copy": "it is called `mlxr cp`",
    "start": "it is called `mlxr up`",
    "version": "it is called `mlxr --version`",
    "server": "it is called `mlxr up`",
    "download": "it is called `mlxr pull`",
    "unload": "it is called `mlxr stop`",
    "status": "`mlxr ps` shows what is loaded, `mlxr top` what a server does",
    "embed": "`mlxr run MODEL TEXT` prints the vector of an embedding model",
    "embedding": "`mlxr run MODEL TEXT` prints the vector of an embedding model",
}


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``, out of sight; each fails and says what to do."""
    taking_anything = {"allow_extra_args": True, "ignore_unknown_options": True}
    for name in COMMANDS:
        app.command(name, hidden=True, context_settings=taking_anything)(explain)


def explain(context: typer.Context) -> NoReturn:
    name = context.info_name or ""
    raise ConfigError(f"there is no command {name}: {COMMANDS[name]}")
