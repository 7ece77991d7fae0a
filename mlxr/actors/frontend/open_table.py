"""The table of open requests: hands what comes back to whoever waits for it. Knows neither the bus nor transports."""

from __future__ import annotations

import time
from collections.abc import Callable

from mlxr.actors.frontend.open_requests import OpenAnswer, OpenCommand, OpenRequest, OpenStream
from mlxr.api.metrics import Metrics
from mlxr.runtime.messages.common import ErrorInfo
from mlxr.runtime.messages.frontend import (
    Deltas,
    Embedding,
    Failed,
    Finished,
    ProfileReply,
    PromptLogprobs,
    RegistryReply,
    Started,
    Tokenized,
)
from mlxr.runtime.telemetry import FirstToken, RequestQueued, Telemetry


class OpenTable:
    """Every open request by its number, in a table for each kind of answer. Answers to others find nobody."""

    def __init__(self, metrics: Metrics, telemetry: Telemetry) -> None:
        self._metrics = metrics
        self._telemetry = telemetry
        self.streams: dict[int, OpenStream] = {}
        self.embeddings: dict[int, OpenAnswer[Embedding]] = {}
        self.tokenized: dict[int, OpenAnswer[Tokenized]] = {}
        self.commands: dict[int, OpenCommand] = {}
        self.profiles: dict[int, OpenAnswer[bytes]] = {}

    def requests(self) -> list[OpenRequest]:
        """Returns all that engines answer, which registry commands are not."""
        return [*self.streams.values(), *self.embeddings.values(), *self.tokenized.values()]

    def find(self, request: int) -> OpenRequest | None:
        """Returns the request of that number, if an engine is to answer it and has not."""
        found = (table.get(request) for table in (self.streams, self.embeddings, self.tokenized))
        return next((entry for entry in found if entry is not None), None)

    def __len__(self) -> int:
        return len(self.streams) + len(self.embeddings) + len(self.tokenized) + len(self.commands)

    def fail_all(self, error: ErrorInfo) -> None:
        for entry in self.requests():
            entry.fail(error)
        for command in list(self.commands.values()):
            command.push(RegistryReply(command.request, last=True, error=error))

    def fail_engines(self, failure: Callable[[str], ErrorInfo | None]) -> None:
        """Fails the requests of those engines for which ``failure`` says why."""
        for entry in self.requests():
            if entry.engine and (error := failure(entry.engine)):
                entry.fail(error)

    def on_reply(self, message: RegistryReply) -> None:
        if command := self.commands.get(message.request):
            command.push(message)

    def on_profile_reply(self, message: ProfileReply) -> None:
        if (answer := self.profiles.get(message.request)) is None:
            return
        if message.error is not None:
            answer.fail(message.error)
        else:
            answer.answer(message.body, answer.usage)

    def on_started(self, message: Started) -> None:
        if stream := self.streams.get(message.request):
            stream.on_started(message)
            self._telemetry.emit("requests", RequestQueued(message.request, message.prompt_tokens))

    def on_deltas(self, message: Deltas) -> None:
        streams, metrics, now = self.streams, self._metrics, time.monotonic()
        fresh: list[OpenStream] = []
        for delta in message.items:
            if (stream := streams.get(delta.request)) is None:
                continue
            stream.written += delta.tokens
            metrics.generated_tokens += delta.tokens
            if not stream.first_token:
                stream.first_token = now
                metrics.ttft.observe(now - stream.opened)
                self._telemetry.emit("requests", FirstToken(delta.request))
            elif delta.index == 0:
                metrics.inter_token.observe(now - stream.last_token)
            if delta.index == 0:
                stream.last_token = now
            if delta.finish is not None:
                stream.finish_reason = stream.finish_reason or delta.finish.value
            if stream.push(delta, message.done_ns):
                fresh.append(stream)
        for stream in fresh:
            stream.deliver()

    def on_prompt_logprobs(self, message: PromptLogprobs) -> None:
        if stream := self.streams.get(message.request):
            stream.on_prompt_logprobs(message)

    def on_finished(self, message: Finished) -> None:
        if stream := self.streams.get(message.request):
            stream.on_finished(message)

    def on_embedding(self, message: Embedding) -> None:
        if answer := self.embeddings.get(message.request):
            answer.answer(message, message.usage)

    def on_tokenized(self, message: Tokenized) -> None:
        if answer := self.tokenized.get(message.request):
            answer.answer(message, answer.usage)

    def on_failed(self, message: Failed) -> None:
        for table in (self.streams, self.embeddings, self.tokenized):
            if entry := table.get(message.request):
                entry.fail(message.error)
