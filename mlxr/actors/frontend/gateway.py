"""What transports ask: implements ``mlxr.api.gateway.Gateway``.

It owns the life of each request, from its number to its one outcome, and sends it to its model's engine. Knows no
sockets: ``tell`` is all it has of the runtime. What comes back goes to ``table``, the catalogue to ``catalog``.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.lowlevel
from msgspec.structs import replace

from mlxr.actors.frontend.catalog import CurrentCatalog
from mlxr.actors.frontend.chats import ChatsLink
from mlxr.actors.frontend.drafters import require_drafter
from mlxr.actors.frontend.monitor_client import MonitorClient
from mlxr.actors.frontend.open_requests import OpenAnswer, OpenCommand, OpenRequest, OpenStream
from mlxr.actors.frontend.open_table import OpenTable
from mlxr.actors.frontend.prompt_limits import fit_to_context
from mlxr.actors.frontend.prompt_parts import in_parts
from mlxr.actors.frontend.request_tracker import REGISTRY, RequestTracker
from mlxr.api.adapted_models import no_model
from mlxr.api.caller import CALLER
from mlxr.api.gateway import RegistryCommand
from mlxr.api.library import Library
from mlxr.api.metrics import Metrics
from mlxr.api.pending_models import not_installed
from mlxr.models.names import outside_catalogue
from mlxr.runtime.bus import Address
from mlxr.runtime.config_sources import Setting
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.catalogue import EngineInfo, ModelEntry
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Message
from mlxr.runtime.messages.frontend import Catalog, Embedding, EngineLost, EngineStats, RegistryReply, Tokenized
from mlxr.runtime.messages.profile import ProfileCommand
from mlxr.runtime.messages.registry import CancelCommand, EngineReleased, LoadModel, UnloadModel
from mlxr.runtime.messages.tokenizer import Asked, Cancel, Detokenize, Embed, Generate, PromptPart, Tokenize
from mlxr.runtime.telemetry import Telemetry

SHUTTING_DOWN = ErrorInfo(ErrorCode.SHUTTING_DOWN, "the server is shutting down", retry_after=5)

PROFILE = Address.of("profile")
PROFILE_SECONDS = 10.0
"""How long the profile may take for a command: what it was at when it crashed is lost."""
CANCELLED_HERE = ErrorInfo(ErrorCode.CANCELLED, "the request was cancelled by somebody who watches this server")

MOST_LOADS = 5
"""How often a model is asked for that others have unloaded by the time it was to be used."""

O = TypeVar("O", bound=OpenRequest)  # noqa: E741


class FrontendGateway:
    """``first``: numbers of requests start above it, so that answers meant for an earlier frontend find nobody.
    ``state``: ``Home.state``, by which to see that another process has changed the catalogue.
    ``configuration``: what people are shown of the server's."""

    def __init__(
        self,
        tell: Callable[[Address, Message], None],
        telemetry: Telemetry,
        metrics: Metrics,
        unread_limit: int,
        first: int = 0,
        state: Callable[[], str] = str,
        configuration: Sequence[Setting] = (),
    ) -> None:
        self._tell = tell
        self._metrics = metrics
        self._tracker = RequestTracker(tell, telemetry, metrics)
        self._unread_limit = unread_limit
        self._last_number = first
        self._stats: dict[str, EngineStats] = {}
        self._counted: dict[str, float] = {}
        """When the stats of each engine came, by the monotonic clock."""
        self._accepting = True
        self._released: dict[str, int] = {}
        """Engines that are to stop, each with the number of the ending that the registry was answered."""
        self.table = OpenTable(metrics, telemetry)
        self.catalog = CurrentCatalog(tell, state)
        self.library = Library()
        self.monitor = MonitorClient(tell, first)
        self.configuration = configuration
        self.chats = ChatsLink(tell, first)

    async def catalog_ready(self) -> None:
        await self.catalog.ready()

    def models(self) -> list[ModelEntry]:
        return self.catalog.view.models

    def find(self, name: str) -> ModelEntry | None:
        model, adapters = self.catalog.view.split(name)
        known = all(self.catalog.view.find(adapter) is not None for adapter in adapters)
        return self.catalog.view.find(model) if known else None

    def engines(self) -> list[EngineInfo]:
        return self.catalog.view.engines

    def stats(self) -> list[EngineStats]:
        return list(self._stats.values())

    def counted(self, engine: str) -> float:
        """Returns when the latest counters of ``engine`` came, by the monotonic clock; 0 where none did."""
        return self._counted.get(engine, 0.0)

    def health(self) -> EngineInfo | None:
        return self.catalog.view.health()

    def accepting(self) -> bool:
        return self._accepting

    def stop_accepting(self) -> None:
        self._accepting = False

    def is_idle(self) -> bool:
        """Whether no request is open, and no job goes on."""
        return self._tracker.is_quiet() and not any(job.going_on for job in self.library.jobs())

    async def idle(self) -> None:
        """Returns once no request is open."""
        await self._tracker.quiet()

    def on_catalog(self, message: Catalog) -> None:
        self.catalog.update(message)
        self.library.on_catalog(message)
        self._release(message.engines)
        for engine in set(self._stats) - {engine.engine for engine in message.engines}:
            del self._stats[engine]
            self._counted.pop(engine, None)
        self.table.fail_engines(self.catalog.view.failure)

    def _release(self, engines: list[EngineInfo]) -> None:
        """Tells the registry of engines that are to stop that no more requests come, since none are sent to them from
        now on."""
        ending = {engine.engine: engine.ending for engine in engines if engine.ending}
        for engine, number in ending.items():
            if self._released.get(engine) != number:
                self._tell(REGISTRY, EngineReleased(engine, number, self._tracker.active(engine)))
        self._released = ending

    def on_stats(self, message: EngineStats) -> None:
        self._stats[message.engine] = message
        self._counted[message.engine] = time.monotonic()

    def on_engine_lost(self, message: EngineLost) -> None:
        self._stats.pop(message.engine, None)
        self.table.fail_engines(lambda engine: message.error if engine == message.engine else None)

    @asynccontextmanager
    async def generate(
        self,
        model: str,
        command: Generate,
        *,
        surface: str = "",
        keep_alive: float | None = None,
    ) -> AsyncIterator[OpenStream]:
        model, adapters = self.catalog.view.adapted(model, command.adapters)
        if (entry := self.catalog.view.find(model)) and "completion" not in entry.info.capabilities:
            raise RequestError(no_model(entry) if entry.info.is_adapter else _no_text(entry))
        number = self._number()
        stream = OpenStream(number, model, surface, self._unread_limit, self._metrics.to_socket)
        command = replace(command, request=number, client=CALLER.get().name, adapters=adapters)
        async with self._opened(self.table.streams, stream, command, keep_alive):
            yield stream

    async def embed(
        self,
        model: str,
        command: Embed,
        *,
        surface: str = "",
        keep_alive: float | None = None,
    ) -> Embedding:
        model, adapters = self.catalog.view.adapted(model, command.adapters)
        answer = OpenAnswer[Embedding](self._number(), model, surface)
        command = replace(command, request=answer.request, client=CALLER.get().name, adapters=adapters)
        async with self._opened(self.table.embeddings, answer, command, keep_alive):
            return await answer.result()

    async def tokenize(self, model: str, command: Tokenize | Detokenize, *, surface: str = "") -> Tokenized:
        model, _ = self.catalog.view.adapted(model, [])
        answer = OpenAnswer[Tokenized](self._number(), model, surface)
        async with self._opened(self.table.tokenized, answer, replace(command, request=answer.request), None):
            return await answer.result()

    def cancel(self, request: int) -> None:
        entry = self.table.find(request)
        if entry is None or entry.outcome is not None:
            message = f"no request {request} is open; it may have ended just now"
            raise RequestError(ErrorInfo(ErrorCode.NOT_FOUND, message, "id"))
        self._cancel(entry)
        entry.abort(CANCELLED_HERE)

    async def registry(self, command: RegistryCommand) -> AsyncGenerator[RegistryReply]:
        if not self._accepting:
            raise RequestError(SHUTTING_DOWN)
        if isinstance(command, LoadModel | UnloadModel):
            command = replace(command, model=self.catalog.view.split(command.model)[0])
        number = self._number()
        replies = self.table.commands[number] = OpenCommand(number)
        self._tracker.command_opened()
        self._tell(REGISTRY, replace(command, request=number, remote=CALLER.get().remote))
        try:
            async for reply in replies:
                yield reply
        finally:
            del self.table.commands[number]
            self._tracker.command_ended()
            if not replies.ended:
                self._tell(REGISTRY, CancelCommand(number))

    async def profile(self, command: ProfileCommand) -> bytes:
        if not self._accepting:
            raise RequestError(SHUTTING_DOWN)
        answer = OpenAnswer[bytes](self._number(), "", "ui")
        self.table.profiles[answer.request] = answer
        self._tell(PROFILE, replace(command, request=answer.request, remote=CALLER.get().remote))
        try:
            with anyio.fail_after(PROFILE_SECONDS):
                return await answer.result()
        except TimeoutError:
            late = ErrorInfo(ErrorCode.INTERNAL, "what is set up could not be read or changed; its log says more")
            raise RequestError(late) from None
        finally:
            del self.table.profiles[answer.request]

    @asynccontextmanager
    async def _opened(
        self, table: dict[int, O], entry: O, command: Asked, keep_alive: float | None
    ) -> AsyncIterator[None]:
        """Routes ``entry`` and sends ``command``; whatever happens within, ``entry`` has one outcome afterwards."""
        table[entry.request] = entry
        self._tracker.opened(entry, command)
        model = ""
        try:
            if not self._accepting:
                raise RequestError(SHUTTING_DOWN)
            # Between finding an engine and counting the request in, nobody else has a turn: an engine that is to stop
            # either has no more requests, or the registry is told of each (``_release``).
            engine = self._ready(entry.model) or await self._load(entry, keep_alive)
            if isinstance(command, Generate):
                require_drafter(command.draft_model, engine, self.catalog.view.find)
            model = engine.model
            self._tracker.use(engine.engine, model, +1, keep_alive)
            entry.engine = engine.engine
            self._tracker.submitted(entry)
            await self._send(entry, fit_to_context(command, self._context(engine)))
            yield
        except RequestError as error:
            # Either the entry's own failure, or the handler's: then nobody waits for the rest.
            if entry.outcome is None:
                self._cancel(entry)
                entry.fail(error.info)
            raise
        finally:
            if entry.outcome is None:
                self._cancel(entry)
                entry.cancel()
            del table[entry.request]
            if model:
                self._tracker.use(entry.engine, model, -1, keep_alive)
            self._tracker.ended(entry)

    async def _send(self, entry: OpenRequest, command: Asked) -> None:
        """Sends ``command``, in parts if its prompt is long: between them others have their turn. A request that fails
        meanwhile takes its parts back."""
        tokenizer = Address.of("tokenizer", entry.engine)
        for message in in_parts(command):
            self._tell(tokenizer, message)
            if isinstance(message, PromptPart):
                await anyio.lowlevel.checkpoint()
                if entry.outcome is not None:
                    self._cancel(entry)
                    return

    def _context(self, engine: EngineInfo) -> int | None:
        """Returns the tokens that a model takes, None where that is not known."""
        entry = self.catalog.view.find(engine.model)
        return max(engine.context_length, entry.info.context_length if entry else 0) or None

    def _ready(self, name: str) -> EngineInfo | None:
        entry = self.catalog.view.find(name)
        return self.catalog.view.serving(entry.name) if entry else None

    async def _load(self, entry: OpenRequest, keep_alive: float | None) -> EngineInfo:
        """Has the registry load the model of a request; raises ``RequestError`` if there is none or it can't be. What
        lies at a path, the registry says."""
        name = entry.model
        if self.catalog.view.find(name) is None and not outside_catalogue(name):
            raise RequestError(not_installed(self.catalog.view.engines, self.catalog.view.models, name))
        for _ in range(MOST_LOADS):
            with anyio.CancelScope() as entry.loading:
                async for _ in self.registry(LoadModel(name, keep_alive)):
                    pass
            if entry.error is not None:
                raise RequestError(entry.error)
            entry.load_seconds = time.monotonic() - entry.opened
            if engine := self._ready(name):
                return engine
        raise RequestError(ErrorInfo(ErrorCode.ENGINE_FAILED, f"model {name!r} stopped right after it was loaded"))

    def _cancel(self, entry: OpenRequest) -> None:
        if entry.engine:
            self._tell(Address.of("tokenizer", entry.engine), Cancel(entry.request))

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number


def _no_text(entry: ModelEntry) -> ErrorInfo:
    does = "ranks documents" if "rerank" in entry.info.capabilities else "makes embeddings"
    message = f"model {entry.name!r} does not support generating text; it {does}"
    return ErrorInfo(ErrorCode.UNSUPPORTED, message, "model")
