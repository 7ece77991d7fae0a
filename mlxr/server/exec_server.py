"""Replaces the command line's process by the server's: ``exec`` leaves behind what only the former needs.

Typer brings pydantic and rich along, some 15 MB for as long as the server would run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable
from typing import NoReturn

import msgspec
from msgspec import Struct

from mlxr.runtime.config_sources import Setting
from mlxr.runtime.paths import Home
from mlxr.server.ahead import KEYS
from mlxr.server.config import SECRET, Config
from mlxr.server.signals import held

HIDDEN = "***"


class ServerArguments(Struct, frozen=True):
    """What to serve.

    config: the whole configuration, keys included.
    home: MLXR_HOME.
    background: a command started it: it loads what it is asked for alone, and ends when it is idle.
    settings: each key of the configuration and where it comes from, without secrets.
    required: models without which it ends: those that were named where it was started.
    """

    config: Config
    home: str
    background: bool = False
    settings: list[Setting] = []
    required: tuple[str, ...] = ()


def tell_server(pipe: int, config: Config, home: Home, settings: list[Setting], required: Iterable[str]) -> NoReturn:
    """Tells the server at the other end of ``pipe`` (``main.serve_told``) what to serve, and ends this process."""
    with os.fdopen(pipe, "wb") as file:
        file.write(_arguments(config, home, settings, required))
    sys.exit(0)


def exec_server(config: Config, home: Home, settings: list[Setting], required: Iterable[str] = ()) -> NoReturn:
    """Replaces this process by one that runs ``mlxr.server.main``.

    The arguments go through a file without a name, since they may hold keys. The new command line repeats the old one,
    for people who look at the list of processes, but keys; the environment has none either.
    """
    os.environ.pop(KEYS, None)
    with tempfile.TemporaryFile() as file:
        file.write(_arguments(config, home, settings, required))
        file.flush()
        os.set_inheritable(file.fileno(), True)
        # What is held back stays so: no signal finds the new process before it can drain.
        command = [sys.executable, "-m", "mlxr.server.main", str(file.fileno()), *without_keys(sys.argv[1:])]
        with held():
            os.execv(sys.executable, command)


def _arguments(config: Config, home: Home, settings: list[Setting], required: Iterable[str]) -> bytes:
    shown = [setting.without_secrets(SECRET) for setting in settings]
    return msgspec.json.encode(ServerArguments(config, str(home.root), settings=shown, required=tuple(required)))


def without_keys(arguments: list[str]) -> list[str]:
    """``arguments`` of a command line with a mark for each key in them."""
    shown: list[str] = []
    before = ""
    for argument in arguments:
        if before == "--api-key":
            shown.append(HIDDEN)
        elif argument.startswith("--api-key="):
            shown.append(f"--api-key={HIDDEN}")
        elif (found := argument.partition("server.api_keys"))[1] and (
            before == "--set" or argument.startswith("--set=")
        ):
            shown.append(f"{found[0]}server.api_keys={HIDDEN}")
        else:
            shown.append(argument)
        before = argument if before != "--api-key" else ""
    return shown
