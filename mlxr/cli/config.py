"""``mlxr config``: every key of the configuration, with its default and its meaning."""

from __future__ import annotations

from pathlib import Path

import typer

import mlxr
from mlxr.cli.verbs import Task, add_verb

EXAMPLES = [
    ("mlxr config", "every key"),
    ("mlxr config > ~/.local/share/mlxr/config.toml", "a file to change, in MLXR_HOME"),
]


def register(app: typer.Typer) -> None:
    add_verb(app, "config", config, Task.SETUP, EXAMPLES)


def config() -> None:
    """Print every configuration key with its default and its meaning, as TOML."""
    typer.echo(default_file().read_text(encoding="utf-8"), nl=False)


def default_file() -> Path:
    """``configs/default.toml``, where an installed package or a checkout has it."""
    package = Path(mlxr.__file__).parent
    installed, checkout = (folder / "configs" / "default.toml" for folder in (package, package.parent))
    return installed if installed.exists() else checkout
