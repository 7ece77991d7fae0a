"""A server's first processes, which start before the server itself has imported anything that takes long.

What they import takes as long as what the server imports, and another core can do it meanwhile. They know from the
first what to import, and wait then for what they are to be. Imports little, for that reason.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from mlxr.runtime import pacing

ZYGOTE_ENVIRONMENT = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
"""One thread, since a fork takes no others along, and one arena, since others count against the address space."""


class Prepare(Struct, frozen=True, tag=True):
    """Tells an actor's process (``host.py``) to import what ``factory`` needs, for an assignment that comes later."""

    factory: str
    run_directory: str


HOST_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": "262144", "MALLOC_TRIM_THRESHOLD_": "262144"}
"""What an actor's process takes for a while, the system has back: glibc's own thresholds grow with the first array that
goes, up to 32 MB, and what is smaller stays with the process from then on. What the user has set stands instead."""


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
    executor: subprocess.Popen[bytes] | None = None

    def without_executor(self) -> FirstProcesses:
        """Ends the executor's process, if there is one."""
        if self.executor is not None:
            self.executor.kill()
            self.executor.wait()
        return FirstProcesses(self.nursery, self.control)

    def end(self) -> None:
        """Ends them all."""
        self.without_executor()
        self.control.close()
        self.nursery.kill()
        self.nursery.wait()


def start(
    run_directory: str, *, executor: str = "", prepare: str = "", environment: Mapping[str, str] = os.environ
) -> FirstProcesses:
    """Starts them, for the server that is going to have that run directory. Raises ``OSError``.

    executor: what the executor's process is to import, as ``Prepare`` names it; '' for no such process.
    prepare: the function (``module:function``) that the nursery prepares by.
    environment: of all of them.
    """
    pacing.serve_from(run_directory)
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        # As some who start services leave it: nobody could tell how a process of ours has ended.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    environment = {**environment, **pacing.environment()}
    process = None
    ours, theirs = socket.socketpair()
    with theirs, pacing.Queued() as queued:
        if executor:
            process = subprocess.Popen(
                host_command("ahead"),
                stdin=subprocess.PIPE,
                bufsize=0,
                pass_fds=queued.first_descriptors,
                env={**HOST_ENVIRONMENT, **environment, **queued.first},
                start_new_session=True,
            )
            assert process.stdin is not None
            with suppress(OSError):  # it has ended, as who wants it finds out
                process.stdin.write(order_line(Prepare(executor, run_directory)))
            environment |= queued.second
        nursery = subprocess.Popen(
            zygote_command(theirs.fileno()),
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno(), *queued.second_descriptors],
            env={**environment, **ZYGOTE_ENVIRONMENT},
            start_new_session=True,
        )
    # A ``Setup`` of ``sandbox/protocol.py``, in a frame.
    setup = msgspec.msgpack.encode({"prepare": prepare})
    with suppress(OSError):
        ours.sendall(len(setup).to_bytes(4, "big") + setup)
    return FirstProcesses(nursery, ours, process)


def order_line(order: Struct) -> bytes:
    """Returns an order to an actor's process as that reads it (``host.take_assignment``)."""
    return msgspec.json.encode(order) + b"\n"


def host_command(label: str) -> list[str]:
    """``label`` is for people who look at the list of processes."""
    return [sys.executable, "-m", "mlxr.runtime.host", label]


def zygote_command(control: int) -> list[str]:
    """``control``: the descriptor of its control socket, which it inherits."""
    return [sys.executable, "-m", "mlxr.runtime.sandbox.zygote", str(control)]


def zygote_environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **ZYGOTE_ENVIRONMENT, **more}
