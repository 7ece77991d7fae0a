"""A server's life: its run directory, bus and supervisor, and how it ends."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from functools import partial

import anyio

from mlxr.runtime import logs, pacing
from mlxr.runtime.actor import Context
from mlxr.runtime.actor_process import ActorProcess
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.config_sources import Setting
from mlxr.runtime.errors import StartError
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.paths import Home, fits_socket_path
from mlxr.runtime.run_directory import BACKGROUND, TELEMETRY, RunDirectory
from mlxr.runtime.sandbox import Nursery
from mlxr.runtime.supervisor import SupervisorActor
from mlxr.runtime.telemetry import Telemetry
from mlxr.server import signals, watchdog
from mlxr.server.actors import Factories, engine_actors, shared_actors
from mlxr.server.config import Config

log = logging.getLogger("mlxr")

TELEMETRY_SOCKET = "telemetry.sock"
"""Where events are published if the configuration does not say."""

DRAINED_SECONDS, END_SECONDS, KILL_SECONDS = 0.25, 0.9, 1.1
"""Beyond ``server.drain_seconds``: for the last words of requests, for everything else that is to end in order, and
before the watchdog ends what did not."""


async def serve(
    config: Config,
    home: Home,
    factories: Factories | None = None,
    *,
    background: bool = False,
    settings: Sequence[Setting] = (),
    required: Iterable[str] = (),
    nursery: Nursery | None = None,
    spare: ActorProcess | None = None,
) -> int:
    """Runs a server until a signal ends it; returns the exit status. Raises ``MlxrError`` if it can't start.

    background: it loads nothing at the start, and ends by itself when it is idle.
    settings: where the configuration comes from, for people to see.
    required: models that it does not go on without.
    nursery: what sandboxes' zygotes are forked from; ended with the server.
    spare: a process that was started for the first executor.
    """
    factories = factories or Factories()
    if not fits_socket_path(home.run / "4194304"):
        raise StartError(f"the path {home.run} is too long for sockets; set MLXR_HOME to a shorter one")
    with RunDirectory(home.run) as run_directory:
        pacing.serve_from(run_directory.path)
        # The supervisor fills this in as it places actors; the bus asks it how to reach an address.
        in_process = {Address("supervisor")}
        bus = Bus(run_directory.path, in_process.__contains__)
        publisher = bus.publisher()
        endpoint = publisher.bind(config.telemetry.endpoint or f"ipc://{run_directory.path / TELEMETRY_SOCKET}")
        try:
            (run_directory.path / TELEMETRY).write_text(endpoint)
            if background:
                (run_directory.path / BACKGROUND).touch()
        except OSError as error:
            raise StartError(f"can't write to {home.run}: {error.strerror}; make room, or set MLXR_HOME") from error
        telemetry = Telemetry(publisher)
        handler = logs.TelemetryHandler(telemetry, config.server.api_keys)
        log.addHandler(handler)
        supervisor = SupervisorActor(
            Context(Address("supervisor"), bus, telemetry, run_directory.path, nursery=nursery),
            shared_actors(config, home, factories, background, settings, required),
            partial(engine_actors, config, factories),
            in_process,
            config.supervision.restarts,
            config.supervision.window_seconds,
            ahead=factories.executor if config.placement.executor == "process" else "",
            spare=spare,
        )
        inbox = bus.inbox(supervisor.address, INBOXES["supervisor"])
        try:
            kill_seconds = config.server.drain_seconds + KILL_SECONDS
            with (
                signals.received() as received,
                watchdog.watching(signals.DRAINING, kill_seconds, run_directory.path),
            ):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_until_signal, received, supervisor, config, run_directory, tasks.cancel_scope)
                    await supervisor.run(inbox)
        finally:
            if nursery is not None:
                with anyio.CancelScope(shield=True):
                    await nursery.close()
            log.removeHandler(handler)
            inbox.close()
            publisher.close()
            bus.close()
    return 0


async def _until_signal(
    received: AsyncIterator[signal.Signals],
    supervisor: SupervisorActor,
    config: Config,
    run_directory: RunDirectory,
    scope: anyio.CancelScope,
) -> None:
    """The first signal drains, bounded by ``server.drain_seconds``; a second SIGTERM or SIGINT ends at once."""
    first = await anext(received)
    seconds = config.server.drain_seconds

    def clean_up() -> None:
        supervisor.kill_processes()
        run_directory.remove()
        logs.close()

    log.info("stopping for %s", first.name)
    signals.deadline(seconds + END_SECONDS, clean_up)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_end_on_second, received, first in signals.URGENT, clean_up)
        supervisor.begin_drain()
        with anyio.move_on_after(seconds + DRAINED_SECONDS):
            await supervisor.drained.wait()
        tasks.cancel_scope.cancel()
    scope.cancel()


async def _end_on_second(received: AsyncIterator[signal.Signals], one: bool, clean_up: Callable[[], None]) -> None:
    async for number in received:
        if number in signals.URGENT:
            if one:
                log.info("ending at once for a second %s", number.name)
                clean_up()
                os._exit(128 + number)
            one = True
