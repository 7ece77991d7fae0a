"""A server put together: which actors there are, where they run, and how it starts and ends."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

import anyio
import msgspec

from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.frontend.settings import FrontendSettings
from mlxr.actors.registry.settings import RegistrySettings
from mlxr.actors.scheduler.policy import Limits
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.api.transport import TransportSpec
from mlxr.runtime import logs
from mlxr.runtime.actor import Context
from mlxr.runtime.bus import Address, Bus
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.errors import StartError
from mlxr.runtime.messages import INBOXES
from mlxr.runtime.paths import Home, fits_socket_path
from mlxr.runtime.run_directory import TELEMETRY, RunDirectory
from mlxr.runtime.supervisor import ActorSpec, SupervisorActor
from mlxr.runtime.telemetry import Telemetry
from mlxr.server import signals
from mlxr.server.config import Config

log = logging.getLogger("mlxr")

TELEMETRY_SOCKET = "telemetry.sock"
"""Where events are published if the configuration does not say."""

ENCODER_TOKENS = 4096
"""Token budget of a step of an encoder, which has no decode rows to wait behind it."""


DRAINED_SECONDS, END_SECONDS = 0.25, 0.9
"""Beyond ``server.drain_seconds``: for the last words of requests, and for everything else that is to end in order."""


HTTP = "mlxr.http.listeners.server:make_transport"
"""The transport that every server has."""


@dataclass(frozen=True)
class Factories:
    """``module:Class`` of every actor; a benchmark puts its own executor in."""

    frontend: str = "mlxr.actors.frontend.actor:FrontendActor"
    registry: str = "mlxr.actors.registry.actor:RegistryActor"
    tokenizer: str = "mlxr.actors.tokenizer.actor:TokenizerActor"
    scheduler: str = "mlxr.actors.scheduler.actor:SchedulerActor"
    kv: str = "mlxr.actors.kv.actor:KVActor"
    executor: str = "mlxr.actors.executor.actor:ExecutorActor"


def shared_actors(config: Config, home: Home, factories: Factories) -> list[ActorSpec]:
    """The actors that serve all engines."""
    registry = RegistrySettings(
        home=str(home.root),
        default_model=config.models.default,
        max_engines=config.models.max_loaded,
        keep_alive=config.models.keep_alive if config.models.keep_alive >= 0 else None,
        warm=True,
        paths=config.models.paths,
    )
    frontend = FrontendSettings(
        home=str(home.root),
        transports=[TransportSpec(HTTP, msgspec.json.encode(config.server).decode())],
        drain_seconds=config.server.drain_seconds,
        unread_deltas=config.server.unread_deltas,
    )
    return [
        ActorSpec("frontend", factories.frontend, msgspec.json.encode(frontend)),
        ActorSpec(
            "registry", factories.registry, msgspec.json.encode(registry), config.placement.registry == "process"
        ),
    ]


def engine_actors(config: Config, factories: Factories, spec: bytes) -> list[ActorSpec]:
    """The four actors of one engine, from the registry's ``EngineSpec``."""
    engine = msgspec.json.decode(spec, type=EngineSpec)
    encoder = "completion" not in engine.info.capabilities
    scheduling, place = config.scheduler, config.placement
    limits = Limits(
        token_budget=max(scheduling.token_budget, ENCODER_TOKENS) if encoder else scheduling.token_budget,
        prefill_chunk=scheduling.prefill_chunk,
        max_sequences=max(scheduling.max_sequences, 256) if encoder else scheduling.max_sequences,
        max_waiting=max(scheduling.max_waiting, 4096) if encoder else scheduling.max_waiting,
        whole_prompts=encoder,
    )
    executor = ExecutorSettings(
        path=engine.path,
        identity=engine.identity,
        backend=config.executor.backend,
        threads=config.executor.threads,
        page_size=config.kv.page_size,
        pool_tokens=config.kv.pool_tokens,
        memory_fraction=config.kv.memory_fraction,
        context_length=config.executor.context_length,
    )
    tokenizer = TokenizerSettings(
        spec=engine,
        context_length=config.executor.context_length,
        pool_tokens=config.kv.pool_tokens,
    )
    return [
        ActorSpec("tokenizer", factories.tokenizer, msgspec.json.encode(tokenizer), place.tokenizer == "process"),
        ActorSpec("scheduler", factories.scheduler, msgspec.json.encode(limits), place.scheduler == "process"),
        ActorSpec("kv", factories.kv, b"{}", place.kv == "process"),
        ActorSpec("executor", factories.executor, msgspec.json.encode(executor), place.executor == "process"),
    ]


async def serve(config: Config, home: Home, factories: Factories | None = None) -> int:
    """Run a server until a signal ends it; returns the exit status. Raises ``MlxrError`` if it can't start."""
    factories = factories or Factories()
    if not fits_socket_path(home.run / "4194304"):
        raise StartError(f"the path {home.run} is too long for sockets; set MLXR_HOME to a shorter one")
    with RunDirectory(home.run) as run_directory:
        # The supervisor fills this in as it places actors; the bus asks it how to reach an address.
        hosted = {Address("supervisor")}
        bus = Bus(run_directory.path, hosted.__contains__)
        publisher = bus.publisher()
        endpoint = publisher.bind(config.telemetry.endpoint or f"ipc://{run_directory.path / TELEMETRY_SOCKET}")
        (run_directory.path / TELEMETRY).write_text(endpoint)
        telemetry = Telemetry(publisher)
        handler = logs.TelemetryHandler(telemetry)
        log.addHandler(handler)
        supervisor = SupervisorActor(
            Context(Address("supervisor"), bus, telemetry, run_directory.path),
            shared_actors(config, home, factories),
            partial(engine_actors, config, factories),
            hosted,
            config.supervision.restarts,
            config.supervision.window_seconds,
            ahead=factories.executor if config.placement.executor == "process" else "",
        )
        inbox = bus.inbox(supervisor.address, INBOXES["supervisor"])
        try:
            with signals.received() as received:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(_until_signal, received, supervisor, config, run_directory, tasks.cancel_scope)
                    await supervisor.run(inbox)
        finally:
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
                clean_up()
                os._exit(128 + number)
            one = True
