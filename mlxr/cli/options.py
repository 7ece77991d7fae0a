"""Arguments and options that several verbs have."""

from __future__ import annotations

from typing import Annotated

import typer

from mlxr.cli.completion import complete_loaded, complete_model, complete_source

_MODEL = "A model's name or alias, MODEL+ADAPTER, or the path of a .gguf file or model folder."
ModelName = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL, autocompletion=complete_model)]
ModelToFetch = Annotated[str, typer.Argument(metavar="MODEL", help=_MODEL, autocompletion=complete_source)]
"""Of a command that pulls what is not here."""
ModelNames = Annotated[
    list[str], typer.Argument(metavar="MODEL...", help="Names of models.", autocompletion=complete_model)
]
LoadedNames = Annotated[
    list[str] | None, typer.Argument(metavar="MODEL...", help="Names of loaded models.", autocompletion=complete_loaded)
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Speak to the registry without TLS.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Endpoint = Annotated[
    str | None,
    typer.Option(
        "--endpoint",
        metavar="URL",
        help="The server to talk to: http://HOST:PORT, HOST:PORT, or unix:PATH.",
        show_default="MLXR_HOST, else the server of this MLXR_HOME",
    ),
]
