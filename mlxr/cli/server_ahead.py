"""Begins a server before the command line that asks for it is read.

To read that takes a tenth of a second, as does what a server and its first processes import. So ``mlxr up`` is the
server from the beginning, and a child of it reads the command line, tells it what to serve, and ends.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from mlxr.runtime.first_processes import FirstProcesses

SERVING = ("up", "serve")
"""Commands that become a server."""

HELP = {"--help", "-h"}


class Server(int):
    """The pipe by which the process that was begun is told what to serve."""


def begin(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Server | None:
    """Returns, in a child process, the server that ``arguments`` ask for, and never in the server itself. None where
    they ask for none, where the system can't start so many processes now, or where command line or environment hold
    keys: what replaces both (``exec_server``) is shown to others without."""
    if not arguments or arguments[0] not in SERVING or HELP & set(arguments) or _have_keys(arguments, environment):
        return None
    from mlxr.runtime.errors import StartError
    from mlxr.runtime.exit_status import private_files
    from mlxr.runtime.paths import Home
    from mlxr.server import ahead, signals

    private_files()
    try:
        directory = Home.find().run / str(os.getpid())
    except StartError:  # which the command says
        return None
    signals.hold()
    first = ahead.start(directory, executor=True)
    told, pipe = os.pipe()
    try:
        teller = os.fork()
    except OSError:  # too many processes: the command itself becomes the server
        os.close(told)
        os.close(pipe)
        if first is not None:
            first.end()
        signals.let_through()
        return None
    if teller:
        os.close(pipe)
        _serve(told, teller, first)
    os.close(told)
    signals.let_through()
    # It ends soon: nothing need be looked for that may go.
    gc.disable()
    return Server(pipe)


def _serve(told: int, teller: int, first: FirstProcesses | None) -> NoReturn:
    from mlxr.server.main import serve_told

    serve_told(told, teller, first)


def _have_keys(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    from mlxr.server.ahead import KEYS

    named = ("--api-key", "server.api_keys")
    return KEYS in environment or any(name in argument for name in named for argument in arguments)
