"""``mlxr up``: run a server in the foreground."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from mlxr.cli.client.endpoint import HOST as HOST_VARIABLE
from mlxr.cli.client.endpoint import running
from mlxr.cli.completion import complete_source
from mlxr.cli.configuration import configuration_file, setting
from mlxr.cli.machine import cores
from mlxr.cli.other_tools import unread_variables
from mlxr.cli.printing import remark
from mlxr.cli.server_ahead import Server
from mlxr.cli.verbs import Task, add_verb
from mlxr.runtime import config
from mlxr.runtime.errors import ConfigError, StartError
from mlxr.runtime.paths import Home

if TYPE_CHECKING:
    from mlxr.server.config import Config


def register(app: typer.Typer) -> None:
    add_verb(app, "up", up, Task.CHAT, EXAMPLES, aliases=["serve"])


EXAMPLES = [
    ("mlxr up", "serve what is here at http://127.0.0.1:11435"),
    ("mlxr up some.gguf --set executor.context_length=4096", "a file, with a context of your choice"),
    ("mlxr up --ollama-port 11434", "where Ollama's clients look, too"),
    ("mlxr up --host 0.0.0.0 --api-key-file keys", "for other machines, with keys"),
]

HOST, PORT, THREADS, BACKEND, LOG_LEVEL = "127.0.0.1", 11435, 0, "auto", "info"
BACKENDS = "auto, mlx, cpu, reference"
"""What the configuration's sections say, which take a while to load: no other command's help should wait for them."""

KEYS = "`mlxr config` lists them"


def up(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            help="What to load: a name, an alias, or the path of a .gguf file or model folder.",
            autocompletion=complete_source,
            show_default="a model that is here, else smollm2",
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default=HOST)] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; 0 takes a free one.", show_default=str(PORT)),
    ] = None,
    ollama_port: Annotated[
        int | None,
        typer.Option(help="Listen here as well, where Ollama's clients look (11434).", show_default="none"),
    ] = None,
    api_key: Annotated[
        list[str] | None,
        typer.Option(
            help="A key that lets clients in; repeat for several. Other users may see it for a moment in the list of "
            "processes: --api-key-file or MLXR_SERVER_API_KEYS keep it from them."
        ),
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="A file with a key a line that lets clients in.")] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="A model to load now that stays, whoever else needs room; repeat for several.",
            autocompletion=complete_source,
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(help="CPU threads of the executor; 0 for all there are.", show_default=str(THREADS)),
    ] = None,
    backend: Annotated[str | None, typer.Option(help=f"{BACKENDS}.", show_default=BACKEND)] = None,
    log_level: Annotated[
        str | None, typer.Option(help="debug, info, warning or error.", show_default=LOG_LEVEL)
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help=f"Any key of the configuration, such as executor.context_length=4096 ({KEYS}).",
        ),
    ] = None,
    config_file: Annotated[
        Path | None,
        typer.Option("--config", help="Configuration file (TOML).", show_default="config.toml in MLXR_HOME"),
    ] = None,
) -> None:
    """Serve models over HTTP until interrupted (also: mlxr serve).

    Options override MLXR_SECTION_KEY variables, which override the configuration file.
    """
    # The configuration of everything, and what starts a server.
    from mlxr.http.settings import check
    from mlxr.runtime.config_sources import everything
    from mlxr.server.config import Config
    from mlxr.server.exec_server import exec_server, tell_server

    home = Home.find()
    flags = [
        *map(setting, settings or []),
        config.Flag("MODEL", "models.default", model),
        config.Flag("--host", "server.host", host),
        config.Flag("--port", "server.port", port),
        config.Flag("--ollama-port", "server.ollama_port", ollama_port),
        config.Flag("--api-key", "server.api_keys", _keys(api_key, api_key_file)),
        config.Flag("--pin", "models.pinned", pin),
        config.Flag("--threads", "executor.threads", threads),
        config.Flag("--backend", "executor.backend", backend),
        config.Flag("--log-level", "log.level", log_level),
    ]
    file = configuration_file(config_file, home)
    chosen = config.load(Config, file, os.environ, flags)
    check(chosen.server)
    _warn_of(chosen)
    _refuse_second(chosen, home)
    required = [*([model] if model else []), *(pin or [])]
    settings_shown = everything(Config, file, os.environ, flags)
    if (server := context.find_object(Server)) is not None:
        tell_server(server, chosen, home, settings_shown, required)
    exec_server(chosen, home, settings_shown, required)


def _refuse_second(chosen: Config, home: Home) -> None:
    """Say so where a server of this home listens there already: more than that the port is taken."""
    others = [server.shown for server in running(home) if not server.background]
    host = {"localhost": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(chosen.server.host, chosen.server.host)
    for server in running(home):
        address = urlsplit(server.url)
        if not server.socket and (address.hostname, address.port) == (host, chosen.server.port):
            raise StartError(
                f"a server of this MLXR_HOME listens at {server.shown} already (pid {server.process}): `mlxr ps` shows "
                "what it has loaded, ctrl-C where it runs ends it, --port takes another port for one more"
            )
    if others:
        remark(
            f"a server of this MLXR_HOME runs already at {', '.join(others)}: it serves the same models, and this one "
            "will load them once more; --endpoint or MLXR_HOST says which of them commands ask"
        )


def _warn_of(chosen: Config) -> None:
    if os.environ.get(HOST_VARIABLE):
        remark(f"{HOST_VARIABLE} is where commands look for a server; this one listens where --host and --port say")
    for said in unread_variables(os.environ, [chosen.server.port, chosen.server.ollama_port or chosen.server.port]):
        remark(said)
    threads, here = chosen.executor.threads, len(cores())
    if threads > here:
        remark(f"{threads} threads on {here} cores slow each other down; 0 takes as many as there are")


def _keys(given: list[str] | None, file: Path | None) -> list[str] | None:
    """The keys given on the command line, and those of ``file``; lines that begin with # are left out."""
    if file is None:
        return given
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--api-key-file {file}: can't read it ({getattr(error, 'strerror', None) or error})"
        ) from error
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ConfigError(f"--api-key-file {file}: there is no key in it")
    return [*(given or []), *keys]
