"""All commands, and how they end."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import mlxr
from mlxr.cli import config, doctor, logs, models, other_tools, telemetry, up
from mlxr.runtime.exit_status import exit_on_error

UsageError: type[typer.BadParameter] = typer.BadParameter.__base__  # type: ignore[assignment]
"""Wrong usage of any kind: Typer's own name for it is not public, but that of one of its subclasses is."""


def make_app() -> typer.Typer:
    """Every command, one module each."""
    app = typer.Typer(name="mlxr", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    app.callback()(whole)
    up.register(app)
    models.register(app)
    telemetry.register(app)
    logs.register(app)
    config.register(app)
    doctor.register(app)
    other_tools.register(app)
    return app


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mlxr {mlxr.__version__}")
        raise typer.Exit


def whole(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """A local LLM server: `mlxr up` serves a model to OpenAI, Ollama and Anthropic clients."""


def run() -> None:
    """Carry out the command line and exit."""
    with exit_on_error():
        try:
            status = make_app()(standalone_mode=False)
        except UsageError as error:
            error.show()
            sys.exit(error.exit_code)
        except typer.Abort:
            raise KeyboardInterrupt from None
    sys.exit(status if isinstance(status, int) else 0)
