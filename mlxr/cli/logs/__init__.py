"""``mlxr logs``: what servers of this home had to say, those that have crashed included."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mlxr.cli.logs.read import LEVELS, Wanted, follow, recent, since_when
from mlxr.cli.printing import colored
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.errors import ConfigError, StartError
from mlxr.runtime.log_file import LogEntry
from mlxr.runtime.logs import MARK
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable, printable_json

LINES = 100
"""How many are shown where nothing says how many."""

COLORS = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}

EXAMPLES = [
    ("mlxr logs -f", "what comes, as it comes"),
    ("mlxr logs --level warning --since 1d", "what went wrong since yesterday"),
    ("mlxr logs --request req_12ab --json", "about one request, for programs"),
]


def register(app: typer.Typer) -> None:
    add_verb(app, "logs", logs, Task.WATCH, EXAMPLES, aliases=["log"])


def logs(
    following: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until interrupted.")
    ] = False,
    level: Annotated[
        str,
        typer.Option(help=f"This one and above: {', '.join(LEVELS[:-1])}.", autocompletion=lambda: [*LEVELS]),
    ] = "debug",
    actor: Annotated[
        list[str] | None,
        typer.Option(help="Only what this one says: frontend, http, registry, executor, requests, ...; may repeat."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="WHEN", help="From then on: 10m, 2h, 1d, 20:15, or 2026-11-26T20:15.")
    ] = None,
    request: Annotated[
        str | None, typer.Option(metavar="ID", help="About one request: its X-Request-Id, or its number in telemetry.")
    ] = None,
    lines: Annotated[
        int | None,
        typer.Option(
            "--lines",
            "-n",
            min=0,
            help="The last so many; 0 for all.",
            show_default=f"{LINES}, or all that --since or --request asks for",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    path: Annotated[bool, typer.Option("--path", help="Print where the log file is, and end.")] = False,
) -> None:
    """Show the log of the servers here, also after a crash."""
    home = Home.find()
    if path:
        typer.echo(str(home.log))
        return
    if level not in LEVELS:
        raise ConfigError(f"--level {level}: it is one of {', '.join(LEVELS)}")
    wanted = Wanted(level, tuple(actor or ()), since_when(since, datetime.now()) if since else 0.0, request or "")
    count = LINES if lines is None and not (since or request) else lines or 0
    entries, reader = recent(home.log, wanted, count)
    show = _json if as_json else _line
    for entry in entries:
        show(entry)
    sys.stdout.flush()
    if following:
        for entry in follow(reader, wanted):
            show(entry)
            sys.stdout.flush()
    elif not entries:
        _nothing(home.log, wanted)


def _nothing(path: Path, wanted: Wanted) -> None:
    if not path.exists():
        raise StartError(f"there is no log at {path} yet; `mlxr up` writes one")
    print("mlxr: no line of the log fits; `mlxr logs -n 0` shows all", file=sys.stderr)


def _json(entry: LogEntry) -> None:
    fields = {field: getattr(entry, field) for field in entry.__struct_fields__ if getattr(entry, field)}
    print(printable_json(json.dumps(fields, ensure_ascii=False)))


def _line(entry: LogEntry) -> None:
    moment = datetime.fromtimestamp(entry.t)
    today = moment.date() == datetime.fromtimestamp(time.time()).date()
    when = f"{moment:%H:%M:%S}" if today else f"{moment:%Y-%m-%d %H:%M:%S}"
    about = f" [{entry.request_id or entry.request}]" if entry.request_id or entry.request else ""
    speaker = entry.logger.removeprefix("mlxr").lstrip(".") or "mlxr"
    text = f"{when} {entry.level.upper():<8} {speaker:<10} {printable(entry.message)}{printable(about)}"
    typer.echo(colored(text, COLORS.get(entry.level)))
    for line in entry.traceback.splitlines():
        typer.echo(colored(f"{MARK}{printable(line)}", "bright_black"))
