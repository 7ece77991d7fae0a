"""Which actors there are, and what each is told: the composition root."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from mlxr.actors.chats.settings import ChatsSettings
from mlxr.actors.executor.settings import ExecutorSettings
from mlxr.actors.frontend.settings import FrontendSettings
from mlxr.actors.monitor.settings import MonitorSettings
from mlxr.actors.profile.settings import ProfileSettings
from mlxr.actors.registry.settings import RegistrySettings
from mlxr.actors.scheduler.settings import Limits
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.api.transport import TransportSpec
from mlxr.runtime.config_sources import Setting
from mlxr.runtime.engine_spec import EngineSpec
from mlxr.runtime.paths import Home
from mlxr.runtime.supervisor import ActorSpec
from mlxr.server.ahead import EXECUTOR
from mlxr.server.config import Config

ENCODER_TOKENS = 4096
ENCODER_SEQUENCES = 256
ENCODER_WAITING = 4096
"""What an encoder gets at least: it has no decode rows that wait behind a step, and holds nothing between steps."""

BACKGROUND_IDLE_SECONDS = 10.0
"""How long a server that a command started stays without a model or a request: until the next command, mostly."""

HTTP = "mlxr.http.listeners.server:make_transport"
"""The transport that every server has."""


@dataclass(frozen=True)
class Factories:
    """``module:Class`` of every actor; a benchmark puts its own executor in."""

    frontend: str = "mlxr.actors.frontend.actor:FrontendActor"
    registry: str = "mlxr.actors.registry.actor:RegistryActor"
    profile: str = "mlxr.actors.profile.actor:ProfileActor"
    tokenizer: str = "mlxr.actors.tokenizer.actor:TokenizerActor"
    scheduler: str = "mlxr.actors.scheduler.actor:SchedulerActor"
    kv: str = "mlxr.actors.kv.actor:KVActor"
    executor: str = EXECUTOR
    monitor: str = "mlxr.actors.monitor.actor:MonitorActor"
    chats: str = "mlxr.actors.chats.actor:ChatsActor"


def shared_actors(
    config: Config,
    home: Home,
    factories: Factories,
    background: bool = False,
    settings: Sequence[Setting] = (),
    required: Iterable[str] = (),
) -> list[ActorSpec]:
    """Returns the actors that serve all engines. ``background``: of a server that a command started for itself.
    ``settings``: where the configuration comes from, for people to see. ``required``: models that it does not go on
    without."""
    registry = RegistrySettings(
        home=str(home.root),
        models=config.models,
        warm=not background,
        on_demand=background,
        required=list(required),
        executor=any_executor(config),
        draft_model=drafting(config),
    )
    frontend = FrontendSettings(
        home=str(home.root),
        transports=[TransportSpec(HTTP, msgspec.json.encode(config.server).decode())],
        drain_seconds=config.server.drain_seconds,
        unread_deltas=config.server.unread_deltas,
        idle_seconds=BACKGROUND_IDLE_SECONDS if background else 0.0,
        configuration=list(settings),
    )
    monitor = MonitorSettings(str(home.root), config.ui.developer)
    chats = ChatsSettings(str(home.root), config.chats, resume=not background)
    # The registry first: what it loads takes longest, beside all others' beginnings.
    return [
        ActorSpec(
            "registry",
            factories.registry,
            msgspec.json.encode(registry),
            config.placement.registry == "process",
            engines=tuple(
                factory.partition(":")[0] for factory in (factories.tokenizer, factories.scheduler, factories.kv)
            ),
            loads=not background,
        ),
        ActorSpec("monitor", factories.monitor, msgspec.json.encode(monitor), vital=False),
        ActorSpec("frontend", factories.frontend, msgspec.json.encode(frontend), imports=(HTTP.partition(":")[0],)),
        ActorSpec("profile", factories.profile, msgspec.json.encode(ProfileSettings(str(home.root)))),
        ActorSpec("chats", factories.chats, msgspec.json.encode(chats), vital=False),
    ]


def any_executor(config: Config) -> ExecutorSettings:
    """Returns what executors of whatever model are told."""
    return ExecutorSettings("", "", config.executor, config.kv, config.scheduler.token_budget, mtp=_mtp(config))


def drafting(config: Config) -> str | None:
    """Returns the model that is to draft, as ``DraftModels`` takes it."""
    return config.speculation.draft_model if config.speculation.enabled else None


def _mtp(config: Config) -> bool:
    return config.speculation.enabled and config.speculation.mtp


def engine_actors(config: Config, factories: Factories, spec: bytes, memory_bytes: int) -> list[ActorSpec]:
    """Returns the four actors of one engine, from the registry's ``EngineSpec``. ``memory_bytes``: what its weights and
    pages may take, 0 for no limit."""
    engine = msgspec.json.decode(spec, type=EngineSpec)
    encoder = engine.info.encoder
    place = config.placement
    chosen = {**msgspec.to_builtins(config.scheduler), "speculation": config.speculation}
    limits = msgspec.convert({**chosen, "whole_prompts": encoder}, Limits)
    if encoder:
        limits = msgspec.structs.replace(
            limits,
            token_budget=max(limits.token_budget, ENCODER_TOKENS),
            max_sequences=max(limits.max_sequences, ENCODER_SEQUENCES),
            max_waiting=max(limits.max_waiting, ENCODER_WAITING),
        )
    executor = ExecutorSettings(
        engine.path,
        engine.identity,
        config.executor,
        config.kv,
        limits.token_budget,
        memory_bytes,
        place.executor == "process",
        engine.content,
        engine.drafts,
        _mtp(config),
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
