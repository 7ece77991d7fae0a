"""The tokenizer: prompts in, text out, for one engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import msgspec

from mlxr.actors.tokenizer.encoder import Encoder
from mlxr.actors.tokenizer.output_spec import OutputSpec
from mlxr.actors.tokenizer.output_stream import OutputStream, text_logprob
from mlxr.actors.tokenizer.sandbox_results import EncodedPrompt, TokenizerInfo
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.models.tokenizers import TableTokenTexts, TokenTable, TokenTexts
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, index_of, request_of
from mlxr.runtime.messages.frontend import Delta, Deltas, Embedding, Failed, Finished, PromptLogprobs, Started
from mlxr.runtime.messages.registry import EngineDown, TokenizerUp
from mlxr.runtime.messages.scheduler import StopSequence, Submit, Task
from mlxr.runtime.messages.tokenizer import (
    Asked,
    Cancel,
    Detokenize,
    Embed,
    Embedded,
    Generate,
    PromptPart,
    PromptTokenLogprobs,
    Queued,
    RequestDone,
    RequestFailed,
    SchedulerReset,
    Tokenize,
    TokenRow,
    Tokens,
)
from mlxr.runtime.sandbox import SandboxKilled

A = TypeVar("A", bound=Asked)
Work = Callable[[A, list[PromptPart]], Awaitable[None]]

log = logging.getLogger("mlxr.tokenizer")


@dataclass(slots=True)
class LiveRequest:
    """A request between its prompt and its outcome. ``submitted`` to the scheduler; ``started`` is what its client is
    told once the scheduler has taken it."""

    command: Generate | Embed
    prompt: list[int] = field(default_factory=list)
    choices: list[OutputStream] = field(default_factory=list)
    submitted: bool = False
    started: Started | None = None

    @property
    def silent(self) -> bool:
        """Only the prompt is asked about: the one token that comes with reading it is nobody's."""
        return isinstance(self.command, Generate) and self.command.max_tokens == 0


class TokenizerActor(Actor):
    """Owns the text side of its engine's requests. What strangers wrote is worked on in its encoder's sandbox; here
    only token ids become text."""

    kind = "tokenizer"
    settings_type = TokenizerSettings

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._encoder = Encoder(decode_settings(context, TokenizerSettings))
        self._live: dict[int, LiveRequest] = {}
        self._parts: dict[int, list[PromptPart]] = {}
        self._encoding: dict[int, anyio.CancelScope] = {}
        self._frontend = Address("frontend")
        self._scheduler = self.peer("scheduler")
        self._loaded = anyio.Event()
        self._info: TokenizerInfo
        self._texts: TokenTexts

    async def start(self) -> None:
        self.spawn(self._load)

    async def stop(self) -> None:
        await self._encoder.close()

    async def _load(self) -> None:
        try:
            self._info = await self._encoder.start()
        except MlxrError as error:
            reason = f"the tokenizer {error}" if isinstance(error, SandboxKilled) else str(error)
            down = EngineDown(self.context.engine, "tokenizer", reason, final=True)
            self.tell(Address("registry"), down)
            return
        table = TokenTable.unpack(self._info.blob, self._info.offsets)
        self._texts = TableTokenTexts(table, self._info.special, strips_space=self._info.strips_space)
        self._loaded.set()
        self.tell(Address("registry"), TokenizerUp(self.context.engine))

    # On the way in.

    @on(PromptPart)
    def prompt_part(self, message: PromptPart) -> None:
        self._parts.setdefault(message.request, []).append(message)

    @on(Generate)
    def generate(self, message: Generate) -> None:
        self._live[message.request] = LiveRequest(message)
        self.spawn(self._encode, self._begin, message, self._parts_of(message))

    @on(Embed)
    def embed(self, message: Embed) -> None:
        self._live[message.request] = LiveRequest(message)
        self.spawn(self._encode, self._begin_embedding, message, self._parts_of(message))

    @on(Tokenize)
    def tokenize(self, message: Tokenize) -> None:
        self.spawn(self._encode, self._reply, message, self._parts_of(message))

    @on(Detokenize)
    def detokenize(self, message: Detokenize) -> None:
        self.spawn(self._encode, self._reply, message, self._parts_of(message))

    @on(Cancel)
    def cancel(self, message: Cancel) -> None:
        self._parts.pop(message.request, None)
        if encoding := self._encoding.pop(message.request, None):
            encoding.cancel()
        live = self._live.pop(message.request, None)
        if live is not None and live.submitted:
            self.tell(self._scheduler, message)

    def _parts_of(self, command: Asked) -> list[PromptPart]:
        return self._parts.pop(command.request, [])

    async def _encode(self, work: Work[A], command: A, parts: list[PromptPart]) -> None:
        """Do ``work`` once the model's text side is loaded, unless its client leaves meanwhile. What it raises fails
        its request alone."""
        with anyio.CancelScope() as scope:
            self._encoding[command.request] = scope
            try:
                await self._loaded.wait()
                await work(command, parts)
            except RequestError as error:
                self._refuse(command.request, error.info)
            except Exception as error:
                self._refuse(command.request, unforeseen(error))
            finally:
                if self._encoding.get(command.request) is scope:
                    del self._encoding[command.request]

    def _refuse(self, request: int, error: ErrorInfo) -> None:
        """Tell the client of a request that was not submitted."""
        self._live.pop(request, None)
        self.tell(self._frontend, Failed(request, error))

    async def _begin(self, command: Generate, parts: list[PromptPart]) -> None:
        """Encode a prompt and submit it."""
        arrival = time.monotonic()
        prepared, constraint = await self._encoder.prepare(command, parts)
        live = self._live.get(command.request)
        if live is None:
            return
        live.prompt = prepared.tokens
        output_spec = OutputSpec.of(command, self._info.template, prepared)
        live.choices = [output_spec.stream(index, self._texts) for index in range(command.n)]
        live.submitted = True
        live.started = self._started(command, prepared)
        ends = [] if command.ignore_eos else sorted(self._info.special.ends)
        context = min(self._info.context_length, command.context_length or self._info.context_length)
        room = context - len(prepared.tokens)
        self.tell(
            self._scheduler,
            Submit(
                request=command.request,
                tokens=prepared.tokens,
                n=command.n,
                max_tokens=room if command.max_tokens is None else max(1, min(command.max_tokens, room)),
                sampling=command.sampling,
                stop_tokens=ends + command.stop_tokens,
                constraint=constraint,
                prompt_logprobs=command.prompt_logprobs,
                priority=command.priority,
                arrival=arrival,
                client=command.client,
            ),
        )

    def _started(self, command: Generate, prepared: EncodedPrompt) -> Started:
        tokens = prepared.tokens
        if not command.echo:
            return Started(command.request, len(tokens))
        pieces = [self._texts.token_bytes(token) for token in tokens]
        return Started(command.request, len(tokens), prepared.text, tokens, pieces)

    async def _begin_embedding(self, command: Embed, parts: list[PromptPart]) -> None:
        arrival = time.monotonic()
        tokens = await self._encoder.embed(command, parts)
        live = self._live.get(command.request)
        if live is None:
            return
        live.submitted = True
        who, normalize = command.client, command.normalize
        submit = Submit(command.request, tokens, Task.EMBED, normalize=normalize, arrival=arrival, client=who)
        self.tell(self._scheduler, submit)

    async def _reply(self, command: Tokenize | Detokenize, parts: list[PromptPart]) -> None:
        self.tell(self._frontend, await self._encoder.tokenize(command, parts))

    # On the way out.

    @on(Queued)
    def queued(self, message: Queued) -> None:
        live = self._live.get(message.request)
        if live is not None and live.started is not None:
            self.tell(self._frontend, live.started)
            live.started = None

    @on(Tokens)
    def tokens(self, message: Tokens) -> None:
        items = []
        for row in message.rows:
            request = request_of(row.sequence)
            live = self._live.get(request)
            if live is None:
                self.tell(self._scheduler, Cancel(request))
                continue
            try:
                delta = self._take(live, row)
            except Exception as error:
                self._give_up(request, error)
                continue
            if delta is not None:
                items.append(delta)
        if items:
            self.tell(self._frontend, Deltas(items, message.done_ns))

    def _take(self, live: LiveRequest, row: TokenRow) -> Delta | None:
        choice = live.choices[index_of(row.sequence)]
        if live.silent:
            return choice.skip(row)
        delta = choice.take(row)
        if delta is not None and choice.stopped:
            self.tell(self._scheduler, StopSequence(row.sequence, len(choice.tokens)))
        return delta

    def _give_up(self, request: int, error: Exception) -> None:
        """End a request whose output can't be read, for a fault that nobody foresaw."""
        self.tell(self._scheduler, Cancel(request))
        self._fail(request, unforeseen(error))

    @on(PromptTokenLogprobs)
    def prompt_logprobs(self, message: PromptTokenLogprobs) -> None:
        if message.request in self._live:
            logprobs = [text_logprob(self._texts, logprob) for logprob in message.logprobs]
            self.tell(self._frontend, PromptLogprobs(message.request, message.start, logprobs))

    @on(Embedded)
    def embedded(self, message: Embedded) -> None:
        if self._live.pop(message.request, None) is not None:
            self.tell(self._frontend, Embedding(message.request, message.vector, message.usage))

    @on(RequestDone)
    def request_done(self, message: RequestDone) -> None:
        live = self._live.pop(message.request, None)
        if live is not None:
            tokens = live.prompt + (live.choices[0].tokens if live.choices else [])
            reasoning = sum(choice.reasoning_tokens for choice in live.choices)
            usage = msgspec.structs.replace(message.usage, reasoning_tokens=reasoning)
            if live.silent:
                usage, tokens = msgspec.structs.replace(usage, completion_tokens=0), live.prompt
            self.tell(self._frontend, Finished(message.request, usage, tokens))

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
    """What a client is told of a fault that is not its own. To be called where ``error`` is being handled."""
    log.exception("a request failed for a reason that nobody foresaw")
    return ErrorInfo(ErrorCode.INTERNAL, f"the server failed on this request ({type(error).__name__})")
