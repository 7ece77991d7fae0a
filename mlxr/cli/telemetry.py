"""``mlxr telemetry``: what a running server publishes, as JSON lines."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Annotated

import typer

from mlxr.cli.printing import remark
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.errors import StartError
from mlxr.runtime.paths import Home
from mlxr.runtime.printable import printable_json
from mlxr.runtime.run_directory import TELEMETRY, live, read_addresses
from mlxr.runtime.telemetry import TOPICS

EXAMPLES = [
    ("mlxr telemetry requests", "what is asked, and what became of it"),
    ("mlxr telemetry steps --count 10", "ten steps of the device"),
    ("mlxr telemetry --show-endpoint", "for a program that subscribes itself"),
]


def register(app: typer.Typer) -> None:
    add_verb(app, "telemetry", telemetry, Task.WATCH, EXAMPLES)


def telemetry(
    topics: Annotated[list[str] | None, typer.Argument(help=f"Any of {', '.join(TOPICS)}; all if none.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Where to read: ipc://... or tcp://...")] = None,
    show_endpoint: Annotated[
        bool, typer.Option("--show-endpoint", help="Print where events are published, and end.")
    ] = False,
    count: Annotated[int, typer.Option(min=0, help="End after so many events; 0 goes on.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, as it does in any case.")] = False,
) -> None:
    """Print a running server's events as JSON lines."""
    unknown = [topic for topic in topics or [] if topic not in TOPICS]
    if unknown:
        raise typer.BadParameter(f"there is no topic {unknown[0]}; there are {', '.join(TOPICS)}")
    source = endpoint or find_endpoint(Home.find())
    if show_endpoint:
        typer.echo(source)
        return
    # The server's command line has no use for ZeroMQ.
    from mlxr.runtime.pubsub import Subscriber

    subscriber = Subscriber(source, topics or [])
    try:
        seen = 0
        while not count or seen < count:
            received = subscriber.receive(timeout=1.0)
            if received is not None:
                sys.stdout.write(printable_json(received[1].decode()).replace("\n", " ") + "\n")
                sys.stdout.flush()
                seen += 1
    finally:
        subscriber.close()


def find_endpoint(home: Home) -> str:
    """Where the server that was started last under this home publishes."""
    found: dict[str, str] = {}
    for directory in live(home.run):
        with suppress(FileNotFoundError):
            found[(directory / TELEMETRY).read_text()] = " ".join(read_addresses(directory)) or f"pid {directory.name}"
    for endpoint, server in found.items():
        if len(found) > 1:
            others = "; ".join(f"--endpoint {other} for {found[other]}" for other in found if other != endpoint)
            remark(f"several servers run here, and this is {server}; {others}")
        return endpoint
    raise StartError("no server is running under this MLXR_HOME; start one with `mlxr up`, or name an --endpoint")
