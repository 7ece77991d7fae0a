"""The main function of the server's process, which ``exec_server`` puts in the place of ``mlxr up``.

Imports little: the server's first processes start before the rest of it is imported.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from mlxr.runtime import descriptors, first_processes
from mlxr.runtime.exit_status import exit_on_error
from mlxr.runtime.paths import Home


class _Placement(Struct, frozen=True):
    executor: str


class _Config(Struct, frozen=True):
    placement: _Placement


class _FirstArguments(Struct, frozen=True):
    """What of ``ServerArguments`` says which processes are first."""

    config: _Config
    home: str


def main() -> None:
    """``python -m mlxr.server.main DESCRIPTOR``: serve what that open file says."""
    with exit_on_error():
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            file.seek(0)
            given = file.read()
        wanted = msgspec.json.decode(given, type=_FirstArguments)
        descriptors.raise_limit()  # of processes that it starts, too
        directory, first = Home(Path(wanted.home)).run / str(os.getpid()), None
        with suppress(OSError):  # too many processes, say: then those of actors and sandboxes are started in their time
            first = first_processes.start(str(directory), executor=wanted.config.placement.executor == "process")

        from mlxr.server.process import run

        status = run(given, first)
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads that are still at work must not hold the process up.
    os._exit(status)


if __name__ == "__main__":
    main()
