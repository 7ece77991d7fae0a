"""From the command line's process to the server's: ``exec`` leaves behind what only the former needs.

Typer brings pydantic and rich along, some 15 MB for as long as the server would run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from typing import NoReturn

import msgspec
from msgspec import Struct

from mlxr.cli.config import Config
from mlxr.runtime.paths import Home


class Order(Struct, frozen=True):
    """What to serve. ``home``: MLXR_HOME."""

    config: Config
    home: str


def become_server(config: Config, home: Home) -> NoReturn:
    """Go on as ``mlxr.cli.process``. The order goes through a file without a name, since it may hold keys; what
    follows it on the new command line is for people who look at the list of processes."""
    with tempfile.TemporaryFile() as file:
        file.write(msgspec.json.encode(Order(config, str(home.root))))
        file.flush()
        os.set_inheritable(file.fileno(), True)
        os.execv(sys.executable, [sys.executable, "-m", "mlxr.cli.process", str(file.fileno()), *sys.argv[1:]])
