"""``mlxr top``: what a running server does, live."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from typing import Annotated

import typer

from mlxr.cli.options import AsJson
from mlxr.cli.telemetry import find_endpoint
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.paths import Home

EXAMPLES = [
    ("mlxr top", "a live screen; q ends it, p pauses, s sorts"),
    ("mlxr top --once", "a look, as text"),
    ("mlxr top --json", "a snapshot a second, a JSON object a line"),
]


def register(app: typer.Typer) -> None:
    add_verb(app, "top", top, Task.WATCH, EXAMPLES)


def top(
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Where the server publishes: ipc://... or tcp://...", show_default="the server of this MLXR_HOME"
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Show it once, as text, and end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show a running server's actors, requests, throughput, pages and memory, live."""
    # ZeroMQ, psutil and rich, which other commands do without.
    from mlxr.cli.printing import print_json_line
    from mlxr.cli.top.live import live
    from mlxr.cli.top.screen import as_text
    from mlxr.cli.top.source import Source

    home = Home.find()
    with closing(Source(endpoint or find_endpoint(home), None if endpoint else home)) as source:
        if as_json:
            print_json_line(source.first().as_json())
            while not once:
                print_json_line(source.next().as_json())
        elif once or not sys.stdout.isatty():
            print(as_text(source.first(), time.time()), end="")
        else:
            source.first()
            live(source)
