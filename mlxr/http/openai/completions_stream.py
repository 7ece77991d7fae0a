"""Plain completions as server-sent events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlxr.api import sse
from mlxr.api.gateway import Stream
from mlxr.api.one_line_json import one_line_json
from mlxr.http.errors import Problem
from mlxr.http.openai.completion_logprobs import CompletionLogprobs
from mlxr.http.openai.errors import openai_error
from mlxr.http.openai.usage import RunningUsage
from mlxr.http.stream import SSE
from mlxr.runtime.messages.common import FinishReason, TextLogprob
from mlxr.runtime.messages.frontend import Delta, PromptLogprobs, Started

_CONTINUES = b',"logprobs":null,"finish_reason":null}'


@dataclass(frozen=True)
class Echo:
    """The prompt as ``echo`` gives it back: its text, the bytes of its tokens without a log-probability, and the tokens
    with one."""

    text: str
    without_logprob: list[bytes]
    prompt_logprobs: list[TextLogprob]

    def logprobs(self, output: list[TextLogprob]) -> dict[str, Any]:
        return CompletionLogprobs().piece([*self.prompt_logprobs, *output], self.without_logprob)


def echo_of(started: Started, pieces: list[PromptLogprobs]) -> Echo:
    """Returns what ``echo`` puts before the output: the prompt's text and tokens."""
    prompt_logprobs = [token for piece in sorted(pieces, key=lambda piece: piece.start) for token in piece.logprobs]
    without = len(started.token_text) - len(prompt_logprobs)
    return Echo(started.text, started.token_text[:without], prompt_logprobs)


class CompletionChunks:
    """Encodes the stream of one prompt, whose choices have the indices from ``first`` on. ``running_usage``: every
    chunk says how many tokens of this prompt there are so far."""

    content_type = SSE

    def __init__(
        self,
        head: dict[str, Any],
        first: int,
        stream: Stream,
        echo: bool,
        logprobs: bool,
        include_usage: bool,
        running_usage: bool = False,
    ) -> None:
        self._open = b"data: " + one_line_json(head)[:-1] + b',"choices":[{"index":'
        self._close = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._text_close = _CONTINUES + self._close
        self._running = RunningUsage() if running_usage else None
        self._first = first
        self._stream = stream
        self._echo = echo
        self._started = Started(0, 0)
        self._with_logprobs = logprobs
        self._logprobs: dict[int, CompletionLogprobs] = {}

    def start(self, started: Started) -> bytes:
        self._started = started
        if self._running is not None:
            self._close = self._running.start(started)
        return b""

    def deltas(self, batch: Iterable[Delta]) -> bytes:
        return b"".join([self._delta(delta) for delta in batch])

    def end(self, stream: Stream) -> bytes:
        return b""

    def failed(self, problem: Problem) -> bytes:
        return sse.data(openai_error(problem))

    def _delta(self, delta: Delta) -> bytes:
        if self._running is not None:
            self._close = self._running.close(delta)
            self._text_close = _CONTINUES + self._close
        plain = not (self._with_logprobs or self._echo or delta.finish)
        if plain:
            if not delta.text:
                return b""
            return (
                self._open + b'%d,"text":' % (self._first + delta.index) + one_line_json(delta.text) + self._text_close
            )
        echoed = self._echoed(delta.index)
        if not (delta.text or delta.logprobs or delta.finish):
            return echoed
        logprobs = self._logprobs[delta.index].piece(delta.logprobs) if self._with_logprobs else None
        return echoed + self._chunk(delta.index, delta.text, logprobs, delta.finish)

    def _echoed(self, index: int) -> bytes:
        """The prompt's own chunk, before the first of the choice."""
        if index in self._logprobs:
            return b""
        counter = self._logprobs[index] = CompletionLogprobs()
        if not self._echo:
            return b""
        echo = echo_of(self._started, self._stream.prompt_logprobs())
        logprobs = counter.piece(echo.prompt_logprobs, echo.without_logprob) if self._with_logprobs else None
        return self._chunk(index, echo.text, logprobs, None)

    def _chunk(self, index: int, text: str, logprobs: Any, finish: FinishReason | None) -> bytes:
        reason = "stop" if finish is FinishReason.CANCELLED else finish
        rest = one_line_json({"text": text, "logprobs": logprobs, "finish_reason": reason})
        return self._open + b"%d," % (self._first + index) + rest[1:] + self._close
