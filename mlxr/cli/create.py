"""``mlxr create``: a model from a Modelfile."""

from __future__ import annotations

from typing import Annotated

import typer

from mlxr.cli.completion import complete_file_type
from mlxr.cli.options import AsJson, Endpoint
from mlxr.cli.verbs import Task, add_verb

EXAMPLES = [
    ("mlxr create pirate", "from ./Modelfile"),
    ("mlxr create pirate -f pirate.modelfile", "from a file of another name"),
    ("printf 'FROM smollm2\\nSYSTEM Talk like a pirate.' | mlxr create pirate -f -", "from a pipe"),
    ("mlxr create small -f Modelfile --quantize Q4_K_M", "in fewer bits"),
]


def register(app: typer.Typer) -> None:
    add_verb(app, "create", create, Task.MAKE, EXAMPLES)


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the model.")],
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="The Modelfile; - reads it from stdin.")
    ] = "Modelfile",
    quantize: Annotated[
        str,
        typer.Option(
            "--quantize",
            "-q",
            metavar="TYPE",
            help="Of a model in 16 or 32 bits, make one of fewer.",
            autocompletion=complete_file_type,
        ),
    ] = "",
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Make a model from a Modelfile: another model, or files, with a template, system prompt and parameters of its
    own."""
    from mlxr.cli import creation

    creation.create(name, file, quantize, as_json, endpoint)
