"""A server's first processes, which start before the server itself has imported anything that takes long.

What they import takes as long as what the server imports, and another core can do it meanwhile. They read what they are
to prepare once it is written to them. Imports little, for that reason.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from mlxr.runtime import pacing

ZYGOTE_ENVIRONMENT = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""One thread, since a fork takes no others along, and one arena, since others count against the address space."""


@dataclass(frozen=True, slots=True)
class FirstProcesses:
    """
    Attributes:
        nursery: the zygote of zygotes (``sandbox/nursery.py``).
        control: this side of its control socket.
        executor: an actor's process that is to be an executor (``host.py``); None where there is to be none.
    """

    nursery: subprocess.Popen[bytes]
    control: socket.socket
    executor: subprocess.Popen[bytes] | None


def start(run_directory: str, *, executor: bool) -> FirstProcesses:
    """Starts them, for the server that is going to have that run directory. Raises ``OSError``."""
    pacing.serve_from(run_directory)
    started = None
    if executor:
        started = subprocess.Popen(host_command("ahead"), stdin=subprocess.PIPE, bufsize=0, start_new_session=True)
    ours, theirs = socket.socketpair()
    with theirs:
        number = theirs.fileno()
        nursery = subprocess.Popen(
            zygote_command(number),
            stdin=subprocess.DEVNULL,
            pass_fds=[number],
            env=zygote_environment({}),
            start_new_session=True,
        )
    return FirstProcesses(nursery, ours, started)


def host_command(label: str) -> list[str]:
    """``label`` is for people who look at the list of processes."""
    return [sys.executable, "-m", "mlxr.runtime.host", label]


def zygote_command(control: int) -> list[str]:
    """``control``: the descriptor of its control socket, which it inherits."""
    return [sys.executable, "-m", "mlxr.runtime.sandbox.zygote", str(control)]


def zygote_environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **ZYGOTE_ENVIRONMENT, **more}
