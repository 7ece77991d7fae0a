"""The main function of the server's process, which ``exec_server`` puts in the place of ``mlxr up``, or which that
calls itself.

Imports little: the server's first processes start before the rest of it is imported.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec
from msgspec import Struct

from mlxr.runtime.exit_status import exit_on_error
from mlxr.runtime.first_processes import FirstProcesses
from mlxr.runtime.paths import Home
from mlxr.server import ahead, signals

IMPORTING_SWITCH_SECONDS = 0.0005


class _Placement(Struct, frozen=True):
    executor: str


class _Config(Struct, frozen=True):
    placement: _Placement


class _FirstArguments(Struct, frozen=True):
    """What of ``ServerArguments`` says which processes are first."""

    config: _Config
    home: str

    @property
    def executor(self) -> bool:
        return self.config.placement.executor == "process"


def main() -> None:
    """``python -m mlxr.server.main DESCRIPTOR``: serve what that open file says."""
    with exit_on_error():
        with os.fdopen(int(sys.argv[1]), "rb") as file:
            file.seek(0)
            given = file.read()
        wanted = msgspec.json.decode(given, type=_FirstArguments)
        first = ahead.start(Home(Path(wanted.home)).run / str(os.getpid()), executor=wanted.executor)
        _run(lambda: (given, first))


def serve_told(told: int, teller: int, first: FirstProcesses | None) -> NoReturn:
    """Serves what the process ``teller``, a child, writes to the other end of the pipe ``told``, and imports meanwhile
    what that takes. Ends as the child does where that says nothing."""
    with exit_on_error():
        _run(partial(_told, told, teller, first))


def _told(told: int, teller: int, first: FirstProcesses | None) -> tuple[bytes, FirstProcesses | None]:
    """Returns what was told, and those of the first processes that it asks for: they began before it was known."""
    with os.fdopen(told, "rb") as pipe:
        given = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(teller, 0)[1])
    if not given or status:
        if first is not None:
            first.end()
        sys.exit(status if status >= 0 else 128 - status)
    if first is not None and not msgspec.json.decode(given, type=_FirstArguments).executor:
        first = first.without_executor()
    return given, first


def _run(given: Callable[[], tuple[bytes, FirstProcesses | None]]) -> NoReturn:
    # Until the server's actors are imported: nothing of that is garbage. ``Supervisor`` goes on with it.
    gc.disable()
    # What the loop waits for goes first: actors are imported on a thread beside it.
    sys.setswitchinterval(IMPORTING_SWITCH_SECONDS)
    signals.hold()

    from mlxr.server.process import run

    status = run(*given())
    sys.stdout.flush()
    sys.stderr.flush()
    # At once: threads that are still at work must not hold the process up.
    os._exit(status)


if __name__ == "__main__":
    main()
