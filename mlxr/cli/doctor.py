"""``mlxr doctor``: what this machine and this installation have, and what is in the way."""

from __future__ import annotations

import json
import os
import platform
from typing import Annotated

import typer

import mlxr
from mlxr.runtime.paths import Home
from mlxr.runtime.rundir import live


def register(app: typer.Typer) -> None:
    app.command("doctor", help="Show what mlxr finds here: versions, backend and why, memory, running servers.")(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
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

    from mlxr.actors.executor.memory import available_bytes
    from mlxr.metal.select import select_backend

    home = Home.find()
    _, choice = select_backend()
    servers = ", ".join(directory.name for directory in live(home.run))
    return {
        "mlxr": mlxr.__version__,
        "python": platform.python_version(),
        "mlx": metadata.version("mlx"),
        "machine": f"{platform.system()} {platform.machine()}, {len(_cores())} cores for this process",
        "backend": f"{choice.name}: {choice.reason}",
        "memory": f"{available_bytes() / 1e9:.1f} GB available",
        "home": f"{home.root}{'' if home.root.exists() else ' (not there yet)'}",
        "servers": servers or "none is running under this home",
    }


def _cores() -> set[int]:
    """Cores this process may use; all of them where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return set(os.sched_getaffinity(0))
    return set(range(os.cpu_count() or 1))
