"""The tokenizer: prompts in, text out, for one engine. Encoding runs on worker threads, off the loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import anyio
import msgspec

from mlxr.actors.tokenizer.answering import Answering
from mlxr.actors.tokenizer.choice import Choice, text_logprob
from mlxr.actors.tokenizer.parts import length, whole
from mlxr.actors.tokenizer.settings import TokenizerSettings
from mlxr.actors.tokenizer.text import Encoded, Fitting, ModelText, fit, fit_whole
from mlxr.runtime.actor import Actor, Context, decode_settings, on
from mlxr.runtime.bus import Address
from mlxr.runtime.errors import MlxrError, RequestError
from mlxr.runtime.memory import give_back
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, index_of, request_of
from mlxr.runtime.messages.frontend import (
    Deltas,
    Embedding,
    Failed,
    Finished,
    PromptLogprobs,
    Started,
    Tokenized,
)
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
    PromptScored,
    Queued,
    RequestDone,
    RequestFailed,
    SchedulerReset,
    Tokenize,
    Tokens,
)

A = TypeVar("A", bound=Asked)
R = TypeVar("R")

log = logging.getLogger("mlxr.tokenizer")

ENCODERS = 2
"""Prompts encoded at once."""


@dataclass(slots=True)
class Live:
    """A request between its prompt and its outcome. ``submitted`` to the scheduler; ``started`` is what its client is
    told once the scheduler has taken it."""

    command: Generate | Embed
    prompt: list[int] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    submitted: bool = False
    started: Started | None = None

    @property
    def silent(self) -> bool:
        """Only the prompt is asked about: the one token that comes with reading it is nobody's."""
        return isinstance(self.command, Generate) and self.command.max_tokens == 0


class TokenizerActor(Actor):
    """Owns the text side of its engine's requests."""

    kind = "tokenizer"
    settings_type = TokenizerSettings

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._settings: TokenizerSettings = decode_settings(context, TokenizerSettings)
        self._live: dict[int, Live] = {}
        self._parts: dict[int, list[PromptPart]] = {}
        self._frontend = Address("frontend")
        self._scheduler = self.peer("scheduler")
        self._limiter = anyio.CapacityLimiter(ENCODERS)
        self._loaded = anyio.Event()
        self._text: ModelText

    async def start(self) -> None:
        self.spawn(self._load)

    async def _load(self) -> None:
        try:
            self._text = await anyio.to_thread.run_sync(ModelText.load, self._settings)
            await anyio.to_thread.run_sync(give_back)
        except (MlxrError, OSError, ValueError) as error:
            down = EngineDown(self.context.engine, "tokenizer", str(error), final=True)
            self.tell(Address("registry"), down)
            return
        self._loaded.set()
        self.tell(Address("registry"), TokenizerUp(self.context.engine))

    # On the way in.

    @on(PromptPart)
    def prompt_part(self, message: PromptPart) -> None:
        self._parts.setdefault(message.request, []).append(message)

    @on(Generate)
    def generate(self, message: Generate) -> None:
        self._live[message.request] = Live(message)
        self.spawn(self._begin, message, self._parts_of(message), time.monotonic())

    @on(Embed)
    def embed(self, message: Embed) -> None:
        self._live[message.request] = Live(message)
        self.spawn(self._begin_embedding, message, self._parts_of(message), time.monotonic())

    @on(Tokenize)
    def tokenize(self, message: Tokenize) -> None:
        self.spawn(self._reply, self._tokenize, message, self._parts_of(message))

    @on(Detokenize)
    def detokenize(self, message: Detokenize) -> None:
        self.spawn(self._reply, self._detokenize, message, self._parts_of(message))

    @on(Cancel)
    def cancel(self, message: Cancel) -> None:
        self._parts.pop(message.request, None)
        live = self._live.pop(message.request, None)
        if live is not None and live.submitted:
            self.tell(self._scheduler, message)

    def _parts_of(self, command: Asked) -> list[PromptPart]:
        return self._parts.pop(command.request, [])

    async def _begin(self, command: Generate, parts: list[PromptPart], arrival: float) -> None:
        """Encode a prompt and submit it, unless its client has gone meanwhile."""
        try:
            encoded, answering = await self._in_thread(self._prepare, command, parts)
            context = self._context(command.context)
            tokens = fit(encoded.tokens, context, command.truncate)
        except RequestError as error:
            self._fail(command.request, error.info)
            return
        live = self._live.get(command.request)
        if live is None:
            return
        tokenizer = self._text.tokenizer
        live.prompt = tokens
        shown = answering.shown(tokenizer)
        live.choices = [
            Choice(
                command.request,
                index,
                tokenizer,
                command.stop,
                answering.parser(),
                shown,
                one_call=answering.one_call,
                only_calls=answering.only_calls,
            )
            for index in range(command.n)
        ]
        live.submitted = True
        live.started = self._started(command, encoded, tokens)
        ends = [] if command.ignore_eos else sorted(tokenizer.special.ends)
        room = context - len(tokens)
        self.tell(
            self._scheduler,
            Submit(
                request=command.request,
                tokens=tokens,
                n=command.n,
                max_tokens=room if command.max_tokens is None else max(1, min(command.max_tokens, room)),
                sampling=command.sampling,
                stop_tokens=ends + command.stop_tokens,
                constraint=answering.constraint,
                prompt_logprobs=command.prompt_logprobs,
                priority=command.priority,
                arrival=arrival,
            ),
        )

    def _prepare(self, command: Generate, parts: list[PromptPart]) -> tuple[Encoded, Answering]:
        self._text.check_ids(command.sampling.logit_bias, "logit_bias")
        fitting = Fitting(self._context(command.context), command.truncate)
        self._text.check_length(length(command, parts), fitting)
        command = msgspec.structs.replace(command, prompt=whole(command, parts, self._text.ends(fitting)))
        encoded = self._text.encode(command.prompt, fitting)
        return encoded, Answering.of(command, encoded, self._text.tokenizer)

    def _encode_to_embed(self, command: Embed, parts: list[PromptPart]) -> Encoded:
        keep = 0 if command.truncate else None
        fitting = Fitting(self._context(command.context), keep, from_start=True, field="input")
        self._text.check_length(length(command, parts), fitting)
        return self._text.encode(whole(command, parts, self._text.ends(fitting)), fitting)

    def _context(self, wanted: int) -> int:
        """Tokens there is room for; ``wanted`` is a request's own limit, 0 for none."""
        return min(self._text.context_length, wanted or self._text.context_length)

    def _started(self, command: Generate, encoded: Encoded, tokens: list[int]) -> Started:
        if not command.echo:
            return Started(command.request, len(tokens))
        pieces = [self._text.tokenizer.token_bytes(token) for token in tokens]
        return Started(command.request, len(tokens), encoded.text, tokens, pieces)

    async def _begin_embedding(self, command: Embed, parts: list[PromptPart], arrival: float) -> None:
        try:
            encoded = await self._in_thread(self._encode_to_embed, command, parts)
            control = self._text.tokenizer.special.control
            context = self._context(command.context)
            tokens = fit_whole(encoded.tokens, context, control, truncate=command.truncate)
        except RequestError as error:
            self._fail(command.request, error.info)
            return
        live = self._live.get(command.request)
        if live is None:
            return
        live.submitted = True
        self.tell(
            self._scheduler,
            Submit(command.request, tokens, Task.EMBED, normalize=command.normalize, arrival=arrival),
        )

    async def _reply(
        self, work: Callable[[A, list[PromptPart]], Tokenized], command: A, parts: list[PromptPart]
    ) -> None:
        try:
            self.tell(self._frontend, await self._in_thread(work, command, parts))
        except RequestError as error:
            self.tell(self._frontend, Failed(command.request, error.info))

    def _tokenize(self, command: Tokenize, parts: list[PromptPart]) -> Tokenized:
        encoded = self._text.encode(whole(command, parts))
        pieces = [self._text.tokenizer.token_bytes(token) for token in encoded.tokens]
        return Tokenized(command.request, encoded.tokens, encoded.text, pieces)

    def _detokenize(self, command: Detokenize, parts: list[PromptPart]) -> Tokenized:
        encoded = self._text.encode(whole(command, parts), field="tokens")
        return Tokenized(command.request, encoded.tokens, encoded.text)

    async def _in_thread(self, work: Callable[[A, list[PromptPart]], R], command: A, parts: list[PromptPart]) -> R:
        """Run ``work`` on a worker thread, once the model's text side is loaded."""
        await self._loaded.wait()
        return await anyio.to_thread.run_sync(work, command, parts, limiter=self._limiter)

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
            choice = live.choices[index_of(row.sequence)]
            delta = choice.take(row) if not live.silent else choice.skip(row)
            if delta is not None:
                items.append(delta)
                if choice.stopped:
                    self.tell(self._scheduler, StopSequence(row.sequence, len(choice.tokens)))
        if items:
            self.tell(self._frontend, Deltas(items, message.done_ns))

    @on(PromptScored)
    def prompt_scored(self, message: PromptScored) -> None:
        if message.request in self._live:
            logprobs = [text_logprob(self._text.tokenizer, logprob) for logprob in message.logprobs]
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
