"""``mlxr doctor``: what this machine and this installation have, and what is in the way."""

from __future__ import annotations

import platform
import sys
from pathlib import Path

import msgspec
import typer

import mlxr
from mlxr.cli.checks.finding import Finding, Level
from mlxr.cli.machine import cores
from mlxr.cli.options import AsJson
from mlxr.cli.printing import colored, hung, print_facts, print_json, terminal_width
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable
from mlxr.runtime.run_directory import live, read_addresses

EXAMPLES = [
    ("mlxr doctor", "what computes here and why, and what is in the way"),
    ("mlxr doctor --json", "the same for programs; exit status 1 where something fails"),
]
ORDER = {Level.OK: 0, Level.WARN: 1, Level.ERROR: 2}
COLORS = {Level.OK: "green", Level.WARN: "yellow", Level.ERROR: "red"}
BELOW = " " * 7
"""Behind this stands below a check what a narrow terminal has no room for beside it."""


def register(app: typer.Typer) -> None:
    add_verb(app, "doctor", doctor, Task.SETUP, EXAMPLES)


def doctor(as_json: AsJson = False) -> None:
    """Show what is here, what is wrong with it, and the command that mends each thing. Exit status 1 on errors."""
    home = Home.find()
    facts, findings = gather(home)
    if as_json:
        print_json({**facts, "findings": [msgspec.to_builtins(finding) for finding in findings]})
    else:
        print_facts(facts.items())
        print()
        _print_findings(findings)
    if any(finding.level == Level.ERROR for finding in findings):
        raise typer.Exit(1)


def _print_findings(findings: list[Finding]) -> None:
    """What is wrong at the end, where it is read first."""
    width, columns = max(len(finding.check) for finding in findings), terminal_width(sys.stdout)
    for finding in sorted(findings, key=lambda finding: ORDER[finding.level]):
        lines = hung(f"{'':5}  {finding.check:<{width}}  ", printable(finding.text), columns, BELOW)
        mark = colored(f"{finding.level:<5}", COLORS[finding.level])
        typer.echo(f"{mark}{lines[0][5:]}")
        if finding.mend:
            lines += hung(f"{'':5}  {'':{width}}  ", f"mend it: {printable(finding.mend)}", columns, BELOW)
        for line in lines[1:]:
            typer.echo(line)
    wrong = [finding for finding in findings if finding.level != Level.OK]
    if not wrong:
        typer.echo("\nnothing is wrong")


def gather(home: Home) -> tuple[dict[str, str], list[Finding]]:
    """What is here, by names in the order people look for them, and what the checks find."""
    # What takes a while to load, and only this command of all needs.
    from importlib import metadata

    from mlxr.cli.checks import all_checks
    from mlxr.metal.select import BackendChoice, MlxUnavailableError, select_backend
    from mlxr.runtime.system_memory import available_bytes

    try:
        _, choice = select_backend(checks=home.checks)
    except MlxUnavailableError as error:
        choice = BackendChoice("none", str(error))
    available = available_bytes()
    servers = ", ".join(map(_server, live(home.run)))
    facts = {
        "mlxr": mlxr.__version__,
        "python": platform.python_version(),
        "mlx": metadata.version("mlx"),
        "machine": f"{platform.system()} {platform.machine()}, {len(cores())} cores for this process",
        "backend": f"{choice.name}: {choice.reason}",
        **_held_as(choice.name),
        "memory": f"{available / 1e9:.1f} GB available",
        "home": f"{home.root}{'' if home.root.exists() else ' (not there yet)'}",
        "servers": servers or "none is running under this home",
    }
    return facts, all_checks.findings(home, choice, available)


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
    from mlxr.metal.mlx.type_descriptions import HELD_AS

    held: dict[str, list[str]] = {}
    for type, form in HELD_AS.items():
        held.setdefault(form, []).append(type.value)
    return {"weights": "; ".join(f"{', '.join(types)}: {form}" for form, types in held.items())}
