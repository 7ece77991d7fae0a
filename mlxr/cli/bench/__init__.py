"""``mlxr bench``: how fast a model is here, over context and batch, against what the machine's memory allows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlxr.cli.completion import complete_model
from mlxr.cli.options import AsJson, Endpoint
from mlxr.cli.printing import print_json, remark
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime.errors import ConfigError

EXAMPLES = [
    ("mlxr bench", "the model that is loaded, else the newest"),
    ("mlxr bench smollm2 --plot smollm2.png", "a picture to keep or to send"),
    ("mlxr bench smollm2 --roofline", "what memory and arithmetic allow, and how much of it is reached"),
    ("mlxr bench smollm2 --json", "every figure, for programs"),
]
PICTURES = (".png", ".svg", ".pdf")


def register(app: typer.Typer) -> None:
    add_verb(app, "bench", bench, Task.WATCH, EXAMPLES)


def bench(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A model's name or alias.",
            show_default="the one that is loaded, else the newest",
            autocompletion=complete_model,
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One run of each, and short contexts.")] = False,
    repeat: Annotated[
        int | None, typer.Option(min=1, help="Runs of which a median is taken.", show_default="3, 1 with --quick")
    ] = None,
    most_context: Annotated[
        int | None,
        typer.Option(
            "--max-context", min=512, help="The longest prompt.", show_default="as far as the model and a minute go"
        ),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it: a .png, .svg or .pdf.")] = None,
    roofline: Annotated[
        bool,
        typer.Option("--roofline", help="Prefill, one answer and 16 against what memory and arithmetic allow."),
    ] = False,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Measure prefill and decode of a model over context (512 and on) and batch (1 to 16).

    It runs on the server that is there, or one that is started for it: other requests meanwhile make it slower. The
    bound is what the machine reads in a second, divided by the bytes that a token needs.
    """
    # HTTP, statistics and rich, which other commands do without.
    from mlxr.cli.bench import picture, terminal
    from mlxr.cli.bench.measure import FIRST_CONTEXT, Limits, measured
    from mlxr.cli.bench.roofline import STREAMS, roofline_of

    if plot is not None:
        if plot.suffix.lower() not in PICTURES:
            raise ConfigError(f"--plot {plot}: its name ends with {', '.join(PICTURES[:-1])} or {PICTURES[-1]}")
        if not os.access(plot.absolute().parent, os.W_OK):
            raise ConfigError(f"--plot {plot}: there is no folder {plot.absolute().parent} that you may write to")
        picture.require()
    if roofline:
        if plot is not None:
            raise ConfigError("--roofline is a table, which --plot does not draw: leave out one of them")
        runs = Limits(most_context or FIRST_CONTEXT, repeat or (1 if quick else 3), quick, (STREAMS,))
        limit = roofline_of(measured(model, runs, endpoint))
        if as_json:
            print_json(limit.as_json())
        else:
            terminal.show_roofline(limit)
        return
    limits = Limits(most_context or (2048 if quick else 0), repeat or (1 if quick else 3), quick)
    result = measured(model, limits, endpoint)
    if as_json:
        print_json(result.as_json())
    else:
        terminal.show(result)
    if plot is not None:
        picture.draw(result, plot)
        remark(f"drawn: {plot}")
