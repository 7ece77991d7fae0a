"""``mlxr import``: models that other tools keep on this machine join the catalogue, with no byte copied."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from mlxr.cli.client.endpoint import named
from mlxr.cli.options import AsJson, Endpoint
from mlxr.cli.verbs import Task, add_verb
from mlxr.models.names import TOOLS
from mlxr.runtime.errors import ConfigError

EXAMPLES = [
    ("mlxr import --from ollama", "all that Ollama has here"),
    ("mlxr import ollama:llama3.2:1b --name llama", "one model, under a name of its own"),
    ("mlxr ls --all", "what there is to import"),
]


def register(app: typer.Typer) -> None:
    add_verb(app, "import", import_models, Task.MODELS, EXAMPLES)


def import_models(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="What `mlxr ls --all` shows, or names that --from has for them."),
    ] = None,
    tool: Annotated[
        str,
        typer.Option("--from", metavar="TOOL", help=f"{', '.join(TOOLS)}.", autocompletion=lambda: [*TOOLS]),
    ] = "",
    name: Annotated[str, typer.Option("--name", help="What to call it here, where it is one model.")] = "",
    as_json: AsJson = False,
    endpoint: Endpoint = None,
) -> None:
    """Use other tools' models where they are: nothing is copied, and nothing there is ever changed or deleted."""
    import msgspec

    from mlxr.cli import remote_models, tool_models
    from mlxr.cli.printing import print_json
    from mlxr.cli.reporting import carried_out, reported

    if tool and tool not in TOOLS:
        raise typer.BadParameter(f"there is no {tool!r}; it may be {', '.join(TOOLS)}", param_hint="--from")
    if not names and not tool:
        raise typer.BadParameter("give --from TOOL, or names of models as `mlxr ls --all` shows them")
    if name and len(names or []) != 1:
        raise ConfigError("--name is for one model: name that one")
    for path in (name for name in names or [] if not tool and os.path.exists(os.path.expanduser(name))):
        raise ConfigError(
            f"{path!r} is no model of another tool but a path: commands take it as it is, and `mlxr pull {path}` keeps "
            "a copy under a name"
        )
    server = named(endpoint)
    if server is not None:
        result = reported(lambda: remote_models.import_models(server, names or [], tool, name))
    else:
        result = carried_out(lambda: tool_models.import_models(names or [], tool, name))
    if as_json:
        print_json(msgspec.to_builtins(result))
    else:
        tool_models.print_imported(result)
    if (result.refused and names) or ((result.refused or result.problems) and not result.imported):
        raise typer.Exit(1)
