"""The table of open requests: sends each to its model's engine, and hands what comes back to whoever waits.

Implements ``mlxr.api.gateway.Gateway``. Knows no sockets: ``tell`` is all it has of the runtime.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import anyio
import anyio.lowlevel
from msgspec.structs import replace

from mlxr.actors.frontend.catalog import CatalogView
from mlxr.actors.frontend.prompt_limits import fitting
from mlxr.actors.frontend.prompt_parts import in_parts
from mlxr.actors.frontend.request_tracker import REGISTRY, Ledger
from mlxr.actors.frontend.streams import Open, OpenAnswer, OpenCommand, OpenStream
from mlxr.api.caller import CALLER
from mlxr.api.gateway import RegistryCommand
from mlxr.api.metrics import Metrics
from mlxr.api.pending_models import missing
from mlxr.models.names import local_file
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Message
from mlxr.runtime.messages.frontend import (
    Catalog,
    Deltas,
    Embedding,
    EngineInfo,
    EngineLost,
    EngineStats,
    Failed,
    Finished,
    ModelEntry,
    PromptLogprobs,
    RegistryReply,
    Started,
    Tokenized,
)
from mlxr.runtime.messages.registry import CancelCommand, LoadModel, SendCatalog
from mlxr.runtime.messages.tokenizer import Asked, Cancel, Detokenize, Embed, Generate, PromptPart, Tokenize
from mlxr.runtime.telemetry import Telemetry

STARTING = ErrorInfo(ErrorCode.LOADING, "the server is starting and knows no models yet", retry_after=1)
STARTING_SECONDS = 5.0
"""How long requests wait for the first catalogue."""

SHUTTING_DOWN = ErrorInfo(ErrorCode.SHUTTING_DOWN, "the server is shutting down", retry_after=5)

O = TypeVar("O", bound=Open)  # noqa: E741


class Requests:
    """``first``: numbers of requests start above it, so that answers meant for an earlier frontend find nobody.
    ``stamp``: ``Home.stamp``, by which to see that another process has changed the catalogue."""

    def __init__(
        self,
        tell: Callable[[Address, Message], None],
        telemetry: Telemetry,
        metrics: Metrics,
        unread_limit: int,
        first: int = 0,
        stamp: Callable[[], str] = str,
    ) -> None:
        self._tell = tell
        self._metrics = metrics
        self._ledger = Ledger(tell, telemetry, metrics)
        self._unread_limit = unread_limit
        self._last_number = first
        self._catalog = CatalogView()
        self._known = anyio.Event()
        self._stamp = stamp
        self._tickets = 0
        self._told = anyio.Event()
        self._stats: dict[str, EngineStats] = {}
        self._streams: dict[int, OpenStream] = {}
        self._embeddings: dict[int, OpenAnswer[Embedding]] = {}
        self._tokenized: dict[int, OpenAnswer[Tokenized]] = {}
        self._commands: dict[int, OpenCommand] = {}
        self._accepting = True

    # What handlers ask for.

    async def known(self) -> None:
        if self._known.is_set():
            await self._refreshed()
            return
        with anyio.move_on_after(STARTING_SECONDS):
            await self._known.wait()
            return
        raise RequestError(STARTING)

    async def _refreshed(self) -> None:
        """Where the catalogue's files have changed since it was read, have the registry read it before a request is
        answered by what it said then. A registry that does not answer is not waited for long."""
        if not self._catalog.stamp or self._catalog.stamp == self._stamp():
            return
        self._tickets = ticket = self._tickets + 1
        self._tell(REGISTRY, SendCatalog(ticket))
        with anyio.move_on_after(STARTING_SECONDS):
            while self._catalog.ticket < ticket:
                await self._told.wait()

    def models(self) -> list[ModelEntry]:
        return self._catalog.models

    def find(self, name: str) -> ModelEntry | None:
        return self._catalog.find(name)

    def engines(self) -> list[EngineInfo]:
        return self._catalog.engines

    def stats(self) -> list[EngineStats]:
        return list(self._stats.values())

    def health(self) -> EngineInfo | None:
        return self._catalog.health()

    def accepting(self) -> bool:
        return self._accepting

    @asynccontextmanager
    async def generate(
        self,
        model: str,
        command: Generate,
        *,
        surface: str = "",
        keep_alive: float | None = None,
    ) -> AsyncIterator[OpenStream]:
        if (entry := self._catalog.find(model)) and "completion" not in entry.info.capabilities:
            raise RequestError(_no_text(entry))
        number = self._number()
        stream = OpenStream(number, model, surface, self._unread_limit, self._metrics.to_socket)
        command = replace(command, request=number, client=CALLER.get().name)
        async with self._opened(self._streams, stream, command, keep_alive):
            yield stream

    async def embed(
        self,
        model: str,
        command: Embed,
        *,
        surface: str = "",
        keep_alive: float | None = None,
    ) -> Embedding:
        answer = OpenAnswer[Embedding](self._number(), model, surface)
        command = replace(command, request=answer.request, client=CALLER.get().name)
        async with self._opened(self._embeddings, answer, command, keep_alive):
            return await answer.result()

    async def tokenize(self, model: str, command: Tokenize | Detokenize, *, surface: str = "") -> Tokenized:
        answer = OpenAnswer[Tokenized](self._number(), model, surface)
        async with self._opened(self._tokenized, answer, replace(command, request=answer.request), None):
            return await answer.result()

    async def registry(self, command: RegistryCommand) -> AsyncGenerator[RegistryReply]:
        if not self._accepting:
            raise RequestError(SHUTTING_DOWN)
        number = self._number()
        replies = self._commands[number] = OpenCommand(number)
        self._ledger.command_opened()
        self._tell(REGISTRY, replace(command, request=number, remote=CALLER.get().remote))
        try:
            async for reply in replies:
                yield reply
        finally:
            del self._commands[number]
            self._ledger.command_ended()
            if not replies.ended:
                self._tell(REGISTRY, CancelCommand(number))

    # What comes back.

    def on_catalog(self, message: Catalog) -> None:
        self._catalog = CatalogView(message)
        self._known.set()
        self._told.set()
        self._told = anyio.Event()
        for engine in set(self._stats) - {engine.engine for engine in message.engines}:
            del self._stats[engine]
        for entry in self._all():
            if entry.engine and (error := self._catalog.failure(entry.engine)):
                entry.fail(error)

    def on_stats(self, message: EngineStats) -> None:
        self._stats[message.engine] = message

    def on_reply(self, message: RegistryReply) -> None:
        if command := self._commands.get(message.request):
            command.push(message)

    def on_started(self, message: Started) -> None:
        if stream := self._streams.get(message.request):
            stream.on_started(message)

    def on_deltas(self, message: Deltas) -> None:
        streams, metrics, now = self._streams, self._metrics, time.monotonic()
        fresh: list[OpenStream] = []
        for delta in message.items:
            if (stream := streams.get(delta.request)) is None:
                continue
            if not stream.first_token:
                stream.first_token = now
                metrics.ttft.observe(now - stream.opened)
            elif delta.index == 0:
                metrics.inter_token.observe(now - stream.last_token)
            if delta.index == 0:
                stream.last_token = now
            if stream.push(delta, message.done_ns):
                fresh.append(stream)
        for stream in fresh:
            stream.deliver()

    def on_prompt_logprobs(self, message: PromptLogprobs) -> None:
        if stream := self._streams.get(message.request):
            stream.on_prompt_logprobs(message)

    def on_finished(self, message: Finished) -> None:
        if stream := self._streams.get(message.request):
            stream.on_finished(message)

    def on_embedding(self, message: Embedding) -> None:
        if answer := self._embeddings.get(message.request):
            answer.answer(message, message.usage)

    def on_tokenized(self, message: Tokenized) -> None:
        if answer := self._tokenized.get(message.request):
            answer.answer(message, answer.usage)

    def on_failed(self, message: Failed) -> None:
        for table in (self._streams, self._embeddings, self._tokenized):
            if entry := table.get(message.request):
                entry.fail(message.error)

    def on_engine_lost(self, message: EngineLost) -> None:
        self._stats.pop(message.engine, None)
        for entry in self._all():
            if entry.engine == message.engine:
                entry.fail(message.error)

    # The end of the server.

    def stop_accepting(self) -> None:
        self._accepting = False

    def in_flight(self) -> int:
        """How many requests and commands are open."""
        return len(self._all()) + len(self._commands)

    async def idle(self) -> None:
        """Return once no request is open."""
        await self._ledger.quiet()

    def fail_all(self, error: ErrorInfo) -> None:
        for entry in self._all():
            entry.fail(error)
        for command in list(self._commands.values()):
            command.push(RegistryReply(command.request, last=True, error=error))

    # One request's life.

    @asynccontextmanager
    async def _opened(
        self, table: dict[int, O], entry: O, command: Asked, keep_alive: float | None
    ) -> AsyncIterator[None]:
        """Route ``entry`` and send ``command``; whatever happens within, ``entry`` has one outcome afterwards."""
        table[entry.request] = entry
        self._ledger.opened(entry)
        model = ""
        try:
            if not self._accepting:
                raise RequestError(SHUTTING_DOWN)
            engine = self._ready(entry.model) or await self._load(entry, keep_alive)
            model = engine.model
            self._ledger.use(model, +1, keep_alive)
            entry.engine = engine.engine
            await self._send(entry, fitting(command, self._context(engine)))
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
                self._ledger.use(model, -1, keep_alive)
            self._ledger.ended(entry)

    async def _send(self, entry: Open, command: Asked) -> None:
        """Send ``command``, in parts if its prompt is long: between them others have their turn. A request that fails
        meanwhile takes its parts back."""
        tokenizer = Address.of("tokenizer", entry.engine)
        for message in in_parts(command):
            self._tell(tokenizer, message)
            if isinstance(message, PromptPart):
                await anyio.lowlevel.checkpoint()
                if entry.outcome is not None:
                    self._cancel(entry)
                    return

    def _context(self, engine: EngineInfo) -> int:
        """The tokens that a model takes, 0 if that is not known."""
        entry = self._catalog.find(engine.model)
        return max(engine.context_length, entry.info.context_length if entry else 0)

    def _ready(self, name: str) -> EngineInfo | None:
        entry = self._catalog.find(name)
        return self._catalog.serving(entry.name) if entry else None

    async def _load(self, entry: Open, keep_alive: float | None) -> EngineInfo:
        """Have the registry load the model of a request; raises ``RequestError`` if there is none or it can't be. What
        lies at a path, the registry says."""
        name = entry.model
        if self._catalog.find(name) is None and local_file(name) is None:
            raise RequestError(missing(self._catalog.engines, name))
        async for _ in self.registry(LoadModel(name, keep_alive)):
            pass
        entry.load_seconds = time.monotonic() - entry.opened
        if engine := self._ready(name):
            return engine
        raise RequestError(ErrorInfo(ErrorCode.ENGINE_FAILED, f"model {name!r} stopped right after it was loaded"))

    def _cancel(self, entry: Open) -> None:
        if entry.engine:
            self._tell(Address.of("tokenizer", entry.engine), Cancel(entry.request))

    def _number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _all(self) -> list[Open]:
        return [*self._streams.values(), *self._embeddings.values(), *self._tokenized.values()]


def _no_text(entry: ModelEntry) -> ErrorInfo:
    message = f"model {entry.name!r} does not support generating text; it makes embeddings"
    return ErrorInfo(ErrorCode.UNSUPPORTED, message, "model")
