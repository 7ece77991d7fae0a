"""The tokenizer: prompts in, text out, for one engine."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
from msgspec import Raw
from msgspec.structs import replace

from mlxr.actors.tokenizer.encoder import Encoder
from mlxr.actors.tokenizer.incoming import Incoming
from mlxr.actors.tokenizer.live_request import LiveRequest, embedding, generation
from mlxr.actors.tokenizer.local_encoder import LOCAL_FROM, LocalEncoder, Turns
from mlxr.actors.tokenizer.output_stream import text_logprob
from mlxr.actors.tokenizer.sandbox_results import EncodedInput, TokenizerInfo
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.models.tokenizers import TableTokenTexts, TokenTable, TokenTexts
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address, Inbox
from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, request_of
from mlxr.runtime.messages.frontend import Deltas, Embedding, Failed, PromptLogprobs, PromptProgress
from mlxr.runtime.messages.registry import EngineDown, TokenizerUp
from mlxr.runtime.messages.scheduler import StopSequence
from mlxr.runtime.messages.tokenizer import (
    Asked,
    Cancel,
    Detokenize,
    Embed,
    Embedded,
    Generate,
    PromptPart,
    PromptRead,
    PromptTokenLogprobs,
    Queued,
    RequestDone,
    RequestFailed,
    SchedulerReset,
    Tokenize,
    Tokens,
)
from mlxr.runtime.sandbox import SandboxKilled

A = TypeVar("A", bound=Asked)
Work = Callable[[Incoming[A]], Awaitable[None]]

log = logging.getLogger("mlxr.tokenizer")


class TokenizerActor(Actor):
    """Owns the text side of its engine's requests. What strangers wrote is worked on in its encoder's sandbox; here
    only token ids become text."""

    kind = "tokenizer"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._encoder = Encoder(
            decode_settings(context, TokenizerSettings), str(context.run_directory), context.nursery
        )
        self._live: dict[int, LiveRequest] = {}
        self._parts: dict[int, list[Raw]] = {}
        self._inbox: Inbox[Any]
        self._encoding: dict[int, anyio.CancelScope] = {}
        self._frontend = Address("frontend")
        self._scheduler = self.peer("scheduler")
        self._loaded = anyio.Event()
        self._info: TokenizerInfo
        self._texts: TokenTexts
        self._table: TokenTable
        self._local: LocalEncoder | None = None
        self._embedded = 0
        self._turns = Turns(self._embed_here)

    async def start(self) -> None:
        self.spawn(self._load)

    async def receive(self, inbox: Inbox[Any]) -> None:
        self._inbox = inbox
        await super().receive(inbox)

    async def stop(self) -> None:
        self._turns.close()
        await self._encoder.close()

    async def _load(self) -> None:
        try:
            self._info = await self._encoder.start()
            table = TokenTable.unpack(self._info.blob, self._info.offsets)
        except MlxrError as error:
            reason = f"the tokenizer {error}" if isinstance(error, SandboxKilled) else str(error)
            down = EngineDown(self.context.engine, "tokenizer", reason, final=True)
            self.tell(Address("registry"), down)
            return
        self._table = table
        self._texts = TableTokenTexts(table, self._info.special, strips_space=self._info.strips_space)
        self._loaded.set()
        self.tell(Address("registry"), TokenizerUp(self.context.engine, self._encoder.process))

    # On the way in.

    @on(PromptPart)
    def prompt_part(self, message: PromptPart) -> None:
        self._parts.setdefault(message.request, []).append(Raw(self._inbox.raw))

    @on(Generate)
    def generate(self, message: Generate) -> None:
        self._live[message.request] = LiveRequest(message)
        self.spawn(self._encode, self._begin, self._incoming(message))

    @on(Embed)
    def embed(self, message: Embed) -> None:
        self._live[message.request] = LiveRequest(message)
        size = self._local_size(message) if message.request not in self._parts else None
        if size is not None:
            self._turns.add(size, message)
            return
        self.spawn(self._encode, self._begin_embedding, self._incoming(message))

    @on(Tokenize)
    def tokenize(self, message: Tokenize) -> None:
        self.spawn(self._encode, self._reply, self._incoming(message))

    @on(Detokenize)
    def detokenize(self, message: Detokenize) -> None:
        self.spawn(self._encode, self._reply, self._incoming(message))

    @on(Cancel)
    def cancel(self, message: Cancel) -> None:
        self._parts.pop(message.request, None)
        if encoding := self._encoding.pop(message.request, None):
            encoding.cancel()
        live = self._live.pop(message.request, None)
        if live is not None and live.submitted:
            self.tell(self._scheduler, message)

    def _incoming(self, command: A) -> Incoming[A]:
        """``command``, which is being handled, with the parts that came before it."""
        return Incoming(command, Raw(self._inbox.raw), self._parts.pop(command.request, []))

    async def _encode(self, work: Work[A], incoming: Incoming[A]) -> None:
        """Does ``work`` once the model's text side is loaded, unless its client leaves meanwhile. What it raises fails
        its request alone."""
        request = incoming.command.request
        with anyio.CancelScope() as scope:
            self._encoding[request] = scope
            try:
                await self._loaded.wait()
                await work(incoming)
            except RequestError as error:
                self._refuse(request, error.info)
            except Exception as error:
                self._refuse(request, unforeseen(error))
            finally:
                if self._encoding.get(request) is scope:
                    del self._encoding[request]

    def _refuse(self, request: int, error: ErrorInfo) -> None:
        """Tells the client of a request that was not submitted."""
        self._live.pop(request, None)
        self.tell(self._frontend, Failed(request, error))

    async def _begin(self, incoming: Incoming[Generate]) -> None:
        """Encodes a prompt and submits it."""
        command = incoming.command
        prompt, constraint = await self._encoder.prepare(incoming)
        live = self._live.get(command.request)
        if live is not None:
            submit = generation(command, prompt, constraint, self._info)
            live.begin(command, prompt, self._info, self._texts, constraint.unheld if constraint is not None else ())
            self.tell(self._scheduler, submit)

    async def _begin_embedding(self, incoming: Incoming[Embed]) -> None:
        self._submit_embedding(incoming.command, await self._encoder.embed(incoming))

    def _local_size(self, command: Embed) -> int | None:
        """As ``LocalEncoder.size``; None while there is none, which begins to be made once it is worth it."""
        if self._local is not None:
            return self._local.size(command)
        if self._loaded.is_set() and self._info.portable is not None:
            self._embedded += 1
            if self._embedded == LOCAL_FROM:
                self.spawn(self._load_local)
        return None

    async def _load_local(self) -> None:
        try:
            self._local = await anyio.to_thread.run_sync(LocalEncoder.load, self._info, self._table)
        except MlxrError:
            log.exception("texts to embed are encoded in the sandbox alone")
        self._info = replace(self._info, portable=None)

    def _embed_here(self, command: Embed) -> None:
        """Encodes a short text whose tokenizer may run here, and submits it."""
        assert self._local is not None
        if command.request not in self._live:
            return
        try:
            self._submit_embedding(command, self._local.encode(command))
        except RequestError as error:
            self._refuse(command.request, error.info)
        except Exception as error:
            self._refuse(command.request, unforeseen(error))

    def _submit_embedding(self, command: Embed, encoded: EncodedInput) -> None:
        live = self._live.get(command.request)
        if live is not None:
            live.submitted, live.truncated = True, encoded.truncated
            self.tell(self._scheduler, embedding(command, encoded))

    async def _reply(self, incoming: Incoming[Tokenize | Detokenize]) -> None:
        self.tell(self._frontend, await self._encoder.tokenize(incoming))

    # On the way out.

    @on(Queued)
    def queued(self, message: Queued) -> None:
        live = self._live.get(message.request)
        if live is not None and live.started is not None:
            self.tell(self._frontend, live.started)
            live.started = None
            if live.restated is not None:
                self.tell(self._frontend, Deltas([live.restated]))
                live.restated = None

    @on(Tokens)
    def tokens(self, message: Tokens) -> None:
        items, lives = [], self._live
        for row in message.rows:
            request = request_of(row.sequence)
            live = lives.get(request)
            if live is None:
                self.tell(self._scheduler, Cancel(request))
                continue
            try:
                delta, output = live.take(row)
                if delta is not None and output.stopped:
                    self.tell(self._scheduler, StopSequence(row.sequence, len(output.tokens)))
            except Exception as error:
                self._give_up(request, error)
                continue
            if delta is not None:
                items.append(delta)
        if items:
            self.tell(self._frontend, Deltas(items, message.done_ns))

    def _give_up(self, request: int, error: Exception) -> None:
        """Ends a request whose output can't be read, for a fault that nobody foresaw."""
        self.tell(self._scheduler, Cancel(request))
        self._fail(request, unforeseen(error))

    @on(PromptTokenLogprobs)
    def prompt_logprobs(self, message: PromptTokenLogprobs) -> None:
        if message.request in self._live:
            logprobs = [text_logprob(self._texts, logprob) for logprob in message.logprobs]
            self.tell(self._frontend, PromptLogprobs(message.request, message.start, logprobs))

    @on(PromptRead)
    def prompt_read(self, message: PromptRead) -> None:
        if message.request in self._live:
            self.tell(self._frontend, PromptProgress(message.request, message.done, message.total))

    @on(Embedded)
    def embedded(self, message: Embedded) -> None:
        live = self._live.pop(message.request, None)
        if live is not None:
            self.tell(self._frontend, Embedding(message.request, message.vector, message.usage, live.truncated))

    @on(RequestDone)
    def request_done(self, message: RequestDone) -> None:
        live = self._live.pop(message.request, None)
        if live is not None:
            self.tell(self._frontend, live.finished(message))

    @on(RequestFailed)
    def request_failed(self, message: RequestFailed) -> None:
        self._fail(message.request, message.error)

    @on(SchedulerReset)
    def scheduler_reset(self, message: SchedulerReset) -> None:
        error = ErrorInfo(ErrorCode.ENGINE_FAILED, f"{message.reason}; send the request again", retry_after=1)
        for request in [request for request, live in self._live.items() if live.submitted]:
            self._fail(request, error)

    def _fail(self, request: int, error: ErrorInfo) -> None:
        if self._live.pop(request, None) is not None:
            self.tell(self._frontend, Failed(request, error))


def unforeseen(error: Exception) -> ErrorInfo:
    """Returns what a client is told of a fault that is not its own. To be called where ``error`` is being handled."""
    log.exception("a request failed for a reason that nobody foresaw")
    return ErrorInfo(ErrorCode.INTERNAL, f"the server failed on this request ({type(error).__name__})")
