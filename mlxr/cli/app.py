"""All commands, and how they end."""

from __future__ import annotations

import sys

import typer

from mlxr.cli import doctor, models, telemetry, up
from mlxr.cli.ending import ending

UsageError: type[typer.BadParameter] = typer.BadParameter.__base__  # type: ignore[assignment]
"""Wrong usage of any kind: Typer's own name for it is not public, but that of one of its subclasses is."""


def make_app() -> typer.Typer:
    """Every command, one module each."""
    app = typer.Typer(name="mlxr", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    up.register(app)
    models.register(app)
    telemetry.register(app)
    doctor.register(app)
    return app


def run() -> None:
    """Carry out the command line and exit."""
    with ending():
        try:
            status = make_app()(standalone_mode=False)
        except UsageError as error:
            error.show()
            sys.exit(error.exit_code)
        except typer.Abort:
            raise KeyboardInterrupt from None
    sys.exit(status if isinstance(status, int) else 0)
