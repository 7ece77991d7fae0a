"""Runs one actor as a process of its own: ``python -m mlxr.runtime.host``, with its ``Assignment`` as JSON on stdin.

A ``Prepare`` may come before it: a process that is started ahead has its imports done when it is needed.

Stdin stays open for as long as the parent lives. A line ``stop`` ends the actor in order; the end of file means that
the parent is gone, and this process then removes the run directory that nobody else can clean up any more, and ends
at once.
"""

from __future__ import annotations

# ruff: noqa: E402  (imports are paced from the first on)
import gc

from mlxr.runtime import pacing

# Until its actor is imported: nothing of that is garbage.
gc.disable()
_starting = pacing.starting()
_starting.__enter__()

import importlib
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import anyio
import msgspec
from msgspec import Struct

from mlxr.runtime import logs
from mlxr.runtime.actor import Actor, Context, Sender
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.first_processes import Prepare
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.messages.supervisor import Published
from mlxr.runtime.run_directory import remove
from mlxr.runtime.telemetry import Telemetry

_starting.__exit__(None, None, None)

STDIN = 0
STOP = b"stop\n"

UNLOADABLE = 3
"""The exit status of a process whose actor's libraries do not load: another one would end the same way."""

IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT)


class Assignment(Struct, frozen=True, tag=True):
    """Which actor to be.

    Attributes:
        factory: ``module:Class``.
        address: where it receives.
        settings: its settings in JSON.
        epoch: which of its lives it is.
        log: how it logs.
    """

    factory: str
    address: str
    run_directory: str
    settings: str = "{}"
    epoch: int = 0
    log: logs.LogSettings = logs.LogSettings()


def actor_class(factory: str) -> type[Actor]:
    """Returns the class that ``module:Class`` names."""
    module, _, name = factory.partition(":")
    found = getattr(importlib.import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, Actor)):
        raise TypeError(f"{factory} is no actor")
    return found


def paced_actor_class(factory: str) -> type[Actor]:
    """As ``actor_class``, as streams let it: for processes without streams of their own, since it waits."""
    with pacing.starting():
        return actor_class(factory)


class RelaySink:
    """Sends events to the supervisor, which alone knows whether anybody reads them."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def wants(self, topic: str) -> bool:
        return True

    def publish(self, topic: str, body: bytes) -> None:
        self._sender.tell(Address("supervisor"), Published(topic, body))


async def serve(assignment: Assignment, stop: threading.Event) -> None:
    """Runs the actor until ``stop`` is set; raises what it raises."""
    own = Address(assignment.address)
    directory = Path(assignment.run_directory)
    bus = Bus(directory, lambda address: address == own)
    inbox = bus.inbox(own, INBOXES[own.kind])
    context = Context(
        own, bus, Telemetry(RelaySink(Sender(own.kind, bus))), directory, assignment.settings.encode(), assignment.epoch
    )
    actor = actor_class(assignment.factory)(context)
    try:
        async with anyio.create_task_group() as tasks:

            async def until_told() -> None:
                await anyio.to_thread.run_sync(stop.wait, abandon_on_cancel=True)
                tasks.cancel_scope.cancel()

            tasks.start_soon(until_told)
            await actor.run(inbox)
    finally:
        inbox.close()
        bus.close()


def watch_parent(run_directory: Path, stop: threading.Event) -> None:
    """Reads stdin to its end, on a thread that a busy device can't hold up."""
    while told := os.read(STDIN, len(STOP)):
        if told == STOP:
            stop.set()
            return
    follow_parent(run_directory)


def follow_parent(run_directory: Path) -> NoReturn:
    """Ends at once, without what the parent left behind."""
    remove(run_directory)
    logs.close()
    os._exit(0)


def read_line(descriptor: int) -> bytes:
    """Returns one line, without taking in what follows it; nothing where the file ends before the line does."""
    line = b""
    while not line.endswith(b"\n"):
        if not (more := os.read(descriptor, 1)):
            return b""
        line += more
    return line


def take_assignment() -> Assignment:
    """Returns what this process is to be; it may have to prepare itself first. Ends with the parent if nothing
    comes."""
    if not (line := read_line(STDIN)):
        end(0)  # the parent had no run directory yet
    order = msgspec.json.decode(line, type=Prepare | Assignment)
    if isinstance(order, Assignment):
        return order
    with suppress(ImportError):  # said once it is wanted
        paced_actor_class(order.factory)
    pacing.let_next()
    if line := read_line(STDIN):
        return msgspec.json.decode(line, type=Assignment)
    follow_parent(Path(order.run_directory))


def end(status: int) -> NoReturn:
    """Ends at once: a device's thread that is stuck in a step must not hold the process up."""
    sys.stderr.flush()
    logs.close()
    os._exit(status)


def main() -> None:
    # What is sent to all processes of a server, the main process decides about.
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, IGNORED)
    assignment = take_assignment()
    logs.set_up(assignment.log, assignment.address)
    log = logging.getLogger("mlxr")
    try:
        paced_actor_class(assignment.factory)
    except ImportError as error:
        log.critical("%s can't run here: %s", assignment.address, error)
        end(UNLOADABLE)
    gc.freeze()
    gc.enable()
    stop = threading.Event()
    watcher = threading.Thread(target=watch_parent, args=(Path(assignment.run_directory), stop), daemon=True)
    watcher.start()
    status = 0
    try:
        anyio.run(serve, assignment, stop, backend_options={"use_uvloop": True})
    except BaseException:
        log.critical("%s crashed", assignment.address, exc_info=True)
        status = 1
    end(status)


if __name__ == "__main__":
    main()
