"""Open requests: where the answers to one wait for the handler that writes them out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import Generic, TypeVar

import anyio

from mlxr.api.metrics import Histogram
from mlxr.runtime.errors import RequestError
from mlxr.runtime.logs import REQUEST_ID
from mlxr.runtime.messages.common import ErrorCode, ErrorInfo, Usage
from mlxr.runtime.messages.frontend import Delta, Finished, PromptLogprobs, RegistryReply, Started

A = TypeVar("A")


class Outcome(StrEnum):
    """How a request ended; each ends in exactly one way."""

    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Wake:
    """Lets one task wait until another piece of code on the loop has news for it."""

    __slots__ = ("_waiter",)

    def __init__(self) -> None:
        self._waiter: asyncio.Future[None] | None = None

    def set(self) -> None:
        if (waiter := self._waiter) is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


class OpenRequest:
    """What every kind of open request has.

    request: its number.
    model: as the client names it.
    name: what its client knows it by.
    engine: that it was sent to, empty before.
    written: tokens of its answer so far.
    loading: within which its model is loaded.
    finish_reason: why its first choice ended, empty before.
    outcome: how it ended; it ends once.
    wake: whoever waits for news of it.
    """

    def __init__(self, request: int, model: str, surface: str) -> None:
        self.request = request
        self.model = model
        self.surface = surface
        self.name = REQUEST_ID.get()
        self.engine = ""
        self.outcome: Outcome | None = None
        self.error: ErrorInfo | None = None
        self.usage = Usage()
        self.opened = time.monotonic()
        self.written = 0
        self.first_token = 0.0
        self.last_token = 0.0
        self.load_seconds = 0.0
        self.finish_reason = ""
        self.loading: anyio.CancelScope | None = None
        self.wake = Wake()

    def finish(self) -> None:
        self._end(Outcome.FINISHED)

    def fail(self, error: ErrorInfo) -> None:
        if self.outcome is None:
            self.error = error
        self._end(Outcome.FAILED)

    def cancel(self) -> None:
        self._end(Outcome.CANCELLED)

    def abort(self, error: ErrorInfo) -> None:
        """Ends it for somebody else than its client, who is told so by ``error``."""
        if self.outcome is None:
            self.error = error
        self.cancel()
        if self.loading is not None:
            self.loading.cancel()

    def _end(self, outcome: Outcome) -> None:
        self.outcome = self.outcome or outcome
        self.wake.set()

    def _raise_failure(self) -> None:
        if self.error is not None:
            raise RequestError(self.error)


class OpenStream(OpenRequest):
    """Implements ``mlxr.api.gateway.Stream``.

    ``unread_limit``: deltas a streaming reader may leave unread; past it the request fails, so that a client that
    stopped reading holds neither memory nor a place in the batch.
    """

    def __init__(self, request: int, model: str, surface: str, unread_limit: int, to_socket: Histogram) -> None:
        super().__init__(request, model, surface)
        self.tokens: list[int] = []
        self._started: Started | None = None
        self._unread: list[Delta] = []
        self._prompt_logprobs: list[PromptLogprobs] = []
        self._streaming = False
        self._write: Callable[[list[Delta]], bool] | None = None
        self._full = False
        self._broken: Exception | None = None
        self._unread_limit = unread_limit
        self._to_socket = to_socket
        self._oldest_ns: int | None = None

    def on_started(self, message: Started) -> None:
        self._started = message
        self.wake.set()

    def on_prompt_logprobs(self, message: PromptLogprobs) -> None:
        self._prompt_logprobs.append(message)

    def on_finished(self, message: Finished) -> None:
        self.usage, self.tokens = message.usage, message.tokens
        self.finish()

    def push(self, delta: Delta, done_ns: int | None) -> bool:
        """Queues ``delta`` of the step that was done at ``done_ns`` (``time.monotonic_ns``, None if unknown). Returns
        whether it is the first that is unread, and ``deliver`` is to be called once all of its step are here."""
        unread = self._unread
        unread.append(delta)
        if len(unread) == 1:
            self._oldest_ns = done_ns
            return True
        if self._streaming and len(unread) > self._unread_limit:
            self.fail(ErrorInfo(ErrorCode.CANCELLED, "the client reads more slowly than its text is made"))
        return False

    def deliver(self) -> None:
        """Writes what is unread, if somebody follows and the client has room."""
        if self._write is None or self._full:
            return
        batch, self._unread = self._unread, []
        try:
            self._full = not self._write(batch)
        except Exception as error:
            # The follower's mistake, not that of whoever brings the deltas.
            self._write, self._broken = None, error
        if self._oldest_ns is not None:
            self._to_socket.observe((time.monotonic_ns() - self._oldest_ns) * 1e-9)
        if self._full or self._broken:
            self.wake.set()

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt; 0 until they are known."""
        return self._started.prompt_tokens if self._started is not None else 0

    async def started(self) -> Started:
        while self._started is None:
            self._raise_failure()
            if self.outcome is not None:
                return Started(self.request, self.usage.prompt_tokens)
            await self.wake.wait()
        return self._started

    async def follow(self, write: Callable[[list[Delta]], bool], drained: Callable[[], Awaitable[None]]) -> None:
        self._streaming, self._write = True, write
        try:
            while True:
                if self._unread:
                    self.deliver()
                if self._broken is not None:
                    raise self._broken
                if self._full:
                    await drained()
                    self._full = False
                elif self.outcome is None:
                    await self.wake.wait()
                elif not self._unread:
                    break
        finally:
            self._write = None
        self._raise_failure()

    async def rest(self) -> list[Delta]:
        while self.outcome is None:
            await self.wake.wait()
        self._raise_failure()
        return self._unread

    def prompt_logprobs(self) -> list[PromptLogprobs]:
        return self._prompt_logprobs


class OpenAnswer(OpenRequest, Generic[A]):
    """A request with a single message for an answer."""

    def __init__(self, request: int, model: str, surface: str) -> None:
        super().__init__(request, model, surface)
        self._answer: A | None = None

    def answer(self, message: A, usage: Usage) -> None:
        self._answer, self.usage = message, usage
        self.finish()

    async def result(self) -> A:
        while self.outcome is None:
            await self.wake.wait()
        self._raise_failure()
        assert self._answer is not None
        return self._answer


class OpenCommand:
    """A registry command's replies. Iteration ends after the last; a failed one raises ``RequestError``."""

    def __init__(self, request: int) -> None:
        self.request = request
        self.ended = False
        self._unread: list[RegistryReply] = []
        self._wake = Wake()

    def push(self, reply: RegistryReply) -> None:
        self._unread.append(reply)
        self.ended = self.ended or reply.last
        self._wake.set()

    def __aiter__(self) -> AsyncIterator[RegistryReply]:
        return self

    async def __anext__(self) -> RegistryReply:
        while not self._unread:
            if self.ended:
                raise StopAsyncIteration
            await self._wake.wait()
        reply = self._unread.pop(0)
        if reply.error is not None:
            raise RequestError(reply.error)
        return reply
