"""``mlxr doctor``: what this machine and this installation have, and what is in the way."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Annotated

import typer

import mlxr
from mlxr.cli.machine import cores
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable
from mlxr.runtime.run_directory import live, read_addresses

EXAMPLES = [("mlxr doctor", "what computes here, and why"), ("mlxr doctor --json", "the same for programs")]


def register(app: typer.Typer) -> None:
    add_verb(app, "doctor", doctor, Task.SETUP, EXAMPLES)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show what mlxr finds here: versions, backend and why, memory, running servers."""
    facts = gather()
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    width = max(len(name) for name in facts)
    for name, fact in facts.items():
        typer.echo(f"{name:<{width}}  {fact}")


def gather() -> dict[str, str]:
    """Name and finding, in the order people look for them."""
    # What takes a while to load, and only this command of all needs.
    from importlib import metadata

    from mlxr.metal.select import select_backend
    from mlxr.runtime.memory import available_bytes

    home = Home.find()
    _, choice = select_backend(checks=home.checks)
    servers = ", ".join(map(_server, live(home.run)))
    return {
        "mlxr": mlxr.__version__,
        "python": platform.python_version(),
        "mlx": metadata.version("mlx"),
        "machine": f"{platform.system()} {platform.machine()}, {len(cores())} cores for this process",
        "backend": f"{choice.name}: {choice.reason}",
        **_held_as(choice.name),
        "memory": f"{available_bytes() / 1e9:.1f} GB available",
        "home": f"{home.root}{'' if home.root.exists() else ' (not there yet)'}",
        "servers": servers or "none is running under this home",
    }


def _server(directory: Path) -> str:
    """Where the server of that run directory listens, its process, and what it has loaded."""
    # Of the registry's kind, which other commands do without.
    from mlxr.actors.registry.lifecycle.state_file import EngineStateFile

    addresses = read_addresses(directory)
    models = [model for engine in EngineStateFile(directory).read(0.0) for model in engine.active]
    facts = ", ".join([f"pid {directory.name}", *models])
    return f"{' '.join(addresses) or 'not listening yet'} ({printable(facts)})"


def _held_as(backend: str) -> dict[str, str]:
    """What becomes of the types that a GPU does not compute with as they are."""
    if backend != "mlx":
        return {}
    from mlxr.metal.mlx.held_as import HELD_AS

    held: dict[str, list[str]] = {}
    for type, form in HELD_AS.items():
        held.setdefault(form, []).append(type.value)
    return {"weights": "; ".join(f"{', '.join(types)}: {form}" for form, types in held.items())}
