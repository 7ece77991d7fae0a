"""The command line: ``mlxr``."""

from __future__ import annotations

import typer

from mlxr.cli import models

app = typer.Typer(
    name="mlxr", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)
models.register(app)


def main() -> None:
    app()
